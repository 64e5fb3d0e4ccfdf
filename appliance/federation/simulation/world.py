"""What happens to whom, and when? The event loop of a simulation: requests, faults, crashes, late writes.

Each request is one event, at the moment when it reaches the store; what the member does with the reply is worked out
there and then, with its clock at the moment of the reply. Nothing in here tells a member more than a network would.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

from appliance.federation.model_store import ModelStore
from appliance.federation.requests import Fetch, Get, GetMany, List, Put, Reply, Request, Send, Status, Wait
from appliance.federation.search import PAGE
from appliance.federation.simulation.member import Member
from appliance.federation.simulation.settings import Settings

_EPOCH_S = 1.75e9  # the server's clock at the start
_PART_BYTES = 8 << 20


@dataclass
class Tally:
    """What was counted. pages: of names, in looks for work."""

    requests: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    pages: int = 0

    def count(self, request: Request) -> None:
        """Count a request as the store's owner would be billed."""
        match request:
            case Get():
                self.requests["get"] += 1
            case GetMany(keys=keys):
                self.requests["get"] += len(keys)
            case Fetch():
                self.requests["get"] += 1
            case Put():
                self.requests["put"] += 1
            case Send(size_bytes=size):
                self.requests["put"] += 1 if size <= _PART_BYTES else 2 + -(-size // _PART_BYTES)
            case List(limit=limit):
                self.requests["list"] += 1
                self.pages += limit == PAGE


class World:
    """Members, a store, and time."""

    def __init__(self, settings: Settings, store: ModelStore, members: list[Member]) -> None:
        self.settings, self.store, self.members = settings, store, members
        self.rng = random.Random(settings.seed * 7919 + 1)
        self.tally = Tally()
        self.fates: dict[int, str] = {}  # what happens to whoever begins the so-many-th job
        self.gone: set[str] = set()  # members that never come back
        self._starts = 0
        self.now_s = 0.0
        self._heap: list[tuple[float, int, str, int, int, Request | None]] = []
        self._count = 0

    # --- before and after ---------------------------------------------------------------------------------------

    def at(self, when_s: float, what: str, member: int, turn: int = 0, request: Request | None = None) -> None:
        """Let something happen: `boot`, `submit` (turn: how many jobs), `turn`, `late`."""
        self._count += 1
        heapq.heappush(self._heap, (when_s, self._count, what, member, turn, request))

    def run_until(self, end_s: float) -> None:
        """Let time pass."""
        while self._heap and self._heap[0][0] <= end_s:
            self.now_s, _, what, number, turn, request = heapq.heappop(self._heap)
            member = self.members[number]
            if what == "turn":
                if turn == member.turn and member.talk is not None:
                    self._arrive(number, member, request)
            elif what == "timeout":
                if turn == member.turn and member.talk is not None:
                    self._go_on(number, member, Reply(Status.LOST, 0.0))
            elif what == "late":
                self._arrive_late(request)
            elif what == "submit":
                self._submit(number, turn)
            elif what == "boot" and member.talk is None:
                member.boot()
                self.tally.events["boots"] += 1
                self._go_on(number, member, None)
        self.now_s = end_s

    def server_s(self) -> float:
        """The server's clock."""
        return _EPOCH_S + self.now_s

    # --- a request's way ----------------------------------------------------------------------------------------

    def _arrive(self, number: int, member: Member, request: Request | None) -> None:
        if self.now_s < member.paused_until_s:
            self.at(member.paused_until_s, "turn", number, member.turn, request)
            return
        if request is None or isinstance(request, Wait):
            self._go_on(number, member, Reply(Status.OK, 0.0))
            return
        reply = self._transmit(number, member, request)
        if reply is None:  # the client waits for its timeout in vain
            self.at(self.now_s + self.settings.faults.timeout_s, "timeout", number, member.turn)
        else:
            self._go_on(number, member, reply, self.now_s + self._latency_s())

    def _transmit(self, number: int, member: Member, request: Request) -> Reply | None:
        """What the member gets to hear of a request that arrives now; None if nothing."""
        faults, events = self.settings.faults, self.tally.events
        if any(begin <= self.now_s < end for begin, end in member.cut_off):
            events["cut_off"] += 1
            return None
        luck = self.rng.random()
        if luck < faults.lost / 2:
            events["lost_requests"] += 1
            return None
        self.tally.count(request)
        if isinstance(request, Put) and luck > 1.0 - faults.slow:
            events["late_writes"] += 1
            delay_s = self.rng.uniform(0.1, 3.0) * self.settings.timing.lease_s
            self.at(self.now_s + delay_s, "late", number, 0, request)
            return None
        reply = self.store.perform(request, self.server_s())
        if luck < faults.lost:
            events["lost_replies"] += 1
            return None
        return reply

    def _arrive_late(self, request: Request | None) -> None:
        assert request is not None
        reply = self.store.perform(request, self.server_s())
        self.tally.events["late_writes_refused" if reply.status is Status.TAKEN else "late_writes_landed"] += 1

    def _latency_s(self) -> float:
        return self.settings.latency_s * (0.25 + 0.5 * self.rng.random())

    def _go_on(self, number: int, member: Member, reply: Reply | None, at_s: float | None = None) -> None:
        """Give a member its reply, and send its next request on the way."""
        at_s = self.now_s if at_s is None else at_s
        assert member.talk is not None
        member.desk.now_s = member.local_s(at_s)
        started = len(member.desk.starts)
        if reply is None:
            request = next(member.talk)
        else:
            reply.now_s = member.desk.now_s
            request = member.talk.send(reply)
        if len(member.desk.starts) > started:
            self._strike(number, member, at_s)
            if not member.is_up:
                return
        member.turn += 1
        member.waits = isinstance(request, Wait)
        if isinstance(request, Wait):
            local_s = member.desk.next_event_s(request.until_s)
            self.at(max(at_s + 1e-3, member.true_s(local_s)), "turn", number, member.turn, request)
        else:
            self.at(at_s + self._latency_s(), "turn", number, member.turn, request)

    def _wake(self, number: int, member: Member) -> None:
        """Something happened at a member that may be waiting."""
        if member.talk is not None and member.waits:
            member.turn += 1
            self.at(self.now_s, "turn", number, member.turn, None)

    def _submit(self, number: int, count: int) -> None:
        """Somebody submits jobs at an appliance, or at the next one that is up."""
        for step in range(len(self.members)):
            other = (number + step) % len(self.members)
            member = self.members[other]
            if member.talk is not None and self.now_s >= member.paused_until_s:
                member.desk.submit(count)
                self._wake(other, member)
                return

    # --- fate -----------------------------------------------------------------------------------------------------

    def _strike(self, number: int, member: Member, at_s: float) -> None:
        """A member just began to work on a job: meet its fate, if it has one."""
        lease_s, what = self.settings.timing.lease_s, self.fates.get(self._starts)
        self._starts += 1
        if what is None:
            return
        self.tally.events[what] += 1
        if what == "paused":
            member.paused_until_s = at_s + self.rng.uniform(1.1, 3.0) * lease_s
        elif what in {"killed", "killed_for_good"}:
            member.talk, member.turn = None, member.turn + 1
            member.desk.ends_s = float("inf")
            if what == "killed":
                self.at(at_s + self.rng.uniform(0.2, 3.0) * lease_s, "boot", number)
            else:
                self.gone.add(member.who)
