"""How does the simulated robot move under the bridge? Its kind's motion, advanced to any time, with its encoder."""

from __future__ import annotations

from typing import Final

from appliance.realtime.twin.encoder import Quadrature
from gym_raas.kinds.kind import Mechanism
from gym_raas.physics import State

#: Longest piece in which the motion counts as a cubic when edges are located.
_PIECE_US: Final = 1000


class Arm:
    """The arm, or whatever the shaft moves, at a moment. `command` is what the bridge applies, signed, in units of the robot's PWM range."""

    def __init__(self, mechanism: Mechanism, encoder: Quadrature, state: State, now_us: int) -> None:
        self._mechanism = mechanism
        self._encoder = encoder
        self._state = state
        self._now_us = now_us
        self._command = 0.0
        self._sticks = False

    @property
    def state(self) -> State:
        """Angle and velocity at the time last advanced to."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        """Put the arm elsewhere, as a test or a hand does; the encoder shows it with the next motion."""
        self._state, self._sticks = state, False

    @property
    def command(self) -> float:
        """What the bridge applies."""
        return self._command

    @command.setter
    def command(self, command: float) -> None:
        if command != self._command:
            self._command, self._sticks = command, False

    @property
    def moves(self) -> bool:
        """Whether time changes anything: an arm that friction holds costs nothing to simulate."""
        return not self._sticks

    @property
    def channels(self) -> tuple[int, int]:
        """Levels of the encoder's A and B."""
        return self._encoder.channels(self._state.angle_rad)

    def advance(self, to_us: int) -> list[tuple[float, int]]:
        """Move on to a time; returns the encoder's edges on the way as (time in µs, channel)."""
        found: list[tuple[float, int]] = []
        while self._now_us < to_us and not self._sticks:
            step_us = min(_PIECE_US, to_us - self._now_us)
            duration_s = step_us * 1e-6
            before = self._state
            after = self._mechanism.advance(before, self._command, duration_s)
            found += [
                (self._now_us + edge.after_s * 1e6, edge.channel)
                for edge in self._encoder.edges(before, after, duration_s)
            ]
            self._sticks = after == before and not after.velocity_rad_s
            self._state = after
            self._now_us += step_us
        self._now_us = max(self._now_us, to_us)
        return found
