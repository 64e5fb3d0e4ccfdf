"""What is a simulated appliance? The real agent, at a desk that is made of a few numbers, with a clock of its own."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from appliance.federation.agent import Agent
from appliance.federation.desk import Finished, Held, Progress, Submission
from appliance.federation.entries import INLINE_BYTES, Archive, File, Outcome, Spec
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.keys import Keys
from appliance.federation.search import Search
from appliance.federation.signing import Identity, Roster
from appliance.federation.simulation.settings import Settings
from appliance.federation.station import Station

if TYPE_CHECKING:
    from appliance.federation.requests import Talk

RESULT_BYTES = 200_000


class SimulatedDesk:
    """The local side of one appliance. What stands in fields survives a crash, as SQLite would, except the running job."""

    def __init__(self, settings: Settings, rng: random.Random) -> None:
        self._settings, self._rng = settings, rng
        self.now_s = 0.0  # local monotonic clock, set before each turn
        self.ends_s = float("inf")
        self.robot = "pendulum"
        self._held: Held | None = None
        self._until_s = float("inf")
        self._broken = ""
        self.unsent_jobs: deque[Submission] = deque()
        self.out: dict[str, Submission] = {}
        self._count = 0
        self.delivered: dict[int, str] = {}
        self.committed: list[str] = []
        self.overtaken: list[str] = []
        self.starts: list[tuple[str, int]] = []
        self.complaints: list[str] = []

    # --- the seam -----------------------------------------------------------------------------------------------

    def idle(self) -> bool:
        """Whether the robot is free for the fleet, and the owner's rules allow it now."""
        return self._held is None

    def fits(self, spec: Spec) -> bool:
        """Whether this robot meets a job's needs, and its owner takes jobs of this submitter."""
        return spec.needs.robot == self.robot

    def held(self) -> Held | None:
        """The job that is held, or may be."""
        return self._held

    def hold(self, held: Held) -> None:
        """Remember a claim, before it is sent and again when it is sure."""
        self._held = held

    def let_go(self, why: str) -> None:
        """Forget the held job: it is done, given back, or somebody else's."""
        assert self._held is not None
        finished = self.finished()
        if finished is not None and finished.outcome is not None:
            (self.overtaken if why else self.committed).append(self._held.job)
        self._held, self.ends_s, self._broken = None, float("inf"), ""

    def start(self, held: Held, spec: Spec, archive: str) -> None:
        """Run the held job; its archive (unless inline) has been downloaded to `archive`."""
        if (held.job, held.token) in self.starts[-1:]:
            self._broken = "The appliance restarted while it ran."
            return
        self.starts.append((held.job, held.token))
        self._broken = ""
        self.ends_s = self.now_s + self._rng.uniform(*self._settings.run_s)

    def extend(self, until_s: float) -> None:
        """The held job may be acted on until then, on the local monotonic clock."""
        self._until_s = until_s

    def stop(self) -> None:
        """The lease is lost: end the held job's program now."""
        if self.now_s < self.ends_s:
            self._broken = "The lease was lost while it ran."

    def finished(self) -> Finished | None:
        """What became of the held job; None while it runs."""
        if self._broken:
            return Finished(None, self._broken)
        if self._held is None or self.now_s < self.ends_s:
            return None
        digest = hashlib.sha256(self._held.sealed).hexdigest()
        file = File("bundle.zip", digest, RESULT_BYTES)
        return Finished(Outcome("succeeded", exit_code=0, steps=1000), files=((file, digest),))

    def live_s(self) -> float:
        """How often its submitter wants to hear of the held job while it is here; 0: never."""
        return 0.0

    def progress(self) -> Progress | None:
        """How the held job is; None before it is here."""
        return None

    def unsent(self) -> Submission | None:
        """A submission that the fleet doesn't have yet."""
        return self.unsent_jobs[0] if self.unsent_jobs else None

    def name(self, number: int, job: str, sealed: bytes) -> None:
        """Remember under which name a submission is sent, before it is."""
        self.unsent_jobs[0] = replace(self.unsent_jobs[0], job=job, sealed=sealed)

    def sent(self, number: int) -> None:
        """The fleet has it."""
        own = self.unsent_jobs.popleft()
        self.out[own.job] = own

    def waiting(self) -> list[Submission]:
        """Submissions that the fleet has and whose result isn't here, by name."""
        return list(self.out.values())

    def unwanted(self) -> frozenset[str]:
        """Those of `waiting` that their submitters have cancelled."""
        return frozenset()

    def saw(self, job: str, phase: Phase, holder: str) -> None:
        """What a look at the fleet showed of a waiting job."""

    def show(self, job: str, holder: str, progress: Progress) -> None:
        """How a waiting job is where it runs, by its holder's word."""

    def deliver(self, log: JobLog, files: dict[str, str]) -> None:
        """The end of a waiting job; `files` are local paths by name. The same end may come twice."""
        own = self.out.pop(log.job, None)
        if own is not None:
            self.delivered[own.number] = log.job

    def place(self, name: str) -> str:
        """A local path to download to."""
        return name

    def complain(self, who: str, text: str) -> None:
        """Somebody broke the fleet's rules, or the fleet can't be used."""
        self.complaints.append(text)

    def next_event_s(self, until_s: float) -> float:
        """When a wait until then ends: earlier, if the job ends meanwhile."""
        return min(until_s, self.ends_s) if self.ends_s > self.now_s else until_s

    # --- the simulation's side ------------------------------------------------------------------------------------

    def submit(self, count: int) -> None:
        """Somebody submits jobs here."""
        for _ in range(count):
            self._count += 1
            body = self._rng.randbytes(16)
            size = self._settings.archive_bytes
            inline = body if size <= INLINE_BYTES else b""
            archive = Archive(hashlib.sha256(body).hexdigest(), size, inline)
            spec = Spec(fleet="", job="", slot=0, prev="", by="", nonce="", archive=archive, name="simulated")
            self.unsent_jobs.append(Submission(self._count, spec, "archive"))

    @property
    def is_settled(self) -> bool:
        """Whether everything that was submitted here has come back, as far as it knows."""
        return not self.unsent_jobs and not self.out


