"""What do guard and gateway say to each other? One JSON datagram each; both ends are ours.

Every order carries its session, so an answer that comes late is recognised and ignored.
"""

from __future__ import annotations

from typing import Final

import msgspec

MAX_ORDER_BYTES: Final = 2048


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Make the job's socket in the session's folder, for group `job_gid`; answered by Opened."""

    session: int
    job_gid: int
    limit_s: float


class Over(msgspec.Struct, frozen=True, tag="over"):
    """The session has ended: answer what is pending, and from now on everything, with this refusal."""

    session: int
    code: int
    text: str


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Remove the socket; answered by Closed. Idempotent."""

    session: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """A gateway has (re)started and reads orders."""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The socket stands, or `error` says why not."""

    session: int
    error: str = ""


class Closed(msgspec.Struct, frozen=True, tag="closed"):
    """The socket is gone."""

    session: int


Order = Open | Over | Close
Answer = Ready | Opened | Closed

#: What decoding raises on bytes that are neither; a text that isn't UTF-8 has an error of its own.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)
encode: Final = msgspec.json.Encoder().encode
decode_order: Final = msgspec.json.Decoder(Order).decode
decode_answer: Final = msgspec.json.Decoder(Answer).decode
