"""What must survive a crash of the runner about a running attempt? A small file beside the attempt's folder.

Written when the robot is armed, so that a restarted runner finds the session's shared memory; and again, synced, with
the verdict before `collecting`, so that results are collected to the end instead of running the job again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from appliance import durable
from appliance.lease_shapes import NetworkTiming
from appliance.paths import Paths
from appliance.shapes import SelfTest


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. `session`: 16 hex digits. `state` is empty until the verdict stands. Times: s since the epoch."""

    session: str
    attempt: int
    settle_s: float = 0.0
    started_at: float | None = None
    ended_at: float = 0.0
    state: str = ""
    reason: str = ""
    detail: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    output_bytes: int = 0
    output_dropped_bytes: int = 0
    self_test_before: SelfTest | None = None
    self_test_after: SelfTest | None = None
    network: NetworkTiming | None = None


def path(paths: Paths, job_id: str, attempt: int) -> Path:
    """Where the record of an attempt stands while it isn't complete."""
    return paths.job(job_id) / f"attempt-{attempt}.json"


def save(paths: Paths, job_id: str, record: Record, *, sync: bool) -> None:
    """Write it, whole or not at all; `sync` makes it survive a power cut too."""
    durable.write(path(paths, job_id, record.attempt), msgspec.json.encode(record), sync=sync)


def load(paths: Paths, job_id: str, attempt: int) -> Record | None:
    """The record of an attempt; None if there is none that can be read."""
    try:
        return msgspec.json.decode(path(paths, job_id, attempt).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
