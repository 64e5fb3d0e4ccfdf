"""What can be set? Every key of `raas.yaml` with its default, unit and range, parsed once into frozen structs.

`load()` refuses unknown keys and bad values with file, key, what was given and what would be right. Nothing else in
the appliance reads configuration or the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from appliance.errors import ConfigError


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: immutable, and a key that isn't declared is an error."""


class RobotSection(Struct):
    """`robot`: which robot, and how it is reached."""

    link: Annotated[Literal["twin", "pigpiod"], Meta(description="the simulated robot, or real hardware")] = "twin"
    file: Annotated[str, Meta(description="robot.yaml of this unit; empty: the packaged one")] = ""
    host: Annotated[str, Meta(description="where pigpiod (or the twin) listens; loopback only")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="pigpiod's port; 0: a free one (twin only)")] = 0


class RealtimeSection(Struct):
    """`realtime`: the motor loop."""

    rate_hz: Annotated[int, Meta(ge=100, le=2000, description="ticks per second")] = 1000
    cpu: Annotated[int, Meta(ge=-1, le=255, description="the loop's core; -1: the last one")] = -1
    priority: Annotated[int, Meta(ge=0, le=90, description="SCHED_FIFO priority of the loop; 0: ordinary")] = 80
    dead_man_s: Annotated[float, Meta(ge=0.03, le=1.0, description="pigpiod zeroes the pins after this, s")] = 0.1
    job_silence_s: Annotated[float, Meta(ge=0.1, le=30.0, description="duty is zero after this without action, s")] = 2.0
    min_hold_s: Annotated[float, Meta(ge=0.001, le=0.05, description="an action acts at least this long, s")] = 0.025
    lease_s: Annotated[float, Meta(ge=0.2, le=10.0, description="the runner refreshes its session within this, s")] = 1.0
    settle_timeout_s: Annotated[float, Meta(ge=1.0, le=300.0, description="longest wait for hanging still, s")] = 60.0
    max_messages_hz: Annotated[int, Meta(ge=50, le=10000, description="messages per second from one job")] = 500


class JobSection(Struct):
    """`job`: what one job may do and take."""

    limit_s: Annotated[float, Meta(ge=1.0, le=600.0, description="running time, s")] = 120.0
    grace_s: Annotated[float, Meta(ge=0.1, le=60.0, description="from SIGTERM to SIGKILL, s")] = 10.0
    memory_mb: Annotated[int, Meta(ge=64, le=65536, description="memory without swap, MiB")] = 512
    pids: Annotated[int, Meta(ge=8, le=4096, description="processes and threads")] = 64
    cpus: Annotated[float, Meta(ge=0.1, le=64.0, description="CPU time per second of time")] = 1.0
    tmp_mb: Annotated[int, Meta(ge=1, le=4096, description="size of /tmp, MiB")] = 64
    output_kb: Annotated[int, Meta(ge=16, le=65536, description="stdout and stderr kept, KiB (head and tail)")] = 1024
    image: Annotated[str, Meta(description="job image")] = "standard"


class FetchSection(Struct):
    """`fetch`: how repositories and archives come in."""

    allow_http: Annotated[bool, Meta(description="plain http git URLs")] = False
    allow_private: Annotated[bool, Meta(description="git servers on private addresses")] = False
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0, description="longest fetch, s")] = 60.0
    max_mb: Annotated[int, Meta(ge=1, le=4096, description="unpacked source, MiB")] = 96
    max_files: Annotated[int, Meta(ge=1, le=1_000_000, description="files in the source")] = 20_000
    max_upload_mb: Annotated[int, Meta(ge=1, le=4096, description="size of an uploaded archive, MiB")] = 128


class WebSection(Struct):
    """`web`: the pages and the HTTP API."""

    address: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0: a free one")] = 8080
    hosts: Annotated[tuple[str, ...], Meta(description="further Host names the page answers to")] = ()


class SandboxSection(Struct):
    """`sandbox`: the cell that a job runs in. Only changed in the file, as root."""

    uid: Annotated[int, Meta(ge=1000, le=2_000_000_000, description="user and group id of jobs")] = 61000
    docker_host: Annotated[str, Meta(description="Docker Engine's socket; empty: the environment's")] = ""


class StorageSection(Struct):
    """`storage`: how much is kept."""

    min_free_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="no job starts with less free disk, MiB")] = 200


class Config(Struct):
    """The whole of `raas.yaml`."""

    name: Annotated[str, Meta(min_length=1, max_length=40, description="what people call this robot")] = "pendulum"
    robot: RobotSection = RobotSection()
    realtime: RealtimeSection = RealtimeSection()
    job: JobSection = JobSection()
    fetch: FetchSection = FetchSection()
    web: WebSection = WebSection()
    sandbox: SandboxSection = SandboxSection()
    storage: StorageSection = StorageSection()


def load(path: Path | None) -> Config:
    """Parse a configuration file; None or a missing file gives the defaults. Raises ConfigError."""
    if path is None or not path.exists():
        return Config()
    try:
        content = yaml.safe_load(path.read_text()) or {}
        return msgspec.convert(content, Config, strict=True)
    except (yaml.YAMLError, msgspec.ValidationError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
