"""How are packages installed that nobody here has checked? In a build container that has nothing but a door to the index.

It has the job image's Python and pip, no network, no capability, a read-only root, no robot and no secret; only wheels
are taken, so nothing of a package runs while it is installed. It writes into one folder, whose size is watched, and of
that folder the appliance copies files and folders only, when the container is gone.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
import msgspec
from docker.types import LogConfig, Mount

from appliance import engine
from appliance.errors import BadSource, Cancelled, EngineError, IsolationError
from appliance.intake import tree
from appliance.layers import index_door, inside
from appliance.layers.index_door import IndexDoor
from appliance.layers.upstream import Upstream
from appliance.running.docker_cell import engine_errors

#: Label of build containers; its value is the appliance's tag.
LABEL: Final = "raas.build"
_POLL_S: Final = 0.2
_WEIGH_S: Final = 2.0
_MAX_FILES: Final = 150_000
_PROCESSES: Final = 128
_SHOWN_LINES: Final = 12
_WORDS_BYTES: Final = 16 << 10
_COPY_SHARE: Final = 3  # wheels, pip's unpacked files, and what is compiled of them
_MISMATCH: Final = "DO NOT MATCH THE HASHES"
# What pip says of its options and of itself, not of the packages.
_NOISE: Final = re.compile(r"^(Looking in|WARNING: (There was an error checking|Retrying|Running pip)|\[?notice)")


@dataclass(frozen=True)
class Site:
    """Where and with what layers are built. runtime: a short folder for the socket.

    uid: of the container's user. Root takes one that owns nothing; who isn't root can only take his own, as he must be
    able to remove what pip has made.
    """

    host: str
    tag: str
    runtime: Path
    uid: int
    cores: tuple[int, ...]
    max_mb: int
    memory_mb: int
    timeout_s: float


def build(
    requirements: str, image: str, folder: Path, site: Site, upstream: Upstream, cancelled: Callable[[], bool]
) -> dict[str, str]:
    """Install into `folder`/site (made; `folder` is empty) what `image` lacks; returns names and versions.

    Raises BadSource with pip's own words, Cancelled, EngineError, IsolationError. No container is left in any case.
    """
    work, door_folder = folder / "work", site.runtime / "door"
    (work / "order").mkdir(parents=True)
    (work / "order" / "requirements.txt").write_text(requirements)
    (work / "layer").mkdir()
    for path, mode in ((work / "order", 0o755), (work / "order" / "requirements.txt", 0o644), (work / "layer", 0o700)):
        path.chmod(mode)  # whatever our umask is
    index_door.give(work / "layer", site.uid)
    try:
        with index_door.opened(door_folder, site.uid, upstream, site.max_mb << 20) as door:
            Container(image, work, door_folder, site).run(door, cancelled)
        return _taken(work / "layer", folder / "site", site, cancelled)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(host: str, tag: str) -> None:
    """Remove build containers that a killed runner left. Raises EngineError."""
    client = _connected(host)
    try:
        with engine_errors("left-over builds"):
            for container in client.api.containers(all=True, quiet=True, filters={"label": f"{LABEL}={tag}"}):
                client.api.remove_container(container["Id"], force=True, v=True)
    finally:
        client.close()


def _taken(made: Path, target: Path, site: Site, cancelled: Callable[[], bool]) -> dict[str, str]:
    """Copy what the container made, as a stranger's folder is copied: regular files and folders only."""
    try:
        packages = msgspec.json.decode((made / "packages.json").read_bytes(), type=dict[str, str])
        descriptor = os.open(made / "site", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (OSError, msgspec.DecodeError) as error:
        raise BadSource("pip said that it was done, but left nothing. Submit again.") from error
    try:
        tree.copy(descriptor, target, tree.Budget(site.max_mb << 20, _MAX_FILES), cancelled)
    finally:
        os.close(descriptor)
    return {tree.plain(name, 80): tree.plain(version, 40) for name, version in packages.items()}


class Container:
    """One build container from creation to removal."""

    def __init__(self, image: str, work: Path, door: Path, site: Site) -> None:
        self._image, self._work, self._door, self._site = image, work, door, site

    def run(self, door: IndexDoor, cancelled: Callable[[], bool]) -> None:
        """Run pip in it. Raises what `build` raises."""
        sweep(self._site.host, self._site.tag)
        client = _connected(self._site.host)
        try:
            with engine_errors(f"a build container ({self._image})"):
                container = client.api.create_container(**self.arguments(client.api))["Id"]
            try:
                code, words = self._watched(client.api, container, cancelled)
            finally:
                with engine_errors("the removal of a build container"):
                    client.api.remove_container(container, force=True, v=True)
        finally:
            client.close()
        if code != 0:
            raise BadSource(_explained(words, door))

    def _watched(self, api: Any, container: str, cancelled: Callable[[], bool]) -> tuple[int, str]:
        deadline_s = time.monotonic() + self._site.timeout_s
        weighed_s = time.monotonic()
        with engine_errors("a build"):
            api.start(container)
            while (state := api.inspect_container(container)["State"])["Running"]:
                if cancelled():
                    raise Cancelled("The job was cancelled while its packages were installed.")
                if time.monotonic() > deadline_s:
                    raise BadSource(
                        f"The packages of requirements.txt could not be installed within {self._site.timeout_s:g} s. "
                        "Ask for fewer or smaller ones."
                    )
                if time.monotonic() - weighed_s > _WEIGH_S:
                    self._weigh()
                    weighed_s = time.monotonic()
                time.sleep(_POLL_S)
            words = api.logs(container, tail=200)[-_WORDS_BYTES:].decode(errors="replace")
        if state.get("OOMKilled"):
            words += "\nERROR: pip needed more memory than it may have."
        return int(state["ExitCode"]), words

    def _weigh(self) -> None:
        size_bytes, files = weight(self._work / "layer")
        if size_bytes > _COPY_SHARE * self._site.max_mb << 20 or files > 2 * _MAX_FILES:
            raise BadSource(_too_large(self._site.max_mb))

    def arguments(self, api: Any) -> dict[str, Any]:
        """What Docker Engine is told."""
        site, memory = self._site, self._site.memory_mb << 20
        binds = {
            "/order": (self._work / "order", True),
            "/door": (self._door, True),
            "/tools/pip": (_pip_folder(), True),
            "/tools/inside.py": (Path(inside.__file__), True),
            "/layer": (self._work / "layer", False),
        }
        settings = api.create_host_config(
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m,mode=1777"},  # noqa: S108
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            pids_limit=_PROCESSES,
            mem_limit=memory,
            memswap_limit=memory,
            cpuset_cpus=",".join(map(str, site.cores)),
            cpu_shares=256,
            ipc_mode="private",
            oom_score_adj=1000,
            log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
            mounts=[Mount(path, str(place), type="bind", read_only=ro) for path, (place, ro) in binds.items()],
        )
        return {
            "image": self._image,
            "entrypoint": ["/usr/bin/tini", "-g", "--", "python3", "/tools/inside.py"],
            "hostname": "build",
            "user": f"{site.uid}:{site.uid}",
            "working_dir": "/layer",
            "labels": {LABEL: site.tag},
            # PIP_CONFIG_FILE and the rest are unset: pip runs isolated and is told everything by its options.
            "environment": {"PYTHONPATH": "/tools", "HOME": "/layer/tmp", "TMPDIR": "/layer/tmp", "LC_ALL": "C.UTF-8"},
            "network_disabled": True,
            "host_config": settings,
        }


def weight(folder: Path) -> tuple[int, int]:
    """Bytes and files below a folder that somebody else is writing into."""
    size_bytes = files = 0
    for base, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        for name in names:
            try:
                size_bytes += os.lstat(os.path.join(base, name)).st_size
            except FileNotFoundError:
                continue
    return size_bytes, files


def _explained(words: str, door: IndexDoor) -> str:
    """What pip said, without addresses of ours, for the submitter."""
    if door.left_bytes < 0:
        return f"requirements.txt can't be installed. {door.trouble} Ask for fewer or smaller ones."
    plain = tree.plain(re.sub(r"https?://\S+", "the index", words), _WORDS_BYTES, lines=True)
    lines = [line for line in plain.splitlines() if line.strip() and not _NOISE.match(line)][-_SHOWN_LINES:]
    if _MISMATCH in plain:
        named = "\n".join(line.strip() for line in lines if line.startswith("    "))
        return (
            "requirements.txt names a package by its hash, and the index has another file for it. Check the hash: either it "
            f"is of a file for another machine (add the one for this robot), or the file was changed. pip says:\n{named}"
        )
    said = "\n".join(tree.plain(line, 300) for line in lines) or "pip said nothing."
    trouble = f" {door.trouble}" if door.trouble else ""
    hint = "Only wheels are installed here, for this robot's Python and processor."
    return f"requirements.txt can't be installed.{trouble} {hint} pip says:\n{said}"


def _too_large(max_mb: int) -> str:
    return f"The packages of requirements.txt are larger than {max_mb} MiB, which is the limit here. Ask for fewer or smaller ones."


def _pip_folder() -> Path:
    found = importlib.util.find_spec("pip")
    if found is None or not found.submodule_search_locations:
        raise IsolationError("The appliance's own pip is missing. Run `make setup`.")
    return Path(found.submodule_search_locations[0])


def _connected(host: str) -> docker.DockerClient:
    client = engine.connect(host)
    if client is None:
        raise EngineError("Docker Engine doesn't answer; is it running? `systemctl status docker` tells.")
    return client
