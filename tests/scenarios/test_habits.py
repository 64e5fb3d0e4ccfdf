"""Programs in the classic style drive for the whole 120 s without a fault: full power, long sleeps, any actions at all."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from appliance.config import RealtimeSection
from appliance.realtime.telemetry import Fault, RobotState
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

LIMIT_S = 120.0
Habit = Callable[[int, random.Random], tuple[float, float]]


def kicks(k: int, _: random.Random) -> tuple[float, float]:
    """Full power for 2.5 s each way: several turns."""
    return (2.0 if k // 50 % 2 == 0 else -2.0), 0.0


def sleeping(k: int, _: random.Random) -> tuple[float, float]:
    """A second of thought, and now and then more than the silence allows."""
    return (2.0 if k % 2 else -1.0), (3.0 if k % 10 == 9 else 1.0)


def anything(_: int, chance: random.Random) -> tuple[float, float]:
    """Actions far beyond the limit, at any pace."""
    return chance.uniform(-1e6, 1e6), chance.choice([0.0, 0.0, 0.0, 0.03])


@pytest.mark.parametrize(
    "habit", [kicks, pytest.param(sleeping, marks=pytest.mark.slow), pytest.param(anything, marks=pytest.mark.slow)]
)
def test_two_minutes_of_a_classic_habit_are_no_fault(habit: Habit) -> None:
    loop, chance = (
        SteppedLoop(load_robot(), RealtimeSection(), SimulatedLink(load_robot(), State(math.pi, 0.0))),
        random.Random(1),
    )
    loop.tick()
    loop.arm(LIMIT_S)
    loop.tick()
    steps = pauses = 0
    while loop.pilot.session is not None:
        action, pause_s = habit(steps, chance)
        loop.request(wire.Kind.ACTION, action)
        loop.replies.clear()
        while not loop.replies and loop.pilot.session is not None:
            loop.tick()
        steps, pauses = steps + 1, pauses + bool(pause_s)
        loop.run_for(pause_s)
    assert loop.now_us >= LIMIT_S * 1e6
    assert (loop.pilot.fault, loop.pilot.state) == (Fault.NONE, RobotState.DISARMED)
    assert steps > 100 or pauses > 50
