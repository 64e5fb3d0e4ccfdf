"""How does a session come to be, and how does it end? Arm, start, lease, disarm, settle, for the runner alone.

Arming is all or nothing: folder and segment, then the gateway's socket, then the loop; what was done is undone where a later
step fails. A session ends once, for the reason that came first; the job's socket stays until disarm and says that reason.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Final

from appliance.errors import RobotError
from appliance.realtime import orders
from appliance.realtime.channels import Refused, Unanswered
from appliance.realtime.guarded_session import GuardedSession, job_text, parse_session
from appliance.realtime.messages import CommandKind, Ending, Notice, Refusal
from appliance.realtime.service import Service
from appliance.realtime.session_files import SessionFiles
from appliance.realtime.supervision import Supervision
from appliance.realtime.telemetry import Fault, LiveRecord, RobotState

_LONGEST_LIMIT_S: Final = 3600.0
_LONGEST_SETTLING_S: Final = 300.0
#: The loop answers a settling that failed at its own timeout; this much later it counts as silent.
_SETTLE_MARGIN_S: Final = 3.0

_log = logging.getLogger(__name__)


class SessionDesk:
    """The present session and what may be done with it. Methods raise RobotError with what to do."""

    def __init__(self, supervision: Supervision, files: SessionFiles, lease_s: float, service: Service) -> None:
        self._supervision, self._files, self._lease_s = supervision, files, lease_s
        self._service = service
        self._time_s = asyncio.get_running_loop().time
        self._changing = asyncio.Lock()
        self._ending_late: asyncio.Task[None] | None = None
        self.session: GuardedSession | None = None
        self.is_settling = False

    @property
    def present(self) -> GuardedSession | None:
        """The session that is armed and not over."""
        session = self.session
        return session if session is not None and session.is_armed and session.ending is None else None

    @property
    def last_ending(self) -> str:
        """Why the last session ended; empty while one is under way."""
        session = self.session
        return "" if session is None or session.ending is None else session.ending.name.lower()

    async def settle(self, timeout_s: float) -> Notice:
        """Bring the robot to rest, and test it; returns the loop's notice."""
        if not 0.0 < timeout_s <= _LONGEST_SETTLING_S:
            raise RobotError(
                f"timeout_s is {timeout_s:g}; more than 0 and at most {_LONGEST_SETTLING_S:g} s is possible."
            )
        self._demand_idle()
        if self._changing.locked():
            raise RobotError("A session is being armed or ended. Wait for that.")
        self.is_settling = True
        try:
            patience_s = timeout_s + _SETTLE_MARGIN_S
            notice = await self._supervision.loop.ask(CommandKind.SETTLE, 0, timeout_s, timeout_s=patience_s)
            self._service.pass_test()
            return notice
        except Unanswered:
            self._supervision.lose_loop("it neither settled nor said why not")
            raise
        except Refused as error:
            await self._fail_test(error)
            raise
        finally:
            self.is_settling = False

    async def _fail_test(self, refused: Refused) -> None:
        """Raises RobotError with what to look at, where the robot itself is why settling was refused."""
        if refused.notice.code != Refusal.SELF_TEST:
            return
        try:
            said = await self._service.fail_test(Fault(refused.notice.counts))
        except OSError as error:
            raise RobotError(f"The robot is out of service, but that can't be written down: {error}.") from error
        raise RobotError(said) from refused

    async def arm(self, name: str, limit_s: float, job_gid: int) -> None:
        """Open a session."""
        number = parse_session(name)
        if number is None:
            raise RobotError(f"{name[:40]!r} is no session: 16 hex digits, not all zero, are.")
        if not (math.isfinite(limit_s) and 0.0 < limit_s <= _LONGEST_LIMIT_S):
            raise RobotError(f"limit_s is {limit_s}; more than 0 and at most {_LONGEST_LIMIT_S:g} s is possible.")
        if not 0 <= job_gid < 1 << 31:
            raise RobotError(f"job_gid is {job_gid}, which is no group.")
        async with self._changing:
            self._demand_idle()
            if self.session is not None:
                await self._close(self.session)
            await asyncio.to_thread(self._files.create, number, limit_s)
            session = GuardedSession(number, job_gid, limit_s, self._lease_s, self._time_s())
            self.session = session
            try:
                await self._arm(session)
            finally:
                if not session.is_armed:
                    await self._undo(session)

    async def start(self, name: str) -> None:
        """run.py has started."""
        session = self._demand(name)
        await self._supervision.loop.ask(CommandKind.START, session.number)
        session.start(self._time_s())

    def lease(self, name: str) -> None:
        """The runner lives."""
        session = self._demand(name)
        session.leased_s = self._time_s()
        self._supervision.loop.tell(CommandKind.LEASE, session.number)

    async def disarm(self, name: str) -> None:
        """End a session, motor first, and remove its socket; end a settling. Idempotent: another session is left alone."""
        number = parse_session(name)
        if self.is_settling:
            self._supervision.loop.tell(CommandKind.DISARM)
        async with self._changing:
            session = self.session
            if session is None or session.number != number:
                return
            await self._disarm_loop(session)
            self.end(session, Ending.DISARMED)
            await self._close(session)

    def end(self, session: GuardedSession, ending: Ending) -> None:
        """The session is over; only the first reason counts."""
        if session.ending is not None:
            return
        session.ending = ending
        _log.info("session %s ended: %s", session.name, ending.name.lower())
        self._supervision.gateway.tell(self._over(session))

    def end_present(self, ending: Ending) -> None:
        """The present session, if there is one, is over."""
        if self.session is not None:
            self.end(self.session, ending)

    def reopen(self) -> None:
        """A new gateway is to open the present session's socket again."""
        session = self.session
        if session is None or not session.wants_socket:
            return
        self._supervision.gateway.tell(orders.Open(session.number, session.job_gid, session.limit_s))
        if session.ending is not None:
            self._supervision.gateway.tell(self._over(session))

    def look(self, newest: LiveRecord | None) -> None:
        """The second layer: end what the loop should have ended by itself; called every few ms."""
        session, now_s = self.session, self._time_s()
        if session is None:
            return
        if newest is not None and newest.session == session.number and newest.state == RobotState.RUNNING:
            session.start(now_s)  # by the job's first message
        ending = session.overdue(now_s)
        if ending is not None:
            _log.error("the loop didn't end session %s in time", session.name)
            self.end(session, ending)
            self._ending_late = asyncio.create_task(self._disarm_loop(session))

    async def _arm(self, session: GuardedSession) -> None:
        session.wants_socket = True
        try:
            order = orders.Open(session.number, session.job_gid, session.limit_s)
            await self._supervision.gateway.ask(order)
        except Unanswered:
            self._supervision.lose_gateway()
            raise
        self._demand_alive(session)
        await self._supervision.loop.ask(CommandKind.ARM, session.number, session.limit_s)
        self._demand_alive(session)
        session.is_armed = True
        session.leased_s = self._time_s()

    async def _undo(self, session: GuardedSession) -> None:
        await self._disarm_loop(session)
        self.end(session, Ending.DISARMED)
        await self._close(session)
        self._files.undo(session.number)

    async def _disarm_loop(self, session: GuardedSession) -> None:
        """Motor off. A loop that doesn't answer is replaced, so afterwards it is off in any case."""
        if not self._supervision.is_loop_alive:
            return
        try:
            await self._supervision.loop.ask(CommandKind.DISARM, session.number)
        except Unanswered:
            self._supervision.lose_loop("it didn't disarm")
        except Refused:
            pass  # it knows this session no more

    async def _close(self, session: GuardedSession) -> None:
        """Socket and folder go."""
        had_socket = session.wants_socket
        session.is_armed = session.wants_socket = False
        if had_socket and self._supervision.is_gateway_alive:
            try:
                await self._supervision.gateway.ask(orders.Close(session.number))
            except Unanswered:
                self._supervision.lose_gateway()
        self._files.remove_folder(session.number)

    def _over(self, session: GuardedSession) -> orders.Over:
        assert session.ending is not None
        code, text = job_text(session.ending)
        return orders.Over(session.number, code, text)

    def _demand(self, name: str) -> GuardedSession:
        """The present session by its name. Raises RobotError when it is another one, or over."""
        session = self.session
        if session is None or session.name != name:
            raise RobotError(f"There is no session {name[:40]!r}. Arm it first.")
        if session.ending is not None:
            raise RobotError(f"Session {name} is over ({self.last_ending}).")
        if not session.is_armed:
            raise RobotError(f"Session {name} isn't armed yet.")
        return session

    def _demand_alive(self, session: GuardedSession) -> None:
        if session.ending is not None:
            raise RobotError(f"The session ended while it was armed ({session.ending.name.lower()}).")

    def _demand_idle(self) -> None:
        supervision = self._supervision
        if not supervision.is_loop_seen:
            raise RobotError("The motor loop isn't running; it is being started. Try again in a moment.")
        if not supervision.is_gateway_alive:
            raise RobotError("The gateway isn't running; it is being started. Try again in a moment.")
        if self.session is not None and self.session.ending is None:
            raise RobotError(f"Session {self.session.name} is under way. Disarm it first.")
        if self.is_settling:
            raise RobotError("The robot is being brought to rest. Wait for that.")
        if supervision.is_switching_off:
            raise RobotError("The motor is being switched off. Try again in a moment.")
