"""What can be set? Every key of `raas.yaml` with its default, unit and range, parsed once into frozen structs.

`load()` refuses unknown keys and bad values with file, key, what was given and what would be right. Nothing else in
the appliance reads configuration or the environment. `options()` lists all keys for people.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, inspect

from appliance.errors import ConfigError


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: immutable, and a key that isn't declared is an error."""


class RobotSection(Section, frozen=True):
    """Which robot, and how it is reached."""

    link: Annotated[Literal["twin", "pigpiod"], Meta(description="the simulated robot, or real hardware")] = "twin"
    file: Annotated[str, Meta(description="robot.yaml of this unit; empty: the packaged one")] = ""
    host: Annotated[str, Meta(description="where pigpiod (or the twin) listens; loopback only")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="pigpiod's port; 0: 8888, or a free one for the twin")] = 0
    stop_pin: Annotated[
        int, Meta(ge=-1, le=27, description="GPIO of a stop button, normally closed to ground; -1: none")
    ] = -1


class RealtimeSection(Section, frozen=True):
    """The motor loop."""

    rate_hz: Annotated[int, Meta(ge=100, le=2000, description="ticks per second")] = 1000
    cpu: Annotated[int, Meta(ge=-1, le=255, description="the loop's core; -1: the last one")] = -1
    priority: Annotated[int, Meta(ge=0, le=90, description="SCHED_FIFO priority of the loop; 0: ordinary")] = 80
    dead_man_s: Annotated[
        float, Meta(ge=0.0, le=1.0, description="pigpiod zeroes the pins after this, s; 0: 0.1, with the twin 0.5")
    ] = 0.0
    job_silence_s: Annotated[float, Meta(ge=0.1, le=30.0, description="duty is zero after this without action, s")] = (
        2.0
    )
    min_hold_s: Annotated[float, Meta(ge=0.001, le=0.05, description="an action acts at least this long, s")] = 0.025
    lease_s: Annotated[float, Meta(ge=0.2, le=10.0, description="the runner refreshes its session within this, s")] = (
        1.0
    )
    settle_timeout_s: Annotated[float, Meta(ge=1.0, le=300.0, description="longest wait for hanging still, s")] = 60.0
    max_messages_hz: Annotated[int, Meta(ge=50, le=10000, description="messages per second from one job")] = 500


class JobSection(Section, frozen=True):
    """What one job may do and take."""

    limit_s: Annotated[float, Meta(ge=1.0, le=600.0, description="running time, s")] = 120.0
    grace_s: Annotated[float, Meta(ge=0.1, le=60.0, description="from SIGTERM to SIGKILL, s")] = 10.0
    memory_mb: Annotated[int, Meta(ge=64, le=65536, description="memory without swap, MiB")] = 512
    pids: Annotated[int, Meta(ge=8, le=4096, description="processes and threads")] = 64
    cpus: Annotated[float, Meta(ge=0.1, le=64.0, description="CPU time per second of time")] = 1.0
    tmp_mb: Annotated[int, Meta(ge=1, le=4096, description="size of /tmp, MiB")] = 64
    output_kb: Annotated[int, Meta(ge=16, le=65536, description="stdout and stderr kept, KiB (head and tail)")] = 1024
    image: Annotated[str, Meta(description="image of jobs that choose none")] = "standard"
    preflight: Annotated[bool, Meta(description="try each job on the simulation first")] = False
    preflight_s: Annotated[float, Meta(ge=1.0, le=60.0, description="how long it is tried, s")] = 5.0


class FetchSection(Section, frozen=True):
    """How repositories and archives come in."""

    allow_http: Annotated[bool, Meta(description="plain http git URLs")] = False
    allow_private: Annotated[bool, Meta(description="git servers on private addresses")] = False
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0, description="longest fetch, s")] = 60.0
    max_mb: Annotated[int, Meta(ge=1, le=4096, description="unpacked source, MiB")] = 96
    max_files: Annotated[int, Meta(ge=1, le=1_000_000, description="files in the source")] = 20_000
    max_upload_mb: Annotated[int, Meta(ge=1, le=4096, description="size of an uploaded archive, MiB")] = 128
    uid: Annotated[int, Meta(ge=1000, le=2_000_000_000, description="user and group id of git and unpackers")] = 61001
    ca_file: Annotated[str, Meta(description="certificates that git trusts (PEM); empty: the system's")] = ""


class DependenciesSection(Section, frozen=True):
    """What a submission's requirements.txt may bring in, from where this machine's pip looks."""

    install: Annotated[bool, Meta(description="install what the job image lacks; wheels only")] = True
    timeout_s: Annotated[float, Meta(ge=10.0, le=7200.0, description="longest installation, s")] = 600.0
    max_mb: Annotated[int, Meta(ge=1, le=65536, description="packages of one job, MiB")] = 1024
    memory_mb: Annotated[int, Meta(ge=128, le=65536, description="memory of an installation, MiB")] = 1024
    cache_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="kept for the next job that asks for it, MiB")] = 4096


