"""Which jobs does a page of names show, and in which phase? From names, sizes and times alone. Pure.

No request tells the phase of a thousand jobs, so it is written where a listing shows it: claims stand on odd
slots and ends on even ones (as long as nobody writes rubbish), and an entry that leaves its job open has an odd number
of bytes. It is a hint: whoever acts on it reads the log first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance import ulid
from appliance.federation.joblog import Phase
from appliance.federation.requests import Row


@dataclass(frozen=True)
class Seen:
    """One job of a listing: its slots, from 0 on without a gap."""

    job: str
    rows: tuple[Row, ...]

    @property
    def top(self) -> int:
        """Number of the last slot."""
        return len(self.rows) - 1

    @property
    def changed_s(self) -> float:
        """When it was last written, by the server's clock."""
        return self.rows[-1].written_s

    @property
    def phase(self) -> Phase:
        """The phase that it appears to be in."""
        if self.rows[-1].size_bytes % 2:
            return Phase.OPEN
        return Phase.HELD if self.top % 2 else Phase.ENDED


def before(job: str) -> str:
    """What a page of names that begins with this job starts behind, however many have their names from the same moment.

    Not the job's own name: SeaweedFS takes that for a folder, and leaves the folder out.
    """
    return job[:-1]


@dataclass(frozen=True)
class Survey:
    """What a page shows, but for the jobs that have ended: at a page of hundreds, most have.

    first, last: names of its first and last job, '' if there is none; rows: how many names there were.
    """

    first: str
    last: str
    rows: int
    unended: list[Seen]


def survey(prefix: str, rows: Sequence[Row], *, truncated: bool = False) -> Survey:
    """As `jobs`, at a fraction of the time."""
    start, size = len(prefix), len(prefix) + 31
    end = start + 26
    first = last = ""
    total, index, count, found = 0, 0, len(rows), list[Seen]()
    while index < count:
        key = rows[index].key
        if len(key) != size or key[end] != "/":
            index += 1
            continue
        if _is_usual(rows, index, key):
            last, total, index = key[start:end], total + 3, index + 3
            first = first or last
            continue
        job, begin, top, is_plain = key[start:end], index, rows[index], key[end + 1 :] == "0000"
        index += 1
        while index < count and (key := rows[index].key)[start:end] == job:
            is_plain = is_plain and len(key) == size
            top = rows[index]
            index += 1
        if truncated and index == count:
            break
        slots = index - begin
        if not is_plain or top.key[-4:] != f"{slots - 1:04d}":
            odd_ones = jobs(prefix, rows[begin:index])  # names that don't belong there are between
            found += [seen for seen in odd_ones if seen.phase is not Phase.ENDED]
            slots = sum(len(seen.rows) for seen in odd_ones)
        elif not ulid.is_valid(job):
            slots = 0
        elif top.size_bytes % 2 or slots % 2 == 0:
            found.append(Seen(job, tuple(rows[begin:index])))
        if not slots:
            continue
        last, total = job, total + slots
        first = first or job
    return Survey(first, last, total, found)


def _is_usual(rows: Sequence[Row], index: int, key: str) -> bool:
    """Whether a job that ended at its first attempt begins here, and another one after it; nearly all do."""
    if index + 3 >= len(rows) or rows[index + 2].size_bytes % 2:
        return False
    stem, ends = key[:-4], key.endswith("/0000")
    if not (ends and rows[index + 1].key == stem + "0001" and rows[index + 2].key == stem + "0002"):
        return False
    return not rows[index + 3].key.startswith(stem) and ulid.is_valid(stem[-27:-1])


def jobs(prefix: str, rows: Iterable[Row], *, truncated: bool = False) -> list[Seen]:
    """The jobs on a page of names below `prefix`, in order; the last of a truncated page isn't known to be whole.

    Names that don't belong there are skipped, so is a job of which the page doesn't show slot 0 or all after it.
    """
    found: list[Seen] = []
    group: list[Row] = []
    job, start, size = "", len(prefix), len(prefix) + 31
    for row in rows:
        key = row.key
        if len(key) != size or key[start + 26] != "/":
            continue
        if key[start : start + 26] != job:
            _add(found, job, group)
            job, group = key[start : start + 26], []
        group.append(row)
    if not truncated:
        _add(found, job, group)
    return found


def _add(found: list[Seen], job: str, group: list[Row]) -> None:
    whole = group and group[0].key[-4:] == "0000" and group[-1].key[-4:] == f"{len(group) - 1:04d}"
    if whole and ulid.is_valid(job):
        found.append(Seen(job, tuple(group)))
