"""How does a job look from outside? Rows of the store as the shapes that the API speaks."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from appliance import attempts, facts, waiting
from appliance.errors import NotFound
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.shapes import JobPage, JobView, QueueView
from appliance.store import ALL, Job, Search, Store
from appliance.ulid import is_valid
from appliance.waiting import Line
from appliance.webui import job_files

#: How many waiting jobs a queue view names; the rest is a number.
QUEUE_SHOWN: Final = 50


@dataclass(frozen=True)
class Lens:
    """Where and when one looks, and with which time limit jobs run."""

    paths: Paths
    limit_s: float
    now_s: float

    def line(self, store: Store) -> Line:
        """Everything that waits or is worked on."""
        return Line(store.queue(), store.active(), self.limit_s, store.fact(facts.QUEUE_HOLD))

    def job(self, job: Job, line: Line) -> JobView:
        """One job."""
        description = waiting.describe(job, line, self.now_s)
        return JobView(
            id=job.id,
            state=job.state,
            reason=job.reason,
            sentence=_sentence(job, description.sentence),
            position=description.position,
            eta_s=None if description.eta_s is None else round(description.eta_s, 1),
            attempt=job.attempt,
            name=job.name,
            submitter=job.submitter,
            source_kind=job.source_kind,
            source=job.source,
            ref=job.ref,
            commit_id=job.commit_id,
            image=job.image,
            priority=job.priority,
            submitted_at=job.submitted_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
            limit_s=self.limit_s if job.lease_s is None else job.lease_s,
            exit_code=job.exit_code,
            steps=job.steps,
            missed_steps=job.missed_steps,
            residual=job.residual,
            has_bundle=job.state.is_final
            and job.cleared_at is None
            and attempts.results_folder(self.paths, job) is not None,
            log_bytes=job_files.size_bytes(job_files.log_file(self.paths, job)),
            notes=_notes(job),
            preflight=job.preflight,
            pinned=job.pinned,
            cleared_at=job.cleared_at,
            place=job.place,
            standard_return=job.standard_return,
            board_name=job.board_name,
        )


def find(store: Store, job_id: str) -> Job:
    """A job by an id that came over the network. Raises NotFound."""
    if not is_valid(job_id):
        raise NotFound("There is no such job. See the list of jobs for their ids.")
    return store.get(job_id)


def one(store: Store, lens: Lens, job_id: str) -> JobView:
    """A job by an id that came over the network. Raises NotFound."""
    return lens.job(find(store, job_id), lens.line(store))


def changed(store: Store, lens: Lens, changes: Mapping[str, int]) -> list[tuple[int, JobView]]:
    """(number of the event, job) for each id in `changes`; one that is no longer there, or is no legal row, is left out."""
    line = lens.line(store)
    views = []
    for job_id, seq in changes.items():
        with contextlib.suppress(NotFound):
            views.append((seq, lens.job(store.get(job_id), line)))
    return views


def page(store: Store, lens: Lens, limit: int, before: str, search: Search = ALL) -> JobPage:
    """The newest jobs, older than the id `before` if one is given."""
    rows = store.recent(limit + 1, before, search)
    line = lens.line(store)
    views = [lens.job(job, line) for job in rows[:limit]]
    return JobPage(jobs=views, total=store.count(search), next=views[-1].id if len(rows) > limit else None)


def queue(store: Store, lens: Lens) -> QueueView:
    """What is worked on, and what waits."""
    line = lens.line(store)
    # Whoever has the robot comes first; the next one's preparation is worth less of a look.
    active = sorted(line.active, key=lambda job: job.state is State.PREPARING)
    paused_by = store.fact(facts.QUEUE_PAUSED)
    return QueueView(
        paused=bool(paused_by),
        paused_by=paused_by,
        length=len(line.queue),
        active=[lens.job(job, line) for job in active],
        waiting=[lens.job(job, line) for job in line.queue[:QUEUE_SHOWN]],
    )


def _notes(job: Job) -> list[str]:
    notes = job.notes.splitlines()
    if job.cleared_at is not None:
        when = datetime.fromtimestamp(job.cleared_at, UTC).strftime("%Y-%m-%d")
        notes.append(
            f"The data of this run were cleared on {when} to make room on the disk. Pin a job to keep its data."
        )
    return notes


def _sentence(job: Job, sentence: str) -> str:
    if job.cancel_requested and not job.state.is_final:
        return "Being cancelled."
    if job.state is State.CANCELLED and job.reason is Reason.EMERGENCY_STOP:
        return job.detail or "Cancelled by an emergency stop."
    return sentence
