from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.realtime import zmtp
from gym_raas import wire

DEALER = b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"


def command(name: bytes, data: bytes = b"") -> bytes:
    body = bytes((len(name),)) + name + data
    return bytes((4, len(body))) + body


READY = command(b"READY", DEALER + b"\x08Identity" + bytes(4))
OPENING = zmtp.GREETING + READY


def fed(data: bytes) -> tuple[zmtp.Connection, list[bytes], bytes]:
    """A connection after these bytes, the messages that came out, and what it answered."""
    connection, messages, replies = zmtp.Connection(), [], b""
    connection.feed(data)
    while True:
        message, reply = connection.next_message()
        replies += reply
        if message is None:
            return connection, messages, replies
        messages.append(message)


def test_a_dealer_is_welcome_and_its_messages_come_out() -> None:
    connection, messages, replies = fed(OPENING + zmtp.frame(b"one") + zmtp.frame(b"two"))
    assert connection.is_ready
    assert messages == [b"one", b"two"]
    assert replies == zmtp.READY


@given(st.lists(st.binary(max_size=wire.MAX_MESSAGE_BYTES), max_size=4), st.data())
def test_messages_come_out_whole_wherever_the_stream_is_cut(sent: list[bytes], data: st.DataObject) -> None:
    stream = OPENING + b"".join(map(zmtp.frame, sent))
    connection, messages = zmtp.Connection(), []
    while stream:
        size = data.draw(st.integers(1, min(len(stream), connection.room_bytes)))
        connection.feed(stream[:size])
        stream = stream[size:]
        while (message := connection.next_message()[0]) is not None:
            messages.append(message)
    assert messages == sent


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n",
        b"\xff" + bytes(8) + b"\x00",
        b"\xff" + bytes(8) + b"\x7f\x01",
        zmtp.GREETING[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32),
        zmtp.GREETING + zmtp.frame(b"before READY"),
        zmtp.GREETING + command(b"READY", b"\x0bSocket-Type" + (3).to_bytes(4, "big") + b"REQ"),
        zmtp.GREETING + command(b"READY", b"\x0bSocket-Type" + b"\xff\xff\xff\xff"),
        zmtp.GREETING + command(b"READY"),
        zmtp.GREETING + command(b"ERROR", b"\x00"),
        zmtp.GREETING + command(b"PING", bytes(2)),
        OPENING + READY,
        OPENING + command(b"PING", bytes(19)),
        OPENING + b"\x01\x01x",
        OPENING + b"\x03" + bytes(8),
        OPENING + b"\x02" + (257).to_bytes(8, "big"),
        OPENING + b"\x02" + (64 << 20).to_bytes(8, "big"),
        OPENING + b"\x80\x00",
        OPENING + b"\x04\x00",
    ],
)
def test_what_is_not_a_single_short_frame_of_a_dealer_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(zmtp.ProtocolError):
        fed(stream)


def test_a_heartbeat_is_answered() -> None:
    _, messages, replies = fed(OPENING + command(b"PING", b"\x00\x10context"))
    assert messages == []
    assert replies == zmtp.READY + command(b"PONG", b"context")


def test_more_than_the_buffer_holds_is_refused() -> None:
    with pytest.raises(zmtp.ProtocolError):
        zmtp.Connection().feed(bytes(zmtp.MAX_BUFFER_BYTES + 1))


@given(st.binary(max_size=zmtp.MAX_BUFFER_BYTES), st.sampled_from([b"", zmtp.GREETING, OPENING]))
@example(b"\x04\xff", OPENING)
def test_no_bytes_break_the_parser(noise: bytes, before: bytes) -> None:
    with contextlib.suppress(zmtp.ProtocolError):
        _, messages, _ = fed((before + noise)[: zmtp.MAX_BUFFER_BYTES])
        assert all(len(message) <= wire.MAX_MESSAGE_BYTES for message in messages)


def test_an_answer_fits_where_libzmq_reads_it() -> None:
    assert zmtp.frame(bytes(255))[:2] == b"\x00\xff"
    assert zmtp.frame(bytes(256))[:9] == b"\x02" + (256).to_bytes(8, "big")
