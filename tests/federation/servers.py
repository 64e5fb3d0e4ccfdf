"""Object stores as processes of the tests' own: SeaweedFS from the environment, MiniStack from one beside it."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from appliance.federation.s3_store import Bucket

REPOSITORY = Path(__file__).parent.parent.parent
BUCKET = "robots"
ADMIN = ("admin-key", "admin-secret")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_port_with_twin() -> int:
    """SeaweedFS's parts listen at a port and 10000 above it; both below those that the kernel hands out by itself."""
    while True:
        port = random.randrange(11_000, 22_000)
        try:
            for number in (port, port + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port


@contextmanager
def seaweedfs(identities: list[dict[str, object]] | None = None) -> Iterator[Bucket]:
    """A server that checks signatures; `identities` beside the administrator's."""
    with tempfile.TemporaryDirectory(prefix="weed-") as folder:
        admin = {"name": "admin", "credentials": [{"accessKey": ADMIN[0], "secretKey": ADMIN[1]}], "actions": ["Admin"]}
        config = Path(folder, "s3.json")
        config.write_text(json.dumps({"identities": [admin, *(identities or [])]}))
        ports = {name: free_port_with_twin() for name in ("master", "volume", "filer", "s3")}
        command = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-ip=127.0.0.1"]
        command += ["-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={config}", "-master.volumeSizeLimitMB=64"]
        command += ["-volume.max=0", f"-master.port={ports['master']}", f"-volume.port={ports['volume']}"]
        command += [f"-filer.port={ports['filer']}", f"-s3.port={ports['s3']}"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # else they listen at fixed ports
        with _running(command, folder, {}):
            where = Bucket(BUCKET, f"http://127.0.0.1:{ports['s3']}", "us-east-1", *ADMIN)
            _make_bucket(where, Path(folder, "server.log"))
            yield where


@contextmanager
def ministack() -> Iterator[Bucket]:
    """A server whose answers are closer to AWS's, and which checks no signatures."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ministack-") as folder:
        environment = {"GATEWAY_PORT": str(port), "SERVICES": "s3", "HOME": folder, "TMPDIR": folder}
        with _running([str(_ministack())], folder, environment):
            where = Bucket(BUCKET, f"http://127.0.0.1:{port}", "us-east-1", "test", "test")
            _make_bucket(where, Path(folder, "server.log"))
            yield where


def _ministack() -> Path:
    """Its program; installed on first use, apart because it pins a botocore of its own."""
    home = REPOSITORY / ".cache" / "ministack"
    program = home / "bin" / "ministack"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(Path(__file__).with_name("ministack.txt"))], check=True)
    return program


@contextmanager
def _running(command: list[str], folder: str, environment: dict[str, str]) -> Iterator[None]:
    with Path(folder, "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, env={**os.environ, **environment}
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _make_bucket(where: Bucket, log: Path) -> None:
    deadline_s = time.monotonic() + 90
    client = boto3.client(
        "s3", endpoint_url=where.endpoint, region_name=where.region, aws_access_key_id=where.access_key,
        aws_secret_access_key=where.secret_key,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=20),
    )  # fmt: skip
    while True:
        try:
            urllib.request.urlopen(where.endpoint, timeout=5).close()
        except urllib.error.HTTPError:
            pass
        except OSError:
            assert time.monotonic() < deadline_s, f"the server doesn't come up: {log.read_text()[-3000:]}"
            time.sleep(0.1)
            continue
        try:
            client.create_bucket(Bucket=where.bucket)
            client.put_object(Bucket=where.bucket, Key="ready", Body=b"1")
            return
        except (BotoCoreError, ClientError):  # until its parts have found each other
            assert time.monotonic() < deadline_s, log.read_text()[-3000:]
            time.sleep(0.2)
