"""The control lines: every request and reply fits in a line and survives it; each has its right."""

from __future__ import annotations

import contextlib
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime import control
from appliance.realtime.control import MAX_LINE_BYTES, RIGHTS, Reply, Request

words = st.text(max_size=50)
requests = st.one_of(
    st.builds(control.Stop, words, words),
    st.builds(control.Resume, words),
    st.builds(control.Status),
    st.builds(control.Settle, st.floats(0, 300)),
    st.builds(control.Arm, words, words, st.floats(0, 600), st.integers(0, 1 << 31)),
    st.builds(control.Start, words),
    st.builds(control.Lease, words),
    st.builds(control.Disarm, words),
)


@given(requests)
def test_requests_fit_in_a_line_and_survive_it(request: Request) -> None:
    line = msgspec.json.encode(request)
    assert b"\n" not in line
    assert len(line) < MAX_LINE_BYTES
    assert control.decode_request(line) == request


@given(st.builds(Reply, error=words, stop_who=words, stop_why=words))
def test_replies_fit_in_a_line_and_survive_it(reply: Reply) -> None:
    line = msgspec.json.encode(reply)
    assert b"\n" not in line
    assert len(line) < MAX_LINE_BYTES
    assert msgspec.json.decode(line, type=Reply) == reply


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_decode_error(line: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        control.decode_request(line)


@pytest.mark.parametrize("kind", get_args(Request), ids=lambda kind: kind.__name__)
def test_every_request_has_a_right_that_allows_it(kind: type[msgspec.Struct]) -> None:
    allowed = {right for right, kinds in RIGHTS.items() if kind in kinds}
    assert len(allowed) == (len(RIGHTS) if kind is control.Status else 1)


def test_stopping_and_resuming_are_different_rights() -> None:
    assert not any({control.Stop, control.Resume} <= set(kinds) for kinds in RIGHTS.values())
