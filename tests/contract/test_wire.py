"""The job's messages: every message survives the wire, and nothing else is ever taken for one."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gym_raas import wire

u32, u64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
i64 = st.integers(-(1 << 63), (1 << 63) - 1)
numbers = st.floats(width=64)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)

requests = st.one_of(
    st.builds(wire.Hello, u64),
    st.builds(wire.Action, u32, numbers),
    st.builds(wire.Read, u32),
    st.builds(wire.Reset, u32, st.sampled_from(wire.ResetMode)),
    st.builds(wire.Bye),
)
replies = st.one_of(
    st.builds(
        wire.Welcome, numbers, numbers, u32, numbers, st.text("0123456789abcdef", min_size=16, max_size=16),
        st.text("abcdefgh", max_size=16),
    ),
    st.builds(
        wire.Sample, u32, u32, u32, u64, i64, numbers, numbers, numbers, numbers, numbers, numbers, u32
    ),
    st.builds(wire.Refused, u32, st.sampled_from(wire.Refusal), texts),
)  # fmt: skip


def same(one: object, other: object) -> bool:
    """Equal, also where a number is NaN."""
    assert dataclasses.is_dataclass(one)
    assert dataclasses.is_dataclass(other)
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return type(one) is type(other) and all(a == b or (a != a and b != b) for a, b in pairs)


@given(requests)
def test_requests_survive_the_wire(message: wire.Request) -> None:
    data = message.pack()
    assert len(data) <= wire.MAX_MESSAGE_BYTES
    assert same(wire.parse_request(data), message)


@given(replies)
def test_replies_survive_the_wire(message: wire.Reply) -> None:
    data = message.pack()
    assert len(data) <= wire.MAX_MESSAGE_BYTES
    assert same(wire.parse_reply(data), message)


@given(st.one_of(st.binary(max_size=300), requests.map(lambda message: message.pack())), st.binary(max_size=3))
@example(b"RW\x01", b"")
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes, more: bytes) -> None:
    for parse in (wire.parse_request, wire.parse_reply):
        with contextlib.suppress(wire.WireError):
            message = parse(data + more)
            assert len(message.pack()) == len(data + more)


@given(requests, st.data())
def test_a_damaged_request_is_refused_or_still_a_whole_request(message: wire.Request, data: st.DataObject) -> None:
    damaged = bytearray(message.pack())
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.WireError):
        assert len(wire.parse_request(bytes(damaged)).pack()) == len(damaged)


@given(requests, replies)
def test_nobody_mistakes_a_question_for_an_answer(request: wire.Request, reply: wire.Reply) -> None:
    with pytest.raises(wire.WireError):
        wire.parse_reply(request.pack())
    with pytest.raises(wire.WireError):
        wire.parse_request(reply.pack())


@given(st.text(max_size=400))
def test_a_refusal_of_any_length_fits_and_stays_readable(text: str) -> None:
    refused = wire.parse_reply(wire.Refused(1, wire.Refusal.BUSY, text.replace("\0", "")).pack())
    assert isinstance(refused, wire.Refused)
    assert "\ufffd" not in refused.text or "\ufffd" in text


def test_another_version_is_told_to_update() -> None:
    data = bytearray(wire.Bye().pack())
    data[2] = wire.VERSION + 1
    with pytest.raises(wire.WireError, match="update gym_raas"):
        wire.parse_request(bytes(data))


def test_numbers_are_not_judged_here() -> None:
    message = wire.parse_request(wire.Action(1, math.nan).pack())
    assert isinstance(message, wire.Action)
    assert math.isnan(message.action)


def test_the_socket_in_the_cell_has_a_path_that_unix_allows() -> None:
    assert len(str(Path(wire.JOB_SOCKET_DIR) / wire.SOCKET_NAME)) <= 107
