"""What may a submitter ask of the fleet? Stored with the job by whoever takes it in. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Tag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z")]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """tags: what the robot must have. live_s: how often its page is told how the job is, 0 for never."""

    tags: Annotated[tuple[Tag, ...], Meta(max_length=20)] = ()
    counts_per_turn: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    priority: Annotated[int, Meta(ge=0, le=1)] = 0
    live_s: Annotated[float, Meta(ge=0.0, le=600.0)] = 0.0