class Member:
    """One appliance through its lives. `rate`, `offset_s`: how its monotonic clock runs."""

    def __init__(self, identity: Identity, roster: Roster, settings: Settings, seed: int, *, compacts: bool) -> None:
        self._identity, self._roster, self._settings, self._compacts = identity, roster, settings, compacts
        self.rng = random.Random(seed)
        self.rate = 1.0 + self.rng.uniform(-1, 1) * settings.faults.drift
        self.offset_s = self.rng.uniform(0.0, 1e6)
        self.desk = SimulatedDesk(settings, self.rng)
        self.talk: Talk[None] | None = None
        self._searches: list[Search] = []
        self.turn = 0  # number of its present event; older ones in the heap are void
        self.waits = False
        self.paused_until_s = 0.0
        self.cut_off: list[tuple[float, float]] = []

    @property
    def who(self) -> str:
        """Its name."""
        return self._identity.who

    @property
    def is_up(self) -> bool:
        """Whether its agent runs."""
        return self.talk is not None

    def local_s(self, true_s: float) -> float:
        """Its clock at the true time."""
        return self.offset_s + true_s * self.rate

    def true_s(self, local_s: float) -> float:
        """The true time when its clock shows this."""
        return (local_s - self.offset_s) / self.rate

    def boot(self) -> None:
        """Start the agent with nothing but what was durable."""
        station = Station(
            self._identity, self._roster, Keys(self._roster.fleet), self._settings.timing, self.desk, self.rng
        )
        agent = Agent(station, compacts=self._compacts)
        self._searches.append(agent.search)
        self.talk = agent.life()

    @property
    def looks(self) -> int:
        """How often it looked for work, in all its lives."""
        return sum(search.looks for search in self._searches)
