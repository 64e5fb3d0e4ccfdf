"""How does one request get its one answer, whatever the gateway goes through? Pure: replies go in, messages come out.

An action that is sent twice acts twice, so silence alone is no reason to send it again. After silence the client
sends a harmless READ, the *probe*. Messages keep their order, so what comes back tells what became of the request:

* PENDING: the gateway has it and waits for the loop; so do we.
* a sample for the probe: neither request nor answer exists any more; the request goes out again.
* NOT_DRIVER: the gateway has restarted and knows nobody; HELLO, and after its WELCOME the request again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gym_raas import errors, wire
from gym_raas.wire import Refusal, Refused, Sample, Welcome

_ERRORS = {
    Refusal.BUSY: errors.RobotBusy,
    Refusal.OVER: errors.SessionOver,
    Refusal.STOPPED: errors.RobotStopped,
    Refusal.FAULT: errors.RobotFault,
}


class Send(NamedTuple):
    """What to send next; `unless_answered`: only if nothing else arrives during a short pause."""

    message: bytes
    unless_answered: bool = False


def refusal(refused: Refused) -> errors.RobotError:
    """The exception for a refusal, in the gateway's words."""
    text = refused.text or f"the robot refused: {refused.code.name.lower()}"
    return _ERRORS.get(refused.code, errors.RobotRefused)(text)


class Exchange:
    """One request until its answer. `hello` is the driver's greeting; `numbers` gives sequence numbers for probes."""

    def __init__(self, seq: int, request: bytes, hello: bytes, numbers: Iterator[int]) -> None:
        self._seq = seq
        self._request = request
        self._hello = hello
        self._numbers = numbers
        self._probe: int | None = None
        self._greeting = False
        self.answer: Sample | None = None

    def silence(self) -> Send:
        """Nothing has come for a while."""
        self._probe, self._greeting = next(self._numbers), False
        return Send(wire.Read(self._probe).pack())

    def hear(self, reply: wire.Reply) -> Send | None:
        """Take a message; fills `answer`, or says what to send. Raises RobotError on a final refusal."""
        if isinstance(reply, Sample):
            return self._sample(reply)
        if isinstance(reply, Welcome):
            return self._welcome()
        return self._refused(reply) if reply.seq in (self._seq, self._probe, 0) else None

    def _sample(self, sample: Sample) -> Send | None:
        if sample.seq == self._seq:
            self.answer = sample
        elif sample.seq == self._probe:
            self._probe = None
            return Send(self._request)
        return None

    def _welcome(self) -> Send | None:
        if not self._greeting:  # the late answer to one greeting of several
            return None
        self._greeting = False
        return Send(self._request)

    def _refused(self, refused: Refused) -> Send | None:
        if refused.code is Refusal.NOT_DRIVER:
            if self._greeting:
                return None
            self._greeting = True
            return Send(self._hello)
        if refused.code not in (Refusal.PENDING, Refusal.TOO_FAST):
            raise refusal(refused)
        return Send(self._request, unless_answered=True) if refused.seq == self._seq else None
