"""How an attempt is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.jobs import Reason, State
from appliance.running.cell import Exit
from appliance.running.verdict import Cause, Evidence, SessionEnd, judge

ENDINGS = ["disarmed", "deadline", "lease", "stopped", "fault", "lost"]


def _evidence(cause: Cause, ending: str, code: int | None = 0, oom: bool = False, last: str = "") -> Evidence:
    exit_ = None if code is None else Exit(code, oom)
    return Evidence(cause, exit_, SessionEnd(ending, "stall", "ann", "smoke"), last, 120.0, 512)


def _signalled() -> Evidence:
    """As Docker Engine's end leaves it."""
    return replace(_evidence(Cause.EXITED, "disarmed"), exit=Exit(143, False, signalled=True))


@pytest.mark.parametrize(
    ("evidence", "state", "reason", "words"),
    [
        (_evidence(Cause.EXITED, "disarmed"), State.SUCCEEDED, Reason.NONE, ""),
        (
            _evidence(Cause.EXITED, "disarmed", 1, last="ValueError: x"),
            State.FAILED,
            Reason.EXIT_CODE,
            "1: ValueError: x",
        ),
        (_evidence(Cause.EXITED, "disarmed", 139), State.FAILED, Reason.EXIT_CODE, "by signal SIGSEGV"),
        (_evidence(Cause.EXITED, "disarmed", 250), State.FAILED, Reason.EXIT_CODE, "exit code 250"),
        (_evidence(Cause.EXITED, "disarmed", 137, oom=True), State.FAILED, Reason.OUT_OF_MEMORY, "512 MiB"),
        (_evidence(Cause.EXITED, "disarmed", 0, oom=True), State.SUCCEEDED, Reason.NONE, ""),
        (_evidence(Cause.DEADLINE, "deadline", 143), State.TIMED_OUT, Reason.TIME_LIMIT, "120 s"),
        (_evidence(Cause.DEADLINE, "disarmed", None), State.TIMED_OUT, Reason.TIME_LIMIT, "120 s"),
        (_evidence(Cause.EXITED, "deadline", 1), State.TIMED_OUT, Reason.TIME_LIMIT, "120 s"),
        (_evidence(Cause.CANCEL, "disarmed", 143), State.CANCELLED, Reason.BY_USER, "while it was running"),
        (_evidence(Cause.SESSION, "stopped", 137), State.CANCELLED, Reason.EMERGENCY_STOP, "by ann: smoke"),
        (_evidence(Cause.EXITED, "stopped", 1), State.CANCELLED, Reason.EMERGENCY_STOP, "by ann: smoke"),
        (_evidence(Cause.EXITED, "fault", 1), State.FAILED, Reason.INTERRUPTED, "stall"),
        (_evidence(Cause.SESSION, "lost", 137), State.FAILED, Reason.INTERRUPTED, "control went away"),
        (_evidence(Cause.EXITED, "lost", 0), State.SUCCEEDED, Reason.NONE, ""),
        (_evidence(Cause.EXITED, "lost", 1), State.FAILED, Reason.INTERRUPTED, "control went away"),
        (_evidence(Cause.SHUTDOWN, "disarmed", 137), State.FAILED, Reason.INTERRUPTED, "appliance was stopped"),
        (_signalled(), State.FAILED, Reason.INTERRUPTED, "from outside (SIGTERM)"),
        (_evidence(Cause.EXITED, "disarmed", 143), State.FAILED, Reason.EXIT_CODE, "by signal SIGTERM"),
        (_evidence(Cause.ENGINE, "disarmed", None), State.FAILED, Reason.INTERRUPTED, "Docker Engine"),
        (_evidence(Cause.EXITED, "disarmed", None), State.FAILED, Reason.INTERRUPTED, "Docker Engine"),
        (_evidence(Cause.SESSION, "disarmed", 137), State.FAILED, Reason.INTERRUPTED, "from outside"),
    ],
)
def test_each_end_has_its_verdict(evidence: Evidence, state: State, reason: Reason, words: str) -> None:
    verdict = judge(evidence)
    assert (verdict.state, verdict.reason) == (state, reason)
    assert words in verdict.detail


@given(
    st.sampled_from(Cause),
    st.sampled_from(ENDINGS),
    st.one_of(st.none(), st.integers(0, 255)),
    st.booleans(),
    st.text(),
)
def test_every_end_is_judged_and_whatever_isnt_a_success_has_a_sentence(
    cause: Cause, ending: str, code: int | None, oom: bool, last: str
) -> None:
    verdict = judge(_evidence(cause, ending, code, oom, last))
    assert verdict.state.is_final
    assert verdict.detail or verdict.state is State.SUCCEEDED
    assert verdict.state is not State.SUCCEEDED or code == 0
