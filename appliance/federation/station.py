"""What do all activities of one member share? Its identity, clocks, and the ways of asking that survive a bad network.

`create` is the heart: a lost answer turns one's own success into "it exists", so the bytes carry a nonce and are compared.
"""

from __future__ import annotations

import enum
import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance import ulid
from appliance.federation.desk import Desk
from appliance.federation.joblog import Slot
from appliance.federation.keys import Keys
from appliance.federation.requests import Fetch, Get, GetMany, Put, Reply, Request, Send, Status, Talk, Wait
from appliance.federation.signing import Identity, Roster
from appliance.federation.timing import Timing, stretched

_TRIES: Final = 4
_LONGEST_PAUSE: Final = 5  # doublings


class Made(enum.Enum):
    """What became of a create-only write."""

    MADE = "made"
    TAKEN = "taken"
    UNSURE = "unsure"  # nobody answered; it may be there, or come to be there
    DENIED = "denied"


def _nothing() -> Talk[None]:
    yield from ()


@dataclass
class Station:
    """One member at work. now_s: local monotonic time of the last answer."""

    identity: Identity
    roster: Roster
    keys: Keys
    timing: Timing
    desk: Desk
    rng: random.Random
    now_s: float = 0.0
    offset_s: float = 0.0  # server's clock minus ours
    knows_time: bool = False
    failures: int = 0
    must_ring: bool = False
    hints: dict[str, None] = field(default_factory=dict)  # open jobs that others would hardly see
    hungry: bool = True  # there may be work: look without waiting for the bell
    look_s: float = float("-inf")  # when to look for work again
    alive_s: float = float("-inf")  # when the last successful sign of life that covers the held job was sent
    ended: dict[str, None] = field(default_factory=dict)  # jobs that only looked as if they were not over
    keep_alive: Callable[[], Talk[None]] = _nothing  # a sign of life, if one is due

    @property
    def me(self) -> str:
        """This member's name."""
        return self.identity.who

    def server_s(self) -> float:
        """The time by the server's clock, as well as it is known."""
        return self.now_s + self.offset_s

    def nonce(self) -> str:
        """Something that nobody wrote before."""
        return f"{self.rng.getrandbits(64):016x}"

    def new_job(self, head_start_s: float) -> str:
        """A name for a job, from the server's clock and never the local one; a head start lets it sort before others.

        That clock shows whole seconds. Names that all stood at their beginnings could fill more than one page at a single
        moment, and a look goes by moments; so they are spread over the second.
        """
        return ulid.new(self.server_s() + self.rng.random() - head_start_s, self.rng.getrandbits(80))

    def patience_s(self) -> float:
        """How long to leave a store alone that doesn't answer."""
        return stretched(self.timing.retry_s * 2 ** min(self.failures, _LONGEST_PAUSE), self.rng)

    def hint(self, job: str) -> None:
        """Tell others of an open job, with the next ring of the bell."""
        self.hints[job] = None
        self.must_ring = True

    def look_again(self, delay_s: float) -> None:
        """There may be work, whatever the bell says."""
        self.hungry, self.look_s = True, self.now_s + delay_s

    def ask(self, request: Request) -> Talk[Reply]:
        """Ask, and keep the clocks."""
        reply = yield request
        self.now_s = reply.now_s
        if reply.date_s:
            self.offset_s, self.knows_time = reply.date_s - reply.now_s, True
        if reply.status is Status.DENIED:
            self.desk.complain(
                "", "The store refuses what the fleet needs. Give this appliance the rights of its policy."
            )
        if reply.status in {Status.LOST, Status.DENIED}:
            self.failures += 1
        elif reply.date_s:
            self.failures = 0
        return reply

    def carry(self, request: Send | Fetch) -> Talk[Reply]:
        """Send or fetch a file, however long that takes on this line; signs of life go on meanwhile."""
        reply = yield from self.ask(request)
        while reply.status is Status.UNDER_WAY:
            yield from self.keep_alive()
            yield from self.ask(Wait(self.now_s + self.timing.retry_s))
            reply = yield from self.ask(request)
        return reply

    def pause(self, seconds: float) -> Talk[None]:
        """Do nothing for a while, whatever happens."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            yield from self.ask(Wait(until_s))

    def read(self, key: str) -> Talk[Reply]:
        """Get an object; tries again when nobody answers."""
        for _ in range(_TRIES):
            reply = yield from self.ask(Get(key))
            if reply.status is not Status.LOST:
                break
            yield from self.pause(self.patience_s())
        return reply

    def create(self, key: str, body: bytes) -> Talk[Made]:
        """Write an object that must not exist. MADE exactly if `body`, which carries a nonce, is what stands there."""
        doubtful = False
        for _ in range(_TRIES):
            reply = yield from self.ask(Put(key, body, create=True))
            if reply.status is Status.OK:
                return Made.MADE
            if reply.status is Status.TAKEN:
                return (yield from self._whose(key, body)) if doubtful else Made.TAKEN
            if reply.status is Status.DENIED:
                return Made.DENIED
            doubtful = doubtful or reply.status is Status.LOST
            yield from self.pause(self.patience_s())
        return Made.UNSURE

    def _whose(self, key: str, body: bytes) -> Talk[Made]:
        reply = yield from self.read(key)
        if reply.status is Status.OK:
            return Made.MADE if reply.body == body else Made.TAKEN
        return Made.UNSURE

    def slots(self, job: str, count: int, known: Sequence[Slot | None] = ()) -> Talk[list[Slot | None] | None]:
        """The first `count` slots of a job, as far as they aren't `known`; None if one can't be read."""
        found: list[Slot | None] = [*known[:count], *[None] * (count - len(known))]
        wanted = [number for number, slot in enumerate(found) if slot is None]
        keys = tuple(self.keys.slot(job, number) for number in wanted)
        replies = yield from self.read_all(keys)
        for number, reply in zip(wanted, replies, strict=True):
            if reply.status is not Status.OK:
                return None
            found[number] = Slot(reply.body, reply.written_s)
        return found

    def read_all(self, keys: tuple[str, ...]) -> Talk[list[Reply]]:
        """Get several objects."""
        if len(keys) == 1:
            return [(yield from self.ask(Get(keys[0])))]
        if not keys:
            return []
        reply = yield from self.ask(GetMany(keys))
        return reply.replies if reply.status is Status.OK else [reply] * len(keys)

    def whole_log(self, job: str) -> Talk[list[Slot] | None]:
        """All slots of a job, one after the other until there is none; None if nobody answers."""
        found: list[Slot] = []
        while True:
            reply = yield from self.read(self.keys.slot(job, len(found)))
            if reply.status is Status.MISSING:
                return found
            if reply.status is not Status.OK:
                return None
            found.append(Slot(reply.body, reply.written_s))


def same_bytes(sealed: bytes, etag: str) -> bool:
    """Whether an ETag proves that an object consists of these bytes. Not all stores' ETags can."""
    return hashlib.md5(sealed, usedforsecurity=False).hexdigest() == etag