class WebSection(Section, frozen=True):
    """The pages and the HTTP API."""

    address: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port; 0: a free one")] = 8080
    submit: Annotated[
        Literal["anyone", "token"], Meta(description="who may submit jobs: anyone, or people with a token")
    ] = "anyone"
    hosts: Annotated[tuple[str, ...], Meta(description="further Host names the page answers to")] = ()
    tls_cert: Annotated[str, Meta(description="certificate with its chain (PEM); empty: plain HTTP")] = ""
    tls_key: Annotated[str, Meta(description="its private key (PEM, no passphrase)")] = ""
    hsts_s: Annotated[
        int, Meta(ge=0, le=63_072_000, description="browsers shall come by https alone for so long, s; 0: not told")
    ] = 0

    @property
    def scheme(self) -> str:
        """How the page is reached."""
        return "https" if self.tls_cert else "http"


class SandboxSection(Section, frozen=True):
    """The cell that a job runs in. Only changed in the file, as root."""

    uid: Annotated[int, Meta(ge=1000, le=2_000_000_000, description="user and group id of jobs")] = 61000
    docker_host: Annotated[str, Meta(description="Docker Engine's socket; empty: DOCKER_HOST, else the default")] = ""
    allow_unenforced: Annotated[
        bool, Meta(description="run jobs where a limit of the cell doesn't hold; with a simulated robot only")
    ] = False


class StorageSection(Section, frozen=True):
    """How much is kept."""

    min_free_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="no job starts with less free disk, MiB")] = 200
    clear_above_percent: Annotated[
        float,
        Meta(ge=5.0, le=100.0, description="the oldest results go when the disk is fuller than this, %; 100: never"),
    ] = 80.0
    animations_mb: Annotated[int, Meta(ge=1, le=1_000_000, description="GIFs of runs; the oldest go, MiB")] = 200
    recordings_mb: Annotated[
        int, Meta(ge=1, le=10_000_000, description="the camera's recordings of all jobs; the oldest go, MiB")
    ] = 2048
    keep_newest: Annotated[int, Meta(ge=0, le=100_000, description="results of so many newest jobs never go")] = 20


class CameraSection(Section, frozen=True):
    """A camera that looks at the robot. Only changed in the file: its address is fetched by the appliance."""

    url: Annotated[
        str, Meta(description="an MJPEG stream, such as ustreamer's; 'test': drawn from the simulation; empty: none")
    ] = ""
    record: Annotated[bool, Meta(description="keep what it sees of each job")] = True
    fps: Annotated[float, Meta(ge=0.2, le=30.0, description="pictures a second that are shown and kept")] = 10.0
    job_mb: Annotated[int, Meta(ge=1, le=100_000, description="recording of one job, MiB; then it ends")] = 200


class HooksSection(Section, frozen=True):
    """Webhooks, which the owner enters on the page. Where they may lead is only changed in the file, as root."""

    allow_private: Annotated[bool, Meta(description="webhooks to private addresses, such as a server at home")] = False
    allow_http: Annotated[bool, Meta(description="webhooks over plain http")] = False


class FederationSection(Section, frozen=True):
    """A fleet: appliances that share one bucket. Without a bucket nothing of it runs."""

    bucket: Annotated[str, Meta(description="the fleet's S3 bucket; empty: no fleet")] = ""
    endpoint: Annotated[str, Meta(description="the S3 server's URL; empty: AWS")] = ""
    region: Annotated[str, Meta(description="the bucket's region")] = "us-east-1"
    fleet: Annotated[
        str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$", description="the fleet's name: lower case, digits, hyphens")
    ] = "fleet"
    member: Annotated[
        str,
        Meta(
            pattern="^([a-z0-9][a-z0-9-]{0,39})?$", description="this appliance's name in it; empty: made from `name`"
        ),
    ] = ""
    fingerprint: Annotated[str, Meta(description="of the fleet's key; empty: believe the first one that is seen")] = ""
    credentials: Annotated[
        str, Meta(description="folder with fleet-access-key and fleet-secret-key; empty: systemd's, else the usual one")
    ] = ""
    tags: Annotated[tuple[str, ...], Meta(description="what jobs may ask for, such as 'camera'")] = ()
    share: Annotated[float, Meta(ge=0.0, le=1.0, description="how much of a day the robot works for the fleet")] = 1.0
    hours: Annotated[
        str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$",
                  description="when, local time, such as '22:00-06:00'; empty: always")
    ] = ""  # fmt: skip
    takes_from: Annotated[tuple[str, ...], Meta(description="members whose jobs are taken; empty: everybody's")] = ()


