"""What can stand in a job's log? One struct per kind of entry, how an entry is bound to its place, and its hash. Pure.

Slot 0 is the specification; each later entry names the hash of the slot before it. Slots are created with
If-None-Match, so exactly one writer wins each, and the number of a claim's slot is its fencing token.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

#: After so many claims that led to nothing a job is given up.
MAX_ATTEMPTS: Final = 6
#: An archive up to this size travels inside the specification: two requests less for each job.
INLINE_BYTES: Final = 32 << 10
# Hashes become names of files, and sizes room on a disk: an entry with others is no entry.
Sha256: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Size: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 28)]
Text: TypeAlias = Annotated[str, Meta(max_length=1000)]
Count: TypeAlias = Annotated[int, Meta(ge=-(1 << 31), le=1 << 31)]
Moment: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e11)]


class Archive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job runs: a tar.gz by its hash; `inline` holds it where it is small."""

    sha256: Sha256
    size_bytes: Size
    inline: bytes = b""


class Needs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an appliance must have to take a job. counts_per_turn 0: any; tags: all of them; image: its job image."""

    robot: str = "pendulum"
    tags: tuple[str, ...] = ()
    counts_per_turn: int = 0
    image: str = "standard"


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A result file of the appliance that wrote the entry."""

    name: Text
    sha256: Sha256
    size_bytes: Size


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a job ended, in the terms of `appliance.jobs`. Times: s since the epoch, by the server's clock.

    preview_deg: the angle at equal distances in time, so that a list of results can draw them without another request.
    """

    state: Text
    reason: Text = ""
    detail: Text = ""
    exit_code: Count | None = None
    steps: Count | None = None
    missed_steps: Count | None = None
    started_at: Moment | None = None
    ended_at: Moment | None = None
    preview_deg: Annotated[tuple[Count, ...], Meta(max_length=200)] = ()


class Placed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What binds an entry to its place. prev: SHA-256 of the slot before; nonce: makes each attempt to write unique."""

    fleet: str
    job: str
    slot: int
    prev: str
    by: str
    nonce: str


class Spec(Placed, frozen=True, tag="spec"):
    """Slot 0: the job. limit_s: how long its program may run, s; live_s: how often its holder tells how it is; 0: never."""

    archive: Archive
    name: Text = ""
    submitter: Text = ""
    needs: Needs = Needs()
    priority: int = 0
    limit_s: float = 120.0
    live_s: Annotated[float, Meta(ge=0.0, le=3600.0)] = 0.0


class Claim(Placed, frozen=True, tag="claim"):
    """`by` runs the job from now on. Only where nobody holds it."""


class Steal(Placed, frozen=True, tag="steal"):
    """The holder's lease has run out: nobody holds the job any more.

    seen_s, now_s: last sign of life, and the judge's time, both on the server's clock. again: false when no attempts are
    left, which ends the job.
    """

    token: int
    seen_s: float
    now_s: float
    again: bool = True


class Done(Placed, frozen=True, tag="done"):
    """The holder's results, which it has uploaded before.

    claim: the bytes of the slot before, to spare readers a request; believed only where the listing proves them.
    """

    token: int
    outcome: Outcome
    files: tuple[File, ...] = ()
    claim: bytes = b""


class Fail(Placed, frozen=True, tag="fail"):
    """The holder gives the job back. again: false when no attempts are left, which ends the job."""

    token: int
    detail: Text = ""
    again: bool = True


class Cancel(Placed, frozen=True, tag="cancel"):
    """The submitter doesn't want it any more; ends the job."""


class Nudge(Placed, frozen=True, tag="nudge"):
    """The job is open, although rubbish in its last slot hides that from listings. Changes nothing but what they show."""


Entry: TypeAlias = Spec | Claim | Steal | Done | Fail | Cancel | Nudge
_DECODER: Final[msgspec.json.Decoder[Entry]] = msgspec.json.Decoder(Entry)


def decode(content: bytes) -> Entry:
    """The entry in an opened envelope. Raises msgspec.DecodeError."""
    return _DECODER.decode(content)


def digest(sealed: bytes) -> str:
    """What the next entry says of this slot's bytes."""
    return hashlib.sha256(sealed).hexdigest()


def leaves_open(entry: Entry) -> bool:
    """Whether somebody may claim the job after this entry. Its sealed size is odd then, so that a listing tells it."""
    match entry:
        case Spec() | Nudge():
            return True
        case Steal(again=again) | Fail(again=again):
            return again
    return False
