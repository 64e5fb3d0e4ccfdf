"""Was the standard task done, and with what return? One definition, so that programs and robots can be compared.

An episode of it begins hanging at rest with the first step after a reset, takes `task.EPISODE_STEPS` steps, and leaves at
most MAX_MISSED boundaries unused. Its return is the sum of its rewards. `raaspendulum-v1` is made for it; what counts is
what the robot recorded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from gym_raas import task

#: 1 % of the episode's boundaries.
MAX_MISSED: Final = task.EPISODE_STEPS // 100
#: Friction holds the arm a little beside hanging.
_START_RAD: Final = 0.1
_START_COST: Final = (math.pi - _START_RAD) ** 2
_MOST_START_COST: Final = math.pi**2 + 0.1 * 0.3**2
#: After one step from rest it can't be farther or faster than this.
_AFTER_RAD: Final = 0.2
_AFTER_RAD_S: Final = 1.5


class Step(Protocol):
    """What is needed of a recorded step; `cost` is that of the state before it, `missed` the unused boundaries before."""

    @property
    def k(self) -> int: ...  # noqa: D102
    @property
    def angle_rad(self) -> float: ...  # noqa: D102
    @property
    def velocity_rad_s(self) -> float: ...  # noqa: D102
    @property
    def action(self) -> float: ...  # noqa: D102
    @property
    def cost(self) -> float: ...  # noqa: D102
    @property
    def missed(self) -> int: ...  # noqa: D102


class Outcome(NamedTuple):
    """How often a job did the standard task, the mean and best of its returns, and the boundaries missed in all."""

    episodes: int
    mean_return: float
    best_return: float
    missed: int


def outcome(steps: Sequence[Step]) -> Outcome | None:
    """What the recorded steps of a job amount to; None if no episode of them fulfils the standard task."""
    done = fulfilled(steps)
    if not done:
        return None
    returns = [-math.fsum(step.cost for step in episode) for episode in done]
    missed = sum(step.missed for episode in done for step in episode)
    return Outcome(len(done), math.fsum(returns) / len(returns), max(returns), missed)


def fulfilled(steps: Sequence[Step]) -> list[Sequence[Step]]:
    """The episodes among the recorded steps of a job that fulfil the standard task."""
    return [episode for episode in _episodes(steps) if _fulfils(episode)]


def _episodes(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """The first steps after each reset, at most as many as an episode has: the boundaries' count begins anew there."""
    starts = [index for index, step in enumerate(steps) if index == 0 or step.k <= steps[index - 1].k]
    for start, end in itertools.pairwise([*starts, len(steps)]):
        yield steps[start : min(end, start + task.EPISODE_STEPS)]


def _fulfils(episode: Sequence[Step]) -> bool:
    first = episode[0]
    return (
        len(episode) == task.EPISODE_STEPS
        and first.k == 1 + first.missed
        and sum(step.missed for step in episode) <= MAX_MISSED
        and _began_hanging(first)
    )


def _began_hanging(first: Step) -> bool:
    action = max(-task.MAX_ACTION, min(task.MAX_ACTION, first.action))
    start_cost = first.cost - task.cost(0.0, 0.0, action)
    beside_rad = task.normalised(first.angle_rad - math.pi)
    return (
        _START_COST <= start_cost <= _MOST_START_COST
        and abs(beside_rad) <= _AFTER_RAD
        and abs(first.velocity_rad_s) <= _AFTER_RAD_S
    )
