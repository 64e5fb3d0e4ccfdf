"""What does Docker Engine say that it can limit? Only for who may reach its socket, which is root: never for the page."""

from __future__ import annotations

import docker.errors

from appliance import engine
from appliance.care.snapshot import Engine
from appliance.errors import RaasError
from image_build import job_image


def look(host: str, image: str) -> Engine:
    """The engine at `host`. Starts nothing and builds nothing."""
    client = engine.connect(host)
    if client is None:
        return Engine(host, problem=f"no engine answers at {host}")
    try:
        info = client.info()
        limits = {
            "memory": bool(info.get("MemoryLimit")),
            "swap": bool(info.get("SwapLimit")),
            "pids": bool(info.get("PidsLimit")),
            "cpu_quota": bool(info.get("CpuCfsQuota", info.get("CPUCfsQuota"))),
            "cpuset": bool(info.get("CPUSet")),
        }
        wanted = job_image.image_tag(image)
        has_image = any(wanted in found.tags for found in client.images.list(name=wanted.partition(":")[0]))
        return Engine(host, version=str(info.get("ServerVersion", "")), limits=limits, has_image=has_image)
    except (docker.errors.DockerException, RaasError, KeyError, OSError) as error:
        return Engine(host, problem=f"the engine at {host} doesn't tell how it is: {error}")
    finally:
        client.close()
