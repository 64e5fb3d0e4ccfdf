"""A few members, a store and a clock in the hands of a test: nothing happens unless the test lets it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from appliance.federation import joblog
from appliance.federation.entries import Entry, decode
from appliance.federation.joblog import JobLog, Slot
from appliance.federation.keys import Keys
from appliance.federation.model_store import ModelStore
from appliance.federation.requests import Get, List, Put, Reply, Request, Status, Wait
from appliance.federation.signing import Untrusted
from appliance.federation.simulation.cast import FLEET, Cast
from appliance.federation.simulation.member import Member
from appliance.federation.simulation.settings import Settings

EPOCH_S = 1.75e9


@dataclass
class Lab:
    """Members by number. `late`: writes that are still in the network."""

    settings: Settings
    count: int = 3
    seed: int = 1
    now_s: float = 0.0
    members: list[Member] = field(default_factory=list)
    pending: dict[int, Request] = field(default_factory=dict)
    late: list[Request] = field(default_factory=list)
    _logs: tuple[int, dict[str, list[Slot]]] = field(default_factory=lambda: (-1, {}))

    def __post_init__(self) -> None:
        self.cast = Cast(random.Random(self.seed), quick=True)
        self.store, self.keys, self.roster = ModelStore(), Keys(FLEET), self.cast.roster()
        self.identities = [
            self.cast.member(f"pi{number}", compacts=number < self.settings.compactors) for number in range(self.count)
        ]
        for number, identity in enumerate(self.identities):
            self.members.append(
                Member(identity, self.roster, self.settings, number, compacts=number < self.settings.compactors)
            )
            self.boot(number)

    def perform(self, request: Request) -> Reply:
        return self.store.perform(request, EPOCH_S + self.now_s)

    def boot(self, number: int) -> None:
        member = self.members[number]
        member.boot()
        assert member.talk is not None
        member.desk.now_s = member.local_s(self.now_s)
        self.pending[number] = next(member.talk)

    def crash(self, number: int) -> None:
        self.members[number].talk = None
        self.members[number].desk.ends_s = float("inf")
        self.pending.pop(number, None)

    def step(self, number: int, reply: Reply | None = None) -> None:
        """Let a member's request be answered: by the store, or as given."""
        member, request = self.members[number], self.pending.get(number)
        if request is None or member.talk is None:
            return
        over = member.desk.now_s < member.desk.ends_s <= member.local_s(self.now_s)  # its job has just ended
        member.desk.now_s = member.local_s(self.now_s)
        answer = reply if reply is not None else self.perform(request)
        if isinstance(request, Wait):
            if member.desk.now_s < request.until_s and not over and not member.desk.unsent_jobs:
                return
            answer = Reply(Status.OK, 0.0)
        answer.now_s = member.desk.now_s
        self.pending[number] = member.talk.send(answer)

    def until_write(self, number: int) -> None:
        """Let a member go on to where it is about to write into a job's log, or has nothing to do."""
        for _ in range(60):
            request = self.pending.get(number)
            if request is None or (isinstance(request, Put) and request.key.startswith(self.keys.queue)):
                return
            self.step(number)
            if self.pending.get(number) is request:
                return

    def lose(self, number: int, *, applied: bool) -> None:
        """The answer is lost, or already the request."""
        request = self.pending.get(number)
        if request is None or isinstance(request, Wait):
            return
        if applied:
            self.perform(request)
        self.step(number, Reply(Status.LOST, 0.0))

    def delay(self, number: int) -> None:
        """A write hangs in the network; the client gives up."""
        request = self.pending.get(number)
        if isinstance(request, Put):
            self.late.append(request)
            self.step(number, Reply(Status.LOST, 0.0))

    def arrive(self, index: int) -> None:
        if self.late:
            self.perform(self.late.pop(index % len(self.late)))

    def run(self, seconds: float) -> None:
        """Everything works for a while: from one thing that is due to the next."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            next_s = end_s
            for number in list(self.pending):
                for _ in range(60):
                    request = self.pending[number]
                    self.step(number)
                    if self.pending[number] is request:
                        break
                next_s = min(next_s, self._due_s(number))
            self.now_s = max(next_s, self.now_s + 0.5)

    def _due_s(self, number: int) -> float:
        """The true time until which a member waits."""
        member, request = self.members[number], self.pending[number]
        if not isinstance(request, Wait):
            return self.now_s
        return member.true_s(member.desk.next_event_s(request.until_s))

    # --- looking and forging ---------------------------------------------------------------------------------------

    def logs(self) -> dict[str, list[Slot]]:
        """All job logs; they only grow."""
        if self._logs[0] != len(self.store):
            self._logs = len(self.store), self._all_logs()
        return self._logs[1]

    def _all_logs(self) -> dict[str, list[Slot]]:
        found: dict[str, list[Slot]] = {}
        for row in self.perform(List(self.keys.queue, "", 100_000)).rows:
            place = self.keys.parse_slot(row.key)
            assert place is not None
            found.setdefault(place[0], []).append(Slot(self.perform(Get(row.key)).body, row.written_s))
        return found

    def read(self, job: str) -> JobLog:
        return joblog.read(self.roster, job, self.logs()[job])

    def entries(self, job: str) -> list[Entry]:
        found = []
        for slot in self.logs()[job]:
            try:
                found.append(decode(self.roster.open(slot.sealed)[0]))
            except Untrusted:  # rubbish that the test wrote
                continue
        return found

    def put(self, job: str, slot: int, sealed: bytes) -> None:
        assert self.perform(Put(self.keys.slot(job, slot), sealed, create=True)).status is Status.OK
