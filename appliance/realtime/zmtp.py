"""How do strangers' ZeroMQ bytes become messages? One connection of ZMTP 3.0, server side, NULL mechanism, bounded.

The job's side is libzmq's DEALER; this side is not libzmq's ROUTER, on purpose. A frame that announces "more to come" is
not counted by any of libzmq's limits, so with MAXMSGSIZE 256 and a high-water mark of 8 a job's endless multipart message
grew the reader by 1 GB in 3 s. Here a connection never holds more than `MAX_BUFFER_BYTES`; whatever isn't a single short
frame ends it. Pure: bytes in, messages and bytes out. Source: the ZMTP 3.0 specification (rfc.zeromq.org/spec/23).
"""

from __future__ import annotations

from typing import Final

from gym_raas.wire import MAX_MESSAGE_BYTES

_SIGNATURE_HEAD: Final = 0xFF
_SIGNATURE_TAIL: Final = 0x7F
_MECHANISM: Final = b"NULL".ljust(20, b"\0")
GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00" + _MECHANISM + bytes(32)
_MORE: Final = 1
_LONG: Final = 2
_COMMAND: Final = 4
_MAX_BODY_BYTES: Final = 512  # commands carry names and properties, so a little more than a message

MAX_BUFFER_BYTES: Final = 2048


class ProtocolError(ValueError):
    """The peer doesn't speak what it must; the connection ends."""


def frame(message: bytes) -> bytes:
    """A message as one frame on the wire."""
    return _frame(0, message)


def _frame(flags: int, body: bytes) -> bytes:
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return bytes((flags | _LONG,)) + len(body).to_bytes(8, "big") + body


def _command(name: bytes, data: bytes) -> bytes:
    return _frame(_COMMAND, bytes((len(name),)) + name + data)


READY: Final = _command(b"READY", b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"ROUTER")


class Connection:
    """The state of one connection. Send `GREETING` at once; then feed() and next_message() until None."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False
        self.is_ready = False

    @property
    def room_bytes(self) -> int:
        """How much feed() still takes."""
        return MAX_BUFFER_BYTES - len(self._buffer)

    def feed(self, data: bytes | memoryview) -> None:
        """Take bytes from the peer, at most `room_bytes`. Raises ProtocolError."""
        if len(data) > self.room_bytes:
            raise ProtocolError("more bytes than there is room for")
        self._buffer += data

    def next_message(self) -> tuple[bytes | None, bytes]:
        """(message or None when more bytes are needed, bytes to send). Raises ProtocolError."""
        reply = b""
        if not self._greeted and not self._take_greeting():
            return None, reply
        while (found := self._take_frame()) is not None:
            flags, body = found
            if flags & _COMMAND:
                reply += self._obey(body)
            elif not self.is_ready:
                raise ProtocolError("a message before READY")
            else:
                return body, reply
        return None, reply

    def _take_greeting(self) -> bool:
        head = self._buffer[:64]
        if (head and head[0] != _SIGNATURE_HEAD) or (len(head) > 9 and head[9] != _SIGNATURE_TAIL):
            raise ProtocolError("not ZeroMQ")
        if len(head) > 10 and head[10] < 3:
            raise ProtocolError("ZMTP older than 3.0")
        if len(head) < 64:
            return False
        if head[12:32] != _MECHANISM:
            raise ProtocolError("only the NULL mechanism is spoken here")
        del self._buffer[:64]
        self._greeted = True
        return True

    def _take_frame(self) -> tuple[int, bytes] | None:
        if not self._buffer:
            return None
        flags = self._buffer[0]
        if flags & ~(_LONG | _COMMAND):
            raise ProtocolError("a multipart message" if flags & _MORE else "illegal flags")
        head = 9 if flags & _LONG else 2
        if len(self._buffer) < head:
            return None
        size = int.from_bytes(self._buffer[1:head], "big")
        if size > (_MAX_BODY_BYTES if flags & _COMMAND else MAX_MESSAGE_BYTES):
            raise ProtocolError(f"a frame of {size} bytes")
        if len(self._buffer) < head + size:
            return None
        body = bytes(self._buffer[head : head + size])
        del self._buffer[: head + size]
        return flags, body

    def _obey(self, body: bytes) -> bytes:
        """Carry out a command; returns what to send."""
        name, data = body[1 : 1 + body[0]] if body else b"", body[1 + body[0] :] if body else b""
        if name == b"READY" and not self.is_ready:
            if _socket_type(data) != b"DEALER":
                raise ProtocolError("a socket other than DEALER")
            self.is_ready = True
            return READY
        if name == b"PING" and self.is_ready and len(data) <= 18:  # time to live (2 bytes), context (at most 16)
            return _command(b"PONG", data[2:])
        raise ProtocolError("an unknown command")


def _socket_type(data: bytes) -> bytes:
    """The Socket-Type among a READY command's properties. Raises ProtocolError."""
    while data:
        name_end = 1 + data[0]
        value_start = name_end + 4
        value_end = value_start + int.from_bytes(data[name_end:value_start], "big")
        if value_end > len(data) or value_start > len(data):
            break
        if data[1:name_end].lower() == b"socket-type":
            return data[value_start:value_end]
        data = data[value_end:]
    raise ProtocolError("READY names no Socket-Type")
