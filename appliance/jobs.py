"""Which states does a job have, and which way may it go? Pure rules: no clock, no file, no database.

    queued -> preparing -> waiting_for_robot -> running -> collecting -> succeeded | failed | timed_out | cancelled

A job caught by a crash before *running* goes back to the queue and has lost nothing. One caught in *running* (or
hit by a robot fault) is queued once more, at the front, as attempt 2; caught again it is failed, reason `interrupted`.
"""

from __future__ import annotations

import enum
from typing import Final

MAX_ATTEMPTS: Final = 2


class State(enum.StrEnum):
    """Where a job is; the last four are final."""

    QUEUED = "queued"
    PREPARING = "preparing"
    WAITING_FOR_ROBOT = "waiting_for_robot"
    RUNNING = "running"
    COLLECTING = "collecting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self in FINAL


FINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.CANCELLED})
ACTIVE: Final = frozenset({State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING})

_NEXT: Final[dict[State, frozenset[State]]] = {
    State.QUEUED: frozenset({State.PREPARING, State.CANCELLED, State.FAILED}),
    State.PREPARING: frozenset({State.WAITING_FOR_ROBOT, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.WAITING_FOR_ROBOT: frozenset({State.RUNNING, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.COLLECTING, State.QUEUED, State.FAILED, State.CANCELLED}),
    State.COLLECTING: FINAL | {State.QUEUED},
}


class Reason(enum.StrEnum):
    """Why a job is in its state, for programs; `waiting.describe()` says it to people."""

    NONE = ""
    BEHIND_OTHERS = "behind_others"  # queued: others are before it
    QUEUE_PAUSED = "queue_paused"  # queued: after an emergency stop, or by the owner
    ROBOT_UNAVAILABLE = "robot_unavailable"  # queued or waiting: no pigpiod, fault, out of service
    ENGINE_UNAVAILABLE = "engine_unavailable"  # queued: Docker doesn't answer
    DISK_FULL = "disk_full"  # queued: no room for results
    INTERRUPTED = "interrupted"  # crash, power cut or robot fault
    FETCHING = "fetching"  # preparing
    UNPACKING = "unpacking"  # preparing
    INSTALLING = "installing"  # preparing: what requirements.txt asks for
    TRYING = "trying"  # preparing: a few seconds on the simulation
    READY = "ready"  # preparing is done; the robot is busy with another job
    SETTLING = "settling"  # waiting for robot: the pendulum comes to rest
    NO_LEASE = "no_lease"  # a fleet's job: queued until its lease covers its time limit, failed when it was lost
    BAD_SOURCE = "bad_source"  # failed: see detail
    EXIT_CODE = "exit_code"  # failed: run.py ended with an error
    OUT_OF_MEMORY = "out_of_memory"  # failed
    TIME_LIMIT = "time_limit"  # timed out
    BY_USER = "by_user"  # cancelled
    CLIENT_GONE = "client_gone"  # a remote lease: the program that drove, or wanted to, has gone
    EMERGENCY_STOP = "emergency_stop"  # cancelled
    INTERNAL_ERROR = "internal_error"  # failed: a fault of the appliance's own


def may_follow(state: State, successor: State) -> bool:
    """Whether a job may go from `state` to `successor` in one transition."""
    return successor in _NEXT.get(state, frozenset())


def after_interruption(state: State, attempt: int) -> tuple[State, Reason, int]:
    """What becomes of a job that a crash, a power cut or a robot fault caught: (state, reason, attempt)."""
    if state.is_final:
        return state, Reason.NONE, attempt
    if state not in {State.RUNNING, State.COLLECTING}:
        return State.QUEUED, Reason.NONE, attempt
    if attempt < MAX_ATTEMPTS:
        return State.QUEUED, Reason.INTERRUPTED, attempt + 1
    return State.FAILED, Reason.INTERRUPTED, attempt
