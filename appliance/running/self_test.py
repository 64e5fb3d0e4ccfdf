"""Is the robot sound before and after a job? Settles and tests it in a thread of its own, which nobody has to wait for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from appliance.errors import RobotError
from appliance.realtime.control import Reply
from appliance.running import lease
from appliance.running.verdict import SessionEnd
from appliance.shapes import SelfTest

#: After a job nobody waits longer than this: its results come first.
AFTER_S: Final = 20.0
#: Endings after which the robot isn't touched: a person, a fault or a lost guard has stopped it.
_HANDS_OFF: Final = frozenset({"stopped", "fault", "lost"})


class Testing:
    """One settling with its self-test, under way."""

    def __init__(self, control: Path, timeout_s: float) -> None:
        self.done = threading.Event()
        self._reply: Reply | None = None
        self._error: RobotError | None = None
        threading.Thread(target=self._run, args=(control, timeout_s), name="settle", daemon=True).start()

    def _run(self, control: Path, timeout_s: float) -> None:
        try:
            self._reply = lease.settle(control, timeout_s)
        except RobotError as error:
            self._error = error
        finally:
            self.done.set()

    def result(self) -> SelfTest:
        """What was found, once `done` is set. Raises RobotError when the robot isn't at rest or not sound."""
        if self._error is not None:
            raise self._error
        reply = self._reply or Reply()
        return SelfTest(
            passed=True,
            settle_s=reply.settle_s,
            test_s=reply.self_test_s,
            friction_rad_s2=reply.friction_rad_s2,
            zero_correction_counts=reply.zero_correction_counts,
        )

    def finding(self) -> SelfTest:
        """Like result(), but a robot that isn't sound is a finding."""
        try:
            return self.result()
        except RobotError as error:
            return SelfTest(passed=False, problem=str(error))


def after(control: Path, ended: SessionEnd) -> Testing | None:
    """Begin the test after a job; None where the robot has to be left alone."""
    return None if ended.ending in _HANDS_OFF else Testing(control, AFTER_S)
