"""What can be driven? The small protocol behind both faces: the simulation and the robot's client fulfil it.

One contract test runs over all implementations.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from gym_raas.kinds.kind import Kind
from gym_raas.physics import State
from gym_raas.wire import ResetMode


class Reading(NamedTuple):
    """What the robot did, at a boundary of the 50 ms grid or when asked.

    angle_rad: of the shaft, not wrapped; what it means, the kind says (pendulum: 0 upright, pi hanging). k: index of the
    boundary. missed: boundaries passed unused so far.
    action_delay_s: from sending an action to its first duty. held_s: how long it had acted at the boundary.
    duration_s: of a reset. command: signed command at the bridge. flags: `gym_raas.wire.Flag`. Of a robot over the network
    also: network_s on the way there and back, at_robot_s between.
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
    network_s: float | None = None
    at_robot_s: float | None = None

    def over_network(self) -> dict[str, float]:
        """What the network cost, for an environment's `info`; empty for a robot that is here, or simulated."""
        if self.network_s is None or self.at_robot_s is None:
            return {}
        return {"network_s": self.network_s, "at_robot_s": self.at_robot_s}


class Plant(Protocol):
    """A robot that steps at `dt_s`."""

    kind: Kind
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
        """Motor off, clock anew. A plant that can be placed starts at `start` (its kind's home by default)."""
        ...

    def close(self) -> None:
        """Let go of the robot; any number of times."""
        ...
