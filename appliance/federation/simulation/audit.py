"""Was every job committed exactly once? Reads what stands in the bucket at the end, and what the members believe.

This is the only part of a simulation that sees everything, and nothing that it sees reaches a member.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.federation import entries, joblog
from appliance.federation.entries import Claim, Done, Entry
from appliance.federation.joblog import Phase, Slot
from appliance.federation.keys import Keys
from appliance.federation.model_store import ModelStore
from appliance.federation.requests import Get, List
from appliance.federation.signing import Roster
from appliance.federation.simulation.member import Member

_MOST_SAID = 20


@dataclass
class Audit:
    """Adds up job logs. waits_s: from a specification to its first claim."""

    roster: Roster
    keys: Keys
    jobs: int = 0
    commits: int = 0
    given_up: int = 0
    claims: int = 0
    steals: int = 0
    waits_s: list[float] = field(default_factory=list)
    ended_by: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def take(self, objects: Iterable[tuple[str, bytes, float]]) -> None:
        """Judge whole logs: names, bytes and times in the order of names."""
        slots = ((place, Slot(body, at_s)) for key, body, at_s in objects if (place := self.keys.parse_slot(key)))
        for job, group in itertools.groupby(slots, key=lambda item: item[0][0]):
            self._judge(job, [slot for _, slot in group])

    def everything(self, store: ModelStore, at_s: float) -> None:
        """Judge all logs of a store."""
        self.take(_objects(store, self.keys.queue, at_s))

    def _judge(self, job: str, slots: list[Slot]) -> None:
        log = joblog.read(self.roster, job, slots)
        found = [self._entry(slot) for slot in slots]
        self.jobs += 1
        self.claims += sum(isinstance(entry, Claim) for entry in found)
        self.steals += sum(isinstance(entry, entries.Steal) for entry in found)
        if len(slots) > 1:
            self.waits_s.append(slots[1].written_s - slots[0].written_s)
        if log.problems:
            self._violation(f"{job} has refused entries though nobody forges: {log.problems[0].text}")
        if sum(isinstance(entry, Done) for entry in found) > 1:
            self._violation(f"{job} was committed twice")
        if log.phase is Phase.ENDED:
            self.commits += 1
            self.given_up += not isinstance(log.ending, Done)
            self.ended_by[job] = log.ended_by if isinstance(log.ending, Done) else ""
        else:
            self.lost.append(job)
            self._violation(f"{job} is lost: {log.phase} after {len(slots)} slots, held by '{log.holder}'")

    def _entry(self, slot: Slot) -> Entry:
        return entries.decode(self.roster.open(slot.sealed)[0])

    def _violation(self, text: str) -> None:
        self.violations.append(text)

    def believed(self, members: list[Member], gone: set[str]) -> int:
        """Compare with what members believe; returns how many jobs more than one committed, or committed in vain."""
        beliefs = Counter(job for member in members for job in member.desk.committed)
        doubles = [job for job, count in beliefs.items() if count > 1]
        for job in doubles:
            self._violation(f"{beliefs[job]} members believe that they committed {job}")
        for member in members:
            for job in member.desk.committed:
                if self.ended_by.get(job, member.who) != member.who:
                    doubles.append(job)
                    self._violation(f"{member.who} believes that it committed {job}; the log says {self.ended_by[job]}")
            if member.who not in gone and not member.desk.is_settled:
                missing = [own.job or "an unsent one" for own in (*member.desk.unsent_jobs, *member.desk.out.values())]
                self.lost.extend(missing)
                self._violation(f"{member.who} still waits for {len(missing)} of its jobs: {missing[0]}")
            self._delivered(member)
        return len(doubles)

    def _delivered(self, member: Member) -> None:
        names = list(member.desk.delivered.values())
        if len(set(names)) < len(names):
            self._violation(f"{member.who} got one result for two jobs")

    def said(self) -> list[str]:
        """The first violations."""
        return self.violations[:_MOST_SAID]


def _objects(store: ModelStore, prefix: str, at_s: float) -> Iterable[tuple[str, bytes, float]]:
    after = ""
    while True:
        page = store.perform(List(prefix, after, 5000), at_s)
        for row in page.rows:
            reply = store.perform(Get(row.key), at_s)
            yield row.key, reply.body, row.written_s
        if not page.truncated:
            return
        after = page.rows[-1].key