class LeaseSection(Section, frozen=True):
    """Programs elsewhere that drive the robot over the network. Off unless the owner wants it; needs a token each."""

    enabled: Annotated[bool, Meta(description="let people with a token for it drive over the network")] = False
    address: Annotated[str, Meta(description="address to listen on; empty: that of the page")] = ""
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port")] = 5588
    limit_s: Annotated[float, Meta(ge=5.0, le=600.0, description="longest lease, s")] = 300.0
    quota_s: Annotated[
        float, Meta(ge=5.0, le=86400.0, description="how long one person may drive within 24 hours, s")
    ] = 3600.0
    max_waiting: Annotated[int, Meta(ge=1, le=1000, description="how many may wait to drive at a time")] = 20


class Config(Section, frozen=True):
    """The whole of `raas.yaml`."""

    name: Annotated[str, Meta(min_length=1, max_length=40, description="what people call this robot")] = "pendulum"
    robot: RobotSection = RobotSection()
    realtime: RealtimeSection = RealtimeSection()
    job: JobSection = JobSection()
    fetch: FetchSection = FetchSection()
    dependencies: DependenciesSection = DependenciesSection()
    web: WebSection = WebSection()
    sandbox: SandboxSection = SandboxSection()
    storage: StorageSection = StorageSection()
    camera: CameraSection = CameraSection()
    hooks: HooksSection = HooksSection()
    federation: FederationSection = FederationSection()
    lease: LeaseSection = LeaseSection()

    @property
    def dead_man_s(self) -> float:
        """The dead-man's budget. The twin shares its cores with everything else, and no gear breaks if it is late."""
        return self.realtime.dead_man_s or (0.1 if self.robot.link == "pigpiod" else 0.5)


def _finite(value: Any) -> Any:
    """The same content with `.nan` and `.inf` as texts, so that no range check is passed by a number that isn't one."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True)
class Option:
    """One key, as `raas config` shows it. `right` says which values are legal."""

    key: str
    default: Any
    right: str
    description: str


def load(path: Path | None) -> Config:
    """Parse a configuration file; None or a missing file gives the defaults. Raises ConfigError."""
    if path is None or not path.exists():
        return Config()
    try:
        return parse(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from error


def parse(text: str, where: str) -> Config:
    """Parse YAML text; `where` names it in messages. Raises ConfigError."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return Config()
    if not isinstance(content, dict):
        raise ConfigError(f"{where} holds {_shown(content)}; a configuration is a list of 'key: value' lines.")
    if not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{where}: {_shown(next(key for key in content if not isinstance(key, str)))} is no key; "
                          "`raas config` lists all keys.")  # fmt: skip
    try:
        return msgspec.convert(_finite(content), Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(error, content, where)) from error


def options(section: type[Section] = Config, prefix: str = "") -> Iterator[Option]:
    """All keys in the order of declaration."""
    for item in inspect.type_info(section).fields:  # type: ignore[attr-defined] # type_info() of a struct has fields
        name = f"{prefix}{item.encode_name}"
        kind = item.type.type if isinstance(item.type, inspect.Metadata) else item.type
        if isinstance(kind, inspect.StructType):
            yield from options(kind.cls, f"{name}.")  # type: ignore[arg-type] # all structs in here are sections
            continue
        described = (getattr(item.type, "extra_json_schema", None) or {}).get("description", "")
        yield Option(name, item.default, _right(kind), described)


def _right(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return " or ".join(str(value) for value in values)
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(ge=low, le=high):
            return f"a number from {low:g} to {high:g}"
        case inspect.VarTupleType():
            return "a list of texts"
        case inspect.StrType(min_length=low, max_length=high) if high:
            return f"a text of {low} to {high} characters"
    return "a text"


def _explained(error: msgspec.ValidationError, content: dict[Any, Any], where: str) -> str:
    """The message for a person: which key, what was given, what would be right."""
    said = str(error)
    path = said.partition(" - at `$")[2].rstrip("`").lstrip(".")
    known = {option.key: option for option in options()}
    if unknown := re.search(r"unknown field `([^`]*)`", said):
        key = f"{path}.{unknown[1]}" if path else unknown[1]
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else "`raas config` lists all keys."
        return f"{where}: there is no key '{key}'; {hint}"
    key = re.sub(r"\[.*", "", path)
    given: Any = content
    for part in key.split("."):
        given = given.get(part) if isinstance(given, dict) else given
    if key in known:
        return f"{where}: '{key}' is {_shown(given)}; it must be {known[key].right} (default {_shown(known[key].default)})."
    inside = sorted(option.key for option in known.values() if option.key.startswith(f"{key}."))
    if inside:
        return f"{where}: '{key}' is {_shown(given)}; it must be a section with keys like '{inside[0]}'."
    return f"{where}: {said}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
