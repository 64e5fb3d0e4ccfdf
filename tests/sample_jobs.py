"""Jobs for tests, without a database."""

from __future__ import annotations

from typing import Any

from appliance import ulid
from appliance.jobs import Reason, State
from appliance.store import Job


def job(state: State = State.QUEUED, **changes: Any) -> Job:
    """A job with everyday values, except for `changes`."""
    values: dict[str, Any] = {
        "id": ulid.new(1.0), "queue_key": 1.0, "state": state, "reason": Reason.NONE, "detail": "", "name": "n",
        "submitter": "ann", "source_kind": "archive", "source": "a.zip", "ref": "", "commit_id": "c", "image": "standard",
        "priority": 0, "attempt": 1, "cancel_requested": False, "submitted_at": 1.0, "started_at": None, "ended_at": None,
        "exit_code": None, "steps": None, "missed_steps": None, "residual": None,
    }  # fmt: skip
    return Job(**(values | changes))
