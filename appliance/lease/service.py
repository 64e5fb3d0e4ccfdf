"""What does the lease service do? One loop: who comes, who waits, who drives, who has gone; and the relay between.

Whoever drives, drives by the runner's leave: it arms the session and sends the session's socket, and the end of its line
ends the lease. The relay changes nothing of what passes: to gateway and loop this is another job.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import OrderedDict
from typing import Final

import zmq

from appliance.jobs import State
from appliance.lease.clerk import Admitted, Clerk, GivenUp, Refused, Standing, Taken, Told, Wanted
from appliance.lease.drive import Drive
from appliance.lease.front import Front, Letter
from appliance.lease.line import BadLine, Begin, End, Fetch, Here, Line, from_runner
from appliance.lease.visitors import Key, Visitor, Visitors
from appliance.paths import Paths
from appliance.realtime.pacing import TokenBucket
from gym_raas import remote_wire, wire
from gym_raas.remote_wire import Ask, Denial, Denied, Granted, Place, Request

_WAIT_MS: Final = 20
_LETTERS_PER_ROUND: Final = 50
_OBITUARIES: Final = 100
_BYE: Final = wire.Bye().pack()
_COMPLAINTS_HZ: Final = 10.0

_log = logging.getLogger("lease")


class Service:
    """Everything between the network and the gateway. For one thread."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], front: Front, clerk: Clerk, paths: Paths) -> None:
        self._context, self._front, self._clerk = context, front, clerk
        self._visitors = Visitors()
        self._drive: Drive | None = None
        self._line: Line | None = None
        self._waits: Visitor | None = None  # whom the runner has asked for
        self._over: OrderedDict[Key, str] = OrderedDict()  # what was told last to those who have no lease any more
        self._complaints = TokenBucket(_COMPLAINTS_HZ, 2 * _COMPLAINTS_HZ, time.monotonic())
        self._listener = _listen(paths)

    def round(self) -> None:
        """Wait a little for something, and do what there is to do."""
        self._wait()
        now_s = time.monotonic()
        self._front.open_doors()
        for fd in self._front.gone():
            for visitor in self._visitors.lost(fd, now_s):
                self._say(visitor, "The connection was lost.")
        for letter in self._front.letters(_LETTERS_PER_ROUND):
            self._read(letter, time.monotonic())
        if self._drive is not None:
            for frame in self._drive.replies(time.monotonic()):
                self._front.send(self._drive.visitor.peer, frame)
        for told in self._clerk.heard():
            self._heed(told)
        self._hear_runner()
        for visitor in self._visitors.vanished(now_s):
            self._bury(visitor)

    def close(self) -> None:
        """Tell everybody that it is over."""
        for visitor in self._visitors.all():
            self._dismiss(
                visitor, Denial.UNAVAILABLE, "The appliance's lease service is being stopped. Try again later."
            )
        self._hang_up()
        self._listener.close()

    def _wait(self) -> None:
        poller = zmq.Poller()
        for each in (*self._front.sockets, self._listener):
            poller.register(each, zmq.POLLIN)
        if self._line is not None:
            poller.register(self._line.connection, zmq.POLLIN)
        if self._drive is not None:
            poller.register(self._drive.socket, zmq.POLLIN)
        poller.poll(_WAIT_MS)

    # --- the network's side ---------------------------------------------------------------------------------

    def _read(self, letter: Letter, now_s: float) -> None:
        try:
            message = remote_wire.parse_from_client(letter.content)
        except wire.WireError as error:
            if self._complaints.take(now_s):
                self._deny(letter.peer, Denial.MALFORMED, f"The lease service doesn't understand that: {error}.")
            return
        key = (letter.name, message.client)
        visitor = self._visitors.find(key)
        if visitor is not None:
            away_s = self._visitors.heard(visitor, letter.peer, letter.fd, now_s)
            if away_s is not None:
                self._say(visitor, f"The connection is back after {away_s:.2f} s.")
        if isinstance(message, Ask):
            self._asked(letter, message, visitor, now_s)
        elif visitor is None:
            text = self._over.get(key) or f"{letter.name} holds no lease. Make the environment again to ask for one."
            self._deny(letter.peer, Denial.OVER, text)
        else:
            self._requested(visitor, message, now_s)

    def _asked(self, letter: Letter, ask: Ask, visitor: Visitor | None, now_s: float) -> None:
        if visitor is None:
            visitor = Visitor(letter.name, ask.client, ask.title, letter.address, letter.peer, letter.fd, heard_s=now_s)
            if any(other.name == letter.name for other in self._visitors.all()):
                text = "This token has a place in the queue, or drives, already. Close that environment first, or cancel its job."
                self._deny(letter.peer, Denial.BUSY, text)
                return
            self._visitors.enter(visitor)
            self._clerk.ask(Wanted(visitor.key, ask.seconds, ask.title, letter.address))
        elif self._drive is not None and self._drive.visitor is visitor:
            self._grant(self._drive)  # it got lost
        elif visitor.told:
            self._front.send(visitor.peer, Place(visitor.position, visitor.told).pack())

    def _requested(self, visitor: Visitor, request: Request, now_s: float) -> None:
        drives = self._drive is not None and self._drive.visitor is visitor
        if request.inner == _BYE:
            if self._drive is not None and drives:
                self._drive.pass_on(request, now_s)
            self._visitors.leave(visitor)
            self._finish(visitor, "" if drives else "Its program gave up its place.")
        elif self._drive is not None and drives:
            answer = self._drive.pass_on(request, now_s)
            if answer is not None:
                self._front.send(visitor.peer, answer)

    def _bury(self, visitor: Visitor) -> None:
        """It has vanished."""
        text = "The program that drove has gone: nothing was heard of it any more."
        self._visitors.leave(visitor)
        self._remember(visitor, "Nothing was heard of this program for too long, so its lease is over.")
        self._finish(visitor, text)
        _log.info("%s's program has gone", visitor.name)

    def _finish(self, visitor: Visitor, why: str) -> None:
        """A program's end: of its drive, or of its place in the queue."""
        if self._drive is not None and self._drive.visitor is visitor:
            self._end_drive(why)
        elif visitor.job_id:
            self._clerk.ask(GivenUp(visitor.job_id, why))

    def _deny(self, peer: bytes, code: Denial, text: str) -> None:
        self._front.send(peer, Denied(code, text).pack())

    def _dismiss(self, visitor: Visitor, code: Denial, text: str) -> None:
        self._deny(visitor.peer, code, text)
        self._visitors.leave(visitor)
        self._remember(visitor, text)
        self._finish(visitor, text)

    def _remember(self, visitor: Visitor, text: str) -> None:
        self._over[visitor.key] = text
        while len(self._over) > _OBITUARIES:
            self._over.popitem(last=False)

    def _say(self, visitor: Visitor, text: str) -> None:
        if self._drive is not None and self._drive.visitor is visitor:
            self._drive.say(text)

    # --- the queue's side -----------------------------------------------------------------------------------

    def _heed(self, told: Told) -> None:
        if isinstance(told, Admitted):
            self._admit(told)
        elif isinstance(told, Standing):
            self._stands(told)
        else:
            self._placed(told)

    def _admit(self, admitted: Admitted) -> None:
        self._front.names = admitted.names
        allowed = set(admitted.names.values())
        _log.info("may drive over the network: %s", ", ".join(sorted(allowed)) or "nobody")
        for visitor in self._visitors.all():
            if visitor.name not in allowed:
                self._dismiss(visitor, Denial.NOT_ALLOWED, "The robot's owner has taken this token back.")

    def _placed(self, told: Taken | Refused) -> None:
        visitor = self._visitors.find(told.key)
        if isinstance(told, Taken):
            if visitor is None:
                self._clerk.ask(GivenUp(told.job_id, "Its program went away."))
            else:
                visitor.job_id = told.job_id
        elif visitor is not None:
            self._visitors.leave(visitor)
            self._deny(visitor.peer, told.refusal.code, told.refusal.text)

    def _stands(self, told: Standing) -> None:
        visitor = self._visitors.of_job(told.job_id)
        if visitor is None or (self._drive is not None and self._drive.visitor is visitor):
            return
        if told.state.is_final:
            visitor.job_id = ""
            self._dismiss(visitor, Denial.OVER, f"The place in the queue is gone: {told.sentence}")
        elif told.state is not State.RUNNING:
            visitor.told, visitor.position = told.sentence, told.position
            self._front.send(visitor.peer, Place(told.position, told.sentence).pack())

    # --- the runner's side ----------------------------------------------------------------------------------

    def _hear_runner(self) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            self._hang_up()  # there is one runner, and it does one thing at a time
            self._line = Line(connection)
        if self._line is None:
            return
        try:
            for each in self._line.hear():
                self._told_by_runner(self._line, from_runner(each))
        except BadLine:
            _log.warning("the runner says what is no line of ours")
            self._hang_up()
        if self._line is not None and self._line.is_over:
            self._hang_up()

    def _told_by_runner(self, line: Line, message: Fetch | Begin | End) -> None:
        if isinstance(message, Fetch):
            self._waits = self._visitors.of_job(message.job)
            if self._waits is None:
                line.close()
            else:
                line.say(Here())
        elif isinstance(message, Begin):
            if self._waits is None or self._visitors.find(self._waits.key) is not self._waits:
                line.close()
                return
            self._drive = Drive(self._context, self._waits, message, line)
            self._grant(self._drive)
        elif self._drive is not None:
            self._dismiss(self._drive.visitor, Denial.OVER, message.why)

    def _grant(self, drive: Drive) -> None:
        self._front.send(drive.visitor.peer, Granted(drive.visitor.job_id, drive.limit_s).pack())

    def _end_drive(self, why: str) -> None:
        drive, self._drive = self._drive, None
        if drive is not None:
            drive.end(why)

    def _hang_up(self) -> None:
        """The runner's line has ended: so has what it was for."""
        line, self._line, self._waits = self._line, None, None
        if self._drive is not None:
            text = "The lease is over: the robot's session has ended. The job's page says why."
            self._dismiss(self._drive.visitor, Denial.OVER, text)
        if line is not None:
            line.close()


def _listen(paths: Paths) -> socket.socket:
    """The socket for the runner; its folder says who may connect. Raises OSError."""
    path = paths.lease_line
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    before = os.umask(0)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(4)
    return listener
