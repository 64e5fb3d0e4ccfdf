"""What must be said of a kind of robot, so that the motor loop can bring it to rest, test it and know when it is broken?

What moves and how, `gym_raas.kinds` says; this is what only the appliance needs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from appliance.realtime.fault_sentences import FAULT_SENTENCES
from appliance.realtime.telemetry import Fault
from gym_raas.kinds.kind import Kind
from gym_raas.parameters import Robot
from gym_raas.physics import State


class Settled(NamedTuple):
    """How it ended: `fault` is NONE when the robot rests at home and the self-test, if there was one, has passed.

    duration_s: until it rested for the first time. test_s: of the self-test after it; 0 without one. zero_counts: of the encoder
    at home. friction_rad_s2: Coulomb friction that the test has shown; None where it hasn't.
    """

    fault: Fault
    duration_s: float
    zero_counts: float
    test_s: float = 0.0
    friction_rad_s2: float | None = None


class Settling(Protocol):
    """One way to rest, under way."""

    @property
    def done(self) -> Settled | None:
        """How it ended; None while it goes on."""
        ...

    def action(self, now_us: int, counts: int, velocity_rad_s: float) -> float | None:
        """The action of this tick, None for off; `counts` are the encoder's own. Asked every tick until `done` is there."""
        ...


class Settle(Protocol):
    """Begins a settling."""

    def __call__(
        self, robot: Robot, now_us: int, timeout_s: float, zero_counts: float | None, *,
        test: bool, still_since_us: int | None = None,
    ) -> Settling:  # fmt: skip
        """Begin to rest, for at most `timeout_s`.

        zero_counts: the encoder's at home so far, None where that isn't known. still_since_us: since when nothing has moved.
        test: try motor and encoder, and measure that zero anew.
        """
        ...


class Balance(NamedTuple):
    """When must a robot that is pushed move? Where the net acceleration (of angle and command) is at least `held_rad_s2`."""

    net_rad_s2: Callable[[float, float], float]
    held_rad_s2: float


@dataclass(frozen=True)
class Handling:
    """One kind of robot in the appliance.

    balance: of a model. turns: whether a whole turn later it is where it was. rest: where the twin of a robot with this model
    stands when it is switched on. settling: for people, with {job}. sentences: about faults that need other words than usual.
    """

    kind: Kind
    settle: Settle
    balance: Callable[[Any], Balance]
    turns: bool
    rest: Callable[[Any, random.Random], State]
    settling: str
    sentences: Mapping[Fault, str]

    @property
    def fault_sentences(self) -> Mapping[Fault, str]:
        """What a person should look at, one sentence for each fault."""
        return {**FAULT_SENTENCES, **self.sentences}
