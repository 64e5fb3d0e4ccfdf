"""What is a robot made of? The typed contents of a `robot.yaml`.

A `Robot` describes one physical unit: its kind, the constants of that kind's motion, encoder, PWM set-up, pins and limits.
The simulation, the twin behind pigpiod's protocol and the motor loop all read the same object, so the numbers
exist once. Configuration errors name file, key, what was given and what would be right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from gym_raas import declared
from gym_raas.declared import bounded, one_of
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.known import KINDS, PENDULUM

SCHEMA: Final = 1
#: A robot file is a page of numbers; anything much longer is something else.
MAX_FILE_BYTES: Final = 64 * 1024


def packaged(kind: Kind = PENDULUM) -> Path:
    """The file of the robot of this kind that comes with the package."""
    return Path(__file__).with_name(kind.file)


PACKAGED: Final = packaged()


class RobotFileError(ValueError):
    """A robot file that can't be used; the message says what to change."""


@dataclass(frozen=True)
class Encoder:
    """The quadrature encoder: edges of both channels counted in one turn of the arm."""

    counts_per_turn: int = field(metadata=bounded(4, 100_000))

    @property
    def rad_per_count(self) -> float:
        """Angle of one count, rad."""
        return 2.0 * math.pi / self.counts_per_turn


@dataclass(frozen=True)
class Pwm:
    """How the bridge inputs are modulated; a fit only holds for the mode and frequency it was made at."""

    mode: str = field(metadata=one_of("software", "hardware"))
    frequency_hz: int = field(metadata=bounded(10, 100_000))
    range: int = field(metadata=bounded(25, 40_000))
    command_per_action: float = field(metadata=bounded(1.0, 40_000.0))


@dataclass(frozen=True)
class Pins:
    """BCM numbers of the GPIO pins."""

    forward: int = field(metadata=bounded(0, 27))
    backward: int = field(metadata=bounded(0, 27))
    encoder_a: int = field(metadata=bounded(0, 27))
    encoder_b: int = field(metadata=bounded(0, 27))


@dataclass(frozen=True)
class Limits:
    """What the robot never exceeds, whatever the policy asks: they clamp and flag, they are no faults."""

    action: float = field(metadata=bounded(0.01, 100.0))
    speed_rad_s: float = field(metadata=bounded(0.5, 200.0))


@dataclass(frozen=True)
class Robot:
    """One robot, as read from its file; `model` is of the type that its kind states (`gym_raas.kinds`)."""

    schema: int = field(metadata=one_of(SCHEMA))
    kind: str = field(metadata=one_of(*KINDS))
    name: str
    model: Any
    encoder: Encoder
    pwm: Pwm
    pins: Pins
    limits: Limits
    fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def parameter_hash(self) -> str:
        """First 16 hex digits of SHA-256 over everything but name and provenance: equal hash, equal behaviour."""
        content = dataclasses.asdict(self)
        for key in ("name", "fitted"):
            content.pop(key)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class _StrictLoader(yaml.SafeLoader):
    """YAML without duplicate keys, of which the plain loader silently takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the plain loader; raises yaml.YAMLError on a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = next((key for index, key in enumerate(keys) if key in keys[:index]), None)
        if repeated is not None:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: the key {repeated!r} stands twice")
        return super().construct_mapping(node, deep)


def load_robot(path: Path | None = None) -> Robot:
    """Read and check a robot file; None is the packaged one. Raises RobotFileError."""
    path = PACKAGED if path is None else Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RobotFileError(f"{path}: can't be read: {error}") from error
    return parse_robot(raw, str(path))


def parse_robot(raw: bytes, source: str) -> Robot:
    """Check a robot file's bytes; `source` names it in messages. Raises RobotFileError."""
    if len(raw) > MAX_FILE_BYTES:
        raise RobotFileError(f"{source}: longer than {MAX_FILE_BYTES} bytes, so it is no robot file")
    try:
        content = yaml.load(raw.decode(), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader, and stricter)
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RobotFileError(f"{source}: can't be read as YAML: {error}") from error
    return robot_from(content, source)


def robot_from(content: object, source: str) -> Robot:
    """Check a robot file's parsed content; `source` names it in messages. Raises RobotFileError."""
    try:
        robot = declared.build(Robot, content, types={"model": _kind(content).model})
    except declared.BadValue as error:
        raise RobotFileError(f"{source}: {error}") from error
    _check_together(robot, source)
    return robot


def _kind(content: object) -> Kind:
    """The kind that a file names; the reference for a name that isn't known, which `declared.build` then refuses."""
    name = content.get("kind") if isinstance(content, dict) else None
    return KINDS.get(name, PENDULUM) if isinstance(name, str) else PENDULUM


def _check_together(robot: Robot, source: str) -> None:
    """What only several keys can get wrong. Raises RobotFileError."""
    pins = dataclasses.asdict(robot.pins)
    if len(set(pins.values())) < len(pins):
        raise RobotFileError(f"{source}: pins: {pins} given; expected are four different pins")
    top = robot.limits.action * robot.pwm.command_per_action
    if top > robot.pwm.range:
        raise RobotFileError(
            f"{source}: limits.action: {robot.limits.action:g} given, which is a command of {top:g}; "
            f"expected is at most {robot.pwm.range / robot.pwm.command_per_action:g} (pwm.range / command_per_action)"
        )
