"""In which order do waiting jobs run, so that nobody who sends many makes the others wait? Pure.

First what was interrupted, then what the owner has put first, then in rounds: everybody's first job, then everybody's
second one, and within a round as they came. Somebody is an address: a name can be changed at will.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """What a job's place depends on. key: smaller ones came earlier. again: it was interrupted."""

    id: str
    submitter: str
    key: float
    priority: int = 0
    again: bool = False


def somebody(submitter: str) -> str:
    """Who takes turns: the address of `name@address`, or the whole of anything else.

    >>> somebody("anna@192.0.2.7")
    '192.0.2.7'
    """
    return submitter.rpartition("@")[2]


def order(waiting: Iterable[Place], busy: Iterable[str]) -> list[str]:
    """Ids in running order. busy: submitters of the jobs that are being worked on now; they have had their turn."""
    turns = Counter(map(somebody, busy))
    ranked = []
    for place in sorted(waiting, key=lambda place: (not place.again, -place.priority, place.key, place.id)):
        who = somebody(place.submitter)
        is_free = not place.again and place.priority == 0
        ranked.append((not place.again, -place.priority, turns[who] if is_free else 0, place.key, place.id))
        turns[who] += 1
    return [entry[-1] for entry in sorted(ranked)]


def with_moved(ids: list[str], moved: str, position: int) -> dict[str, int]:
    """Priorities that put `moved` at `position` (1 is next) and hold everything before it where it is."""
    others = [other for other in ids if other != moved]
    index = min(max(position, 1), len(ids)) - 1
    head = [*others[:index], moved]
    return {job_id: len(head) - place for place, job_id in enumerate(head)} | dict.fromkeys(others[index:], 0)
