"""The datagrams between gateway, loop and guard: fixed sizes, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime import messages, orders
from appliance.realtime.messages import Command, DriverReply, DriverRequest, Notice

u8, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 32, 64))
i64 = st.integers(-(1 << 63), (1 << 63) - 1)
numbers = st.floats(allow_nan=False)
DATAGRAMS = {
    "request": (
        messages.pack_request,
        messages.unpack_request,
        st.builds(DriverRequest, u64, u32, u8, u8, u32, numbers),
    ),
    "reply": (messages.pack_reply, messages.unpack_reply, st.builds(DriverReply, u64, u32, st.binary(max_size=256))),
    "command": (messages.pack_command, messages.unpack_command, st.builds(Command, u32, u8, u64, numbers)),
    "notice": (
        messages.pack_notice,
        messages.unpack_notice,
        st.builds(Notice, u32, u8, u64, u32, i64, numbers, numbers, numbers),
    ),
}
Pack, Unpack = Callable[[object], bytes], Callable[[bytes], object]


@pytest.mark.parametrize(("pack", "unpack", "all_of_them"), DATAGRAMS.values(), ids=DATAGRAMS)
@given(data=st.data())
def test_datagrams_survive(
    pack: Pack, unpack: Unpack, all_of_them: st.SearchStrategy[object], data: st.DataObject
) -> None:
    message = data.draw(all_of_them)
    packed = pack(message)
    assert len(packed) <= messages.MAX_DATAGRAM_BYTES
    assert unpack(packed) == message


@pytest.mark.parametrize(("pack", "unpack", "all_of_them"), DATAGRAMS.values(), ids=DATAGRAMS)
@given(data=st.binary(max_size=60))
def test_other_bytes_raise_what_is_documented(
    pack: Pack, unpack: Unpack, all_of_them: st.SearchStrategy[object], data: bytes
) -> None:
    with contextlib.suppress(struct.error):
        assert pack(unpack(data)) is not None


all_orders = st.one_of(
    st.builds(orders.Open, u64, u32, st.floats(1.0, 600.0)),  # the limit comes from a checked configuration
    st.builds(orders.Over, u64, u8, st.text(max_size=160)),
    st.builds(orders.Close, u64),
)
all_answers = st.one_of(
    st.builds(orders.Ready), st.builds(orders.Opened, u64, st.text(max_size=200)), st.builds(orders.Closed, u64)
)


@given(all_orders, all_answers)
def test_orders_and_answers_survive_and_fit(order: orders.Order, answer: orders.Answer) -> None:
    assert orders.decode_order(orders.encode(order)) == order
    assert orders.decode_answer(orders.encode(answer)) == answer
    assert len(orders.encode(order)) <= orders.MAX_ORDER_BYTES


@given(st.binary(max_size=100))
def test_other_bytes_are_no_orders(data: bytes) -> None:
    for decode in (orders.decode_order, orders.decode_answer):
        with contextlib.suppress(msgspec.DecodeError):
            decode(data)
