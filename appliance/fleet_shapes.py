"""Which shapes does the fleet have on its page, in the API and in the bucket's static page? Typed structs.

Times are seconds since the epoch by the server's clock, unless their comment says otherwise.
"""

from __future__ import annotations

import msgspec


class MemberView(msgspec.Struct, frozen=True):
    """An appliance, by its own word. silent_s: since its last heartbeat; None if it never had one."""

    who: str
    name: str = ""
    kind: str = ""
    link: str = ""
    tags: tuple[str, ...] = ()
    robot: str = ""
    busy: str = ""
    software: str = ""
    holding: str = ""
    silent_s: float | None = None
    is_alive: bool = False
    is_out: bool = False


class Applicant(msgspec.Struct, frozen=True):
    """An appliance that waits to be admitted."""

    who: str
    name: str
    fingerprint: str


class JobLine(msgspec.Struct, frozen=True):
    """A job of the last day. by: who submitted it; where: who has it, or ended it; at_s: its last change, server's clock."""

    job: str
    phase: str
    at_s: float
    state: str = ""
    name: str = ""
    by: str = ""
    where: str = ""
    detail: str = ""
    steps: int | None = None
    preview_deg: tuple[int, ...] = ()


class Picture(msgspec.Struct, frozen=True):
    """The fleet at `made_s` (server's clock). jobs: the newest first; some_missing: there were more names than a page holds."""

    made_s: float
    members: tuple[MemberView, ...]
    applicants: tuple[Applicant, ...]
    waiting: int
    held: int
    ended: int
    jobs: tuple[JobLine, ...]
    some_missing: bool = False


class ComplaintView(msgspec.Struct, frozen=True):
    """Something that was refused. at: this appliance's clock; who: '' where nobody can be named."""

    at: float
    who: str
    text: str


class FleetView(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/fleet`: what this appliance knows of its fleet.

    state: `off` (no fleet is configured), `silent` (its process has said nothing yet), `waiting` (the sentence says what
    for), `working`. picture: taken while somebody looks, so null at first.
    """

    state: str
    sentence: str
    fleet: str = ""
    me: str = ""
    bucket: str = ""
    endpoint: str = ""
    robot: str = ""
    fingerprint: str = ""
    lease_s: float = 0.0
    complaints: tuple[ComplaintView, ...] = ()
    picture: Picture | None = None


class SubmitGitToFleet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/fleet/jobs` for a repository. tags: what the robot must have, as words; live: told of as it runs."""

    git_url: str
    ref: str = ""
    name: str = ""
    tags: str = ""
    counts_per_turn: int = 0
    urgent: bool = False
    live: bool = False
