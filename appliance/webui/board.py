"""What does the web process know right now? The newest of everything, so that nobody who asks has to wait.

Greenlets of `watch` refresh it; pages, API and event stream read it. The stop button in particular needs nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import gevent

from appliance.config import Config
from appliance.errors import RobotError
from appliance.paths import Paths
from appliance.realtime.control import GuardClient, Reply, Request, Status
from appliance.realtime.kinds.handling import Handling
from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.ring_reader import RingReader
from appliance.shapes import Motion, QueueView, RobotView
from appliance.webui import robot_view
from appliance.webui.robot_view import Sight
from gym_raas.kinds.known import PENDULUM
from gym_raas.parameters import RobotFileError, load_robot

_GUARD_TIMEOUT_S = 0.9
_MOTION_EVERY = 4  # of the ring's 100 Hz: 25 points a second draw a smooth line
_LOOP_OBEYS_S = 0.05  # within a few ticks the loop publishes what the guard has told it
_CATCH_UP_S = 0.5


class Board:
    """Robot and queue as last seen. `now_ns` is the monotonic clock that the motor loop stamps its samples with."""

    def __init__(self, config: Config, paths: Paths, now_ns: Callable[[], int]) -> None:
        self._config = config
        self._handling = _handling(config.robot.file)
        self._paths = paths
        self._now_ns = now_ns
        self._ring = RingReader(paths.live_ring)
        self._guard: Reply | None = None
        self._guard_problem = ""
        self._numbers = itertools.count(1)
        self._newest_answered = 0
        self.queue = QueueView(paused=False, length=0, active=[], waiting=[])

    def robot(self) -> RobotView:
        """The robot now."""
        now_ns = self._now_ns()
        record = self._ring.newest(now_ns)
        age_s = 0.0 if record is None else max(0.0, (now_ns - record.t_ns) / 1e9)
        sight = Sight(record, age_s, self._guard, self._guard_problem, self.queue)
        return robot_view.view(sight, self._config, self._handling)

    def motion(self, seconds: float) -> Motion:
        """How the robot has moved in the last seconds."""
        records = self._ring.history(seconds, self._now_ns())[::_MOTION_EVERY]
        return Motion(
            t_s=[round(record.t_ns / 1e9, 4) for record in records],
            angle_rad=[round(record.angle_rad, 4) for record in records],
            velocity_rad_s=[round(record.velocity_rad_s, 3) for record in records],
            action=[round(record.action, 3) for record in records],
        )

    def ask_guard(self, right: str, request: Request) -> Reply:
        """Put a request to the guard and remember its answer. Raises RobotError.

        Several greenlets ask at a time; an answer to an older question never replaces a newer one.
        """
        number = next(self._numbers)
        try:
            with GuardClient(self._paths.control(right), _GUARD_TIMEOUT_S) as guard:
                reply = guard.demand(request)
        except RobotError as error:
            self._guard_problem = str(error)
            raise
        if number > self._newest_answered:
            self._newest_answered = number
            self._guard, self._guard_problem = reply, ""
        return reply

    def catch_up(self) -> None:
        """Wait a moment until the loop has published what the guard has just told it."""
        told_ns = self._now_ns()
        while (now_ns := self._now_ns()) < told_ns + int(_CATCH_UP_S * 1e9):
            record = self._ring.newest(now_ns)
            if record is not None and record.t_ns > told_ns + int(_LOOP_OBEYS_S * 1e9):
                return
            gevent.sleep(0.01)

    def refresh_guard(self) -> None:
        """See how the guard is; that it doesn't answer is an answer."""
        try:
            self.ask_guard("stop", Status())
        except RobotError:
            self._guard = self._guard if self._guard is not None and self._guard.stopped else None

    @property
    def guard(self) -> Reply | None:
        """How the guard was when it was last asked; None while it doesn't answer."""
        return self._guard

    @property
    def guard_problem(self) -> str:
        """Why the guard can't be asked; empty when it answers."""
        if self._guard is not None and not self._guard_problem:
            return "" if self._guard.loop_alive else "The motor loop isn't running."
        return self._guard_problem or "The robot's guard hasn't answered yet."


def _handling(robot_file: str) -> Handling:
    """That of the robot's kind, once: another robot needs a new start. The reference's where the file can't be read."""
    try:
        return HANDLINGS[load_robot(Path(robot_file) if robot_file else None).kind]
    except RobotFileError:
        return HANDLINGS[PENDULUM.name]
