"""How do jobs of this appliance get into the fleet, and what do their pages show? Rows of `fleet_sent` and `job`, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from appliance.federation import returning
from appliance.federation.desk import Progress, Submission
from appliance.federation.entries import INLINE_BYTES, Archive, Done, Fail, Needs, Outcome, Spec, Steal
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.ledger import Ledger, Sent
from appliance.federation.wish import Wish
from appliance.jobs import ACTIVE, FINAL, Reason, State
from appliance.paths import Paths
from appliance.running import results
from appliance.store import Job, Store
from appliance.terminal import line

#: More of a far job's output isn't kept while it runs; the bundle brings it all.
_MOST_LOG_BYTES: Final = 4 << 20
_SHOWN_STATES: Final = frozenset(str(state) for state in ACTIVE)


class Outbox:
    """Jobs that are away."""

    def __init__(
        self, ledger: Ledger, store: Store, paths: Paths, complain: Callable[[str, str], None],
        now_s: Callable[[], float], limit_s: float,
    ) -> None:  # fmt: skip
        self._ledger, self._store, self._paths = ledger, store, paths
        self._complain, self._now_s, self._limit_s = complain, now_s, limit_s
        self._heard: dict[str, int] = {}  # how much of a far log is in the file here

    # --- there --------------------------------------------------------------------------------------------------------

    def unsent(self) -> Submission | None:
        """The oldest submission that the fleet doesn't have yet."""
        for row in self._ledger.sent("new"):
            job = self._store.get(row.local_id)
            if not row.job and (job.cancel_requested or job.state.is_final):  # or its repository can't be fetched
                self._end(row, State.CANCELLED, Reason.BY_USER, "Cancelled before it was sent.")
                continue
            if not row.spec:
                if job.source_kind == "git" and not job.commit_id:
                    continue  # the runner fetches it
                spec = self._specified(row, job)
                if spec is None:
                    continue
                self._ledger.specify(row.number, msgspec.json.encode(spec))
                return self.unsent()
            return submission(row, self._paths)
        return None

    def _specified(self, row: Sent, job: Job) -> Spec | None:
        """What the fleet is asked for; None if there is nothing to send."""
        upload, wish = self._paths.upload(job.id), msgspec.json.decode(row.wish, type=Wish)
        try:
            with upload.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = upload.stat().st_size
            inline = upload.read_bytes() if size <= INLINE_BYTES else b""
        except OSError:
            self._end(row, State.FAILED, Reason.BAD_SOURCE, "The uploaded archive is gone. Submit it again.")
            return None
        needs = Needs(tags=wish.tags, counts_per_turn=wish.counts_per_turn, image=job.image)
        return Spec(
            fleet="", job="", slot=0, prev="", by="", nonce="", archive=Archive(digest, size, inline), name=job.name,
            submitter=job.submitter.partition("@")[0], needs=needs, priority=wish.priority, limit_s=self._limit_s,
            live_s=wish.live_s,
        )  # fmt: skip

    def sent(self, number: int) -> None:
        """The fleet has it."""
        self._ledger.advance(number, "sent")
        row = next(row for row in self._ledger.sent("sent") if row.number == number)
        self._store.follow(row.local_id, self._now_s(), detail="In the fleet's queue; an idle robot will take it.")

    # --- under way ----------------------------------------------------------------------------------------------------

    def saw(self, job: str, phase: Phase, holder: str) -> None:
        """The log's word. A holder that tells nothing is taken to drive."""
        row = self._ledger.by_job(job)
        if row is None:
            return
        wish = msgspec.json.decode(row.wish, type=Wish)
        if phase is Phase.OPEN:
            text = "In the fleet's queue; an idle robot will take it."
            self._store.follow(row.local_id, self._now_s(), state=State.QUEUED, detail=text, started_at=None)
        elif phase is Phase.HELD and (not wish.live_s or self._store.get(row.local_id).state is State.QUEUED):
            state = State.PREPARING if wish.live_s else State.RUNNING
            text = f"{line(holder) or 'Another appliance'} has taken it."
            self._store.follow(row.local_id, self._now_s(), state=state, detail=text)

    def show(self, job: str, holder: str, progress: Progress) -> None:
        """The holder's word: its state, since when, and what it has printed."""
        row = self._ledger.by_job(job)
        if row is None or progress.state not in _SHOWN_STATES:
            return
        now_s = self._now_s()
        fields: dict[str, object] = {
            "state": State(progress.state),
            "detail": _SENTENCES[progress.state].format(holder),
        }
        if progress.for_s is not None and self._store.get(row.local_id).started_at is None:
            fields["started_at"] = now_s - progress.for_s
        self._append(row.local_id, progress)
        self._store.follow(row.local_id, now_s, **fields)

    def _append(self, local_id: str, progress: Progress) -> None:
        """Add what is new to the output here; what came too fast to be told is marked as left out."""
        path = self._paths.away(local_id) / results.OUTPUT
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            known = self._heard.setdefault(local_id, file.tell())
            begin = progress.log_bytes - len(progress.tail)
            new = progress.tail[max(0, known - begin) :]
            if not new or progress.log_bytes <= known or file.tell() > _MOST_LOG_BYTES:
                return
            if begin > known:
                file.write(b"\n[... %d bytes: in the results ...]\n" % (begin - known))
            file.write(new)
        self._heard[local_id] = progress.log_bytes

    # --- and back -----------------------------------------------------------------------------------------------------

    def deliver(self, log: JobLog, files: dict[str, str]) -> None:
        """Bring the end home: results first, then the job's state."""
        row = self._ledger.by_job(log.job)
        if row is None:
            return
        for name, path in files.items():
            if name == results.BUNDLE:
                try:
                    returning.unpack(Path(path), self._paths.away(row.local_id))
                except returning.BadBundle as error:
                    self._complain(log.ended_by, f"The results of job {log.job} were refused: {error}.")
        self._close(row, log)
        for path in files.values():
            Path(path).unlink(missing_ok=True)

    def _close(self, row: Sent, log: JobLog) -> None:
        ending, who = log.ending, line(log.ended_by)
        if isinstance(ending, Done):
            self._end_as(row, ending.outcome, who)
        elif isinstance(ending, Fail | Steal):
            text = f": {line(ending.detail)}" if isinstance(ending, Fail) and ending.detail else "."
            self._end(
                row, State.FAILED, Reason.INTERRUPTED, f"Given up after {log.attempts} attempts in the fleet{text}"
            )
        else:
            self._end(row, State.CANCELLED, Reason.BY_USER, "Cancelled.")

    def _end_as(self, row: Sent, outcome: Outcome, who: str) -> None:
        """As its holder says; a state or reason that we don't know is a failure."""
        known = outcome.state in {str(state) for state in FINAL} and outcome.reason in {str(r) for r in Reason}
        state = State(outcome.state) if known else State.FAILED
        reason = Reason(outcome.reason) if known else Reason.INTERNAL_ERROR
        detail = f"Ran on {who}. {line(outcome.detail)}".strip()
        # Its clock isn't ours: the length of the run counts, and that it is over now.
        started = self._store.get(row.local_id).started_at
        if started is None and outcome.started_at is not None and outcome.ended_at is not None:
            started = self._now_s() - min(max(0.0, outcome.ended_at - outcome.started_at), 3600.0)
        fields = {"exit_code": outcome.exit_code, "steps": outcome.steps, "missed_steps": outcome.missed_steps}
        self._end(row, state, reason, detail, started_at=started, **fields)

    def _end(self, row: Sent, state: State, reason: Reason, detail: str, **fields: object) -> None:
        now_s = self._now_s()
        if not self._store.get(row.local_id).state.is_final:
            self._store.follow(row.local_id, now_s, state=state, reason=reason, detail=detail, ended_at=now_s, **fields)
        self._ledger.advance(row.number, "home")
        self._heard.pop(row.local_id, None)


_SENTENCES: Final = {
    "preparing": "{} is getting the program ready.",
    "waiting_for_robot": "The pendulum at {} is coming to rest.",
    "running": "run.py is driving the robot at {}.",
    "collecting": "{} is writing the results.",
}


def submission(row: Sent, paths: Paths) -> Submission:
    """A row as planning knows it."""
    spec = msgspec.json.decode(row.spec, type=Spec)
    return Submission(row.number, spec, str(paths.upload(row.local_id)), row.job, row.sealed)
