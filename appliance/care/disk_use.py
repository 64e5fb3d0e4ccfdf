"""What takes how much of the disk, and what goes next? The answer's shapes; `disk_look` finds it out."""

from __future__ import annotations

import msgspec


class Share(msgspec.Struct, frozen=True):
    """One kind of content and what it takes."""

    name: str
    bytes: int


class JobUse(msgspec.Struct, frozen=True):
    """One job and what it takes."""

    id: str
    bytes: int


class DiskUse(msgspec.Struct, frozen=True, kw_only=True):
    """The whole picture. other_bytes: everything on the same disk that isn't the appliance's data.

    used_percent: how full the disk is, as retention counts. next_jobs: whose results go first when it is above
    clear_above_percent; the keep_newest newest and pinned ones never do.
    """

    total_bytes: int
    free_bytes: int
    least_free_bytes: int
    other_bytes: int
    shares: tuple[Share, ...]
    largest_jobs: tuple[JobUse, ...]
    jobs: int
    used_percent: float
    clear_above_percent: float
    keep_newest: int
    next_jobs: tuple[JobUse, ...]

    @property
    def data_bytes(self) -> int:
        """What the appliance's own data take."""
        return sum(share.bytes for share in self.shares)
