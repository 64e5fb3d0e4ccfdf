"""Does the page stay quick when there is much to list? The real web process over a database with 10,000 ended jobs."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance import ulid
from appliance.jobs import Reason, State
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import furnish

JOBS = 10_000
ROUNDS = 100
ADDRESSES = ("/jobs", "/jobs?q=swing&state=ended", "/jobs?q=nobody%20has%20this", "/api/jobs", "/api/queue", "/")
_FIRST_S = 1_700_000_000.0
_ENDS = (
    (State.SUCCEEDED, Reason.NONE), (State.SUCCEEDED, Reason.NONE), (State.FAILED, Reason.EXIT_CODE), (State.TIMED_OUT, Reason.TIME_LIMIT),
)  # fmt: skip


@dataclass(frozen=True)
class Answering:
    """How long one address took, ms: percentiles 50, 95, 100."""

    address: str
    ms: tuple[float, float, float]


def measure(jobs: int = JOBS, rounds: int = ROUNDS) -> list[Answering]:
    """Ask each address in turn, each time on a connection of its own."""
    with set_stage() as stage:
        furnish(stage)
        fill(stage.paths.database, jobs)
        taken: dict[str, list[float]] = {address: [] for address in ADDRESSES}
        with stage.serve() as web:
            for _ in range(rounds):
                for address in ADDRESSES:
                    started_s = time.monotonic()
                    answer = call(
                        web.port, "GET", address, headers={"Accept": "*/*" if "api" in address else "text/html"}
                    )
                    taken[address].append((time.monotonic() - started_s) * 1e3)
                    assert answer.status == 200, answer.body
    return [Answering(address, _parts(samples)) for address, samples in taken.items()]


def fill(database: Path, jobs: int) -> None:
    """Put ended jobs into a database, older than whatever is there."""
    rows = []
    for number in range(jobs):
        at_s = _FIRST_S + 600.0 * number
        state, reason = _ENDS[number % len(_ENDS)]
        name, source = f"swing-up, try {number}", f"https://example.org/lab-{number % 37}/pendulum.git"
        rows.append(
            (ulid.new(at_s), at_s, state, reason, name, f"person-{number % 50}@127.0.0.1", source, at_s, at_s + 120.0)
        )
    with closing(sqlite3.connect(database)) as db, db:
        db.executemany(
            "INSERT INTO job (id, queue_key, state, reason, name, submitter, source_kind, source, submitted_at, ended_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 'git', ?, ?, ?)",
            rows,
        )


def _parts(samples: list[float]) -> tuple[float, float, float]:
    p50, p95, longest = np.percentile(samples, [50, 95, 100])
    return float(p50), float(p95), float(longest)
