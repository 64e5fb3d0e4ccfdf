"""What does planning need of the appliance that it works for? The one seam between the agent and the local side.

On an appliance it is SQLite and the local queue (`service`), in a simulation a few numbers. What a desk is told to
remember is durable when the call returns: the agent may die between any two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from appliance.federation.entries import File, Outcome, Spec
from appliance.federation.joblog import JobLog, Phase


@dataclass(frozen=True)
class Held:
    """A job that this appliance has claimed. sealed: the claim's bytes. sure: whether it is known to stand in its slot."""

    job: str
    token: int
    sealed: bytes
    sure: bool = False


@dataclass(frozen=True)
class Finished:
    """What became of the held job. No outcome: it did not come to an end here, and `detail` says why."""

    outcome: Outcome | None
    detail: str = ""
    files: tuple[tuple[File, str], ...] = ()  # each with its local path


@dataclass(frozen=True)
class Submission:
    """A job of this appliance's own, for the fleet. job: empty until it has a name there. archive: local path."""

    number: int
    spec: Spec
    archive: str
    job: str = ""
    sealed: bytes = b""


@dataclass(frozen=True)
class Progress:
    """How the held job is. for_s: how long its program has run by now; None before. tail: the end of its output so far."""

    state: str
    for_s: float | None
    log_bytes: int
    tail: bytes


class Desk(Protocol):
    """The local side."""

    def idle(self) -> bool:
        """Whether the robot is free for the fleet, and the owner's rules allow it now."""

    def fits(self, spec: Spec) -> bool:
        """Whether this robot meets a job's needs, and its owner takes jobs of this submitter."""

    def held(self) -> Held | None:
        """The job that is held, or may be."""

    def hold(self, held: Held) -> None:
        """Remember a claim, before it is sent and again when it is sure."""

    def let_go(self, why: str) -> None:
        """Forget the held job: it is done, given back, or somebody else's."""

    def start(self, held: Held, spec: Spec, archive: str) -> None:
        """Run the held job; its archive (unless inline) has been downloaded to `archive`."""

    def extend(self, until_s: float) -> None:
        """The held job may be acted on until then, on the local monotonic clock."""

    def stop(self) -> None:
        """The lease is lost: end the held job's program now."""

    def finished(self) -> Finished | None:
        """What became of the held job; None while it runs."""

    def live_s(self) -> float:
        """How often its submitter wants to hear of the held job while it is here; 0: never."""

    def progress(self) -> Progress | None:
        """How the held job is; None before it is here."""

    def unsent(self) -> Submission | None:
        """A submission that the fleet doesn't have yet."""

    def name(self, number: int, job: str, sealed: bytes) -> None:
        """Remember under which name a submission is sent, before it is."""

    def sent(self, number: int) -> None:
        """The fleet has it."""

    def waiting(self) -> list[Submission]:
        """Submissions that the fleet has and whose result isn't here, by name."""

    def unwanted(self) -> frozenset[str]:
        """Those of `waiting` that their submitters have cancelled."""

    def saw(self, job: str, phase: Phase, holder: str) -> None:
        """What a look at the fleet showed of a waiting job."""

    def show(self, job: str, holder: str, progress: Progress) -> None:
        """How a waiting job is where it runs, by its holder's word."""

    def deliver(self, log: JobLog, files: dict[str, str]) -> None:
        """The end of a waiting job; `files` are local paths by name. The same end may come twice."""

    def place(self, name: str) -> str:
        """A local path to download to."""

    def complain(self, who: str, text: str) -> None:
        """Somebody broke the fleet's rules, or the fleet can't be used."""
