"""What can be asked of an object store, and what does it answer? Plain structs between planning and shells. Pure.

Planning is written as generators that yield a request and are sent the reply: the same code runs over S3 in a thread and
over a model with a million jobs. Times: `date_s` and `written_s` by the server's clock, `now_s` by the local monotonic.
"""

from __future__ import annotations

import enum
from collections.abc import Generator
from typing import TypeAlias, TypeVar

import msgspec


class Status(enum.IntEnum):
    """How a request went."""

    OK = 0
    MISSING = 1  # there is no such object
    UNCHANGED = 2  # the object still has the ETag that was given
    TAKEN = 3  # the condition doesn't hold: the object exists, or has another ETag
    CONFLICT = 4  # somebody else writes the same key just now; try again
    LOST = 5  # no answer: it may have happened, or happen later
    DENIED = 6  # the credentials don't allow it
    UNDER_WAY = 7  # a file still travels; ask again in a while


class Get(msgspec.Struct, frozen=True):
    """Read an object; `unless_etag`: not if it still has this one."""

    key: str
    unless_etag: str = ""


class GetMany(msgspec.Struct, frozen=True):
    """Read several objects at the same time; one request each. The reply has one reply per key."""

    keys: tuple[str, ...]


class Put(msgspec.Struct, frozen=True):
    """Write an object: `create` only where there is none, `if_etag` only over this one."""

    key: str
    body: bytes
    create: bool = False
    if_etag: str = ""
    content_type: str = ""


class List(msgspec.Struct, frozen=True):
    """One page of names after `after`, in order; with `folders`, each row is what stands before the next slash, with it."""

    prefix: str
    after: str = ""
    limit: int = 1000
    folders: bool = False


class Send(msgspec.Struct, frozen=True):
    """Upload a local file under its content's name; goes on where it was interrupted. Asked for again while UNDER_WAY."""

    key: str
    file: str
    sha256: str
    size_bytes: int


class Fetch(msgspec.Struct, frozen=True):
    """Download an object into a local file; MISSING unless its content has this hash and size. As `Send`, UNDER_WAY for a while."""

    key: str
    file: str
    sha256: str
    size_bytes: int


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do before `until_s` (local monotonic clock), unless something happens here."""

    until_s: float


class Row(msgspec.Struct, frozen=True):
    """One line of a listing."""

    key: str
    etag: str
    written_s: float
    size_bytes: int


Request: TypeAlias = Get | GetMany | Put | List | Send | Fetch | Wait


class Reply(msgspec.Struct):
    """The answer to any request. date_s is 0 where the server didn't answer."""

    status: Status
    now_s: float
    date_s: float = 0.0
    body: bytes = b""
    etag: str = ""
    written_s: float = 0.0
    rows: list[Row] = []
    truncated: bool = False
    replies: list[Reply] = []


T = TypeVar("T")
#: A conversation with the store that ends in a T.
Talk: TypeAlias = Generator[Request, Reply, T]
