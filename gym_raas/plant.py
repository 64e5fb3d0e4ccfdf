"""What can be driven? The small protocol behind both faces: the simulation and the robot's client fulfil it.

One contract test runs over all implementations.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gym_raas.physics import State
from gym_raas.wire import ResetMode


class Reading(NamedTuple):
    """What the pendulum did, at a boundary of the 50 ms grid or when asked.

    angle_rad: 0 upright, pi hanging, not wrapped. k: index of the boundary. missed: boundaries passed unused so far.
    action_delay_s: from sending an action to its first duty. held_s: how long it had acted at the boundary.
    duration_s: of a reset. command: signed command at the bridge. flags: `gym_raas.wire.Flag`.
    """

    angle_rad: float
    velocity_rad_s: float
    k: int
    missed: int
    action_delay_s: float
    held_s: float
    duration_s: float
    command: float
    flags: int


class Plant(Protocol):
    """A pendulum with a motor that steps at `dt_s`."""

    dt_s: float
    action_limit: float
    #: Whether a reset may put it anywhere: true for a simulation, never for a thing of metal.
    can_be_placed: bool

    def step(self, action: float) -> Reading:
        """Apply a finite action until the next boundary; beyond the limit it is clipped and flagged."""
        ...

    def read(self) -> Reading:
        """The newest reading; advances nothing."""
        ...

    def reset(self, mode: ResetMode, start: State | None = None) -> Reading:
        """Motor off, clock anew. A plant that can be placed starts at `start` (hanging by default)."""
        ...

    def close(self) -> None:
        """Let go of the pendulum; any number of times."""
        ...
