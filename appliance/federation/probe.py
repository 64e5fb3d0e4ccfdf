"""Does this endpoint keep the promises that a fleet rests on? Asked at each start, because some servers ignore conditions.

Without create-only writes two appliances could hold one slot, so an endpoint that fails is refused, whatever else it can.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from appliance.errors import RaasError
from appliance.federation.keys import Keys
from appliance.federation.requests import Get, List, Put, Reply, Request, Status

_RIGHT: Final = "Use AWS S3, or a server that honours conditional writes (SeaweedFS 4.48 or later does)."
_MOST_SKEW_S: Final = 300.0


class UnfitStore(RaasError):
    """The endpoint can't carry a fleet; the message says what is missing and what to do."""


def probe(perform: Callable[[Request], Reply], keys: Keys, who: str, wall_s: float | None = None) -> None:
    """Try each promise on this member's own object `probe`. Raises UnfitStore. `wall_s`: the local wall clock, if known."""
    key = keys.appliance(who) + "probe"
    body = secrets.token_hex(8).encode()
    first = perform(Get(key))
    _clock(first, wall_s)
    if first.status is Status.MISSING:
        _rights(perform(Put(key, body, create=True)), "create")
    written = _writes(perform, key, body)
    if perform(Get(key, written.etag)).status is not Status.UNCHANGED:
        raise UnfitStore(f"The store ignores If-None-Match when reading. {_RIGHT}")
    listed = perform(List(keys.appliance(who), keys.appliance(who) + "prob"))
    _rights(listed, "list")
    if not any(row.key == key for row in listed.rows):
        raise UnfitStore(f"The store doesn't list what was just written. {_RIGHT}")
    _outside(perform, keys)


def _clock(first: Reply, wall_s: float | None) -> None:
    """Leases are judged by the store's clock; an appliance that is far off it would deceive people, not the fleet."""
    if first.status is Status.LOST:
        raise UnfitStore("The store doesn't answer. Check the endpoint's address and the network; it is tried again.")
    _rights(first, "read")
    if not first.date_s:
        raise UnfitStore(f"The store tells no time (no Date header), and leases need its clock. {_RIGHT}")
    if wall_s is not None and abs(first.date_s - wall_s) > _MOST_SKEW_S:
        skew_s = wall_s - first.date_s
        raise UnfitStore(
            f"This machine's clock is {skew_s:+.0f} s off the store's. Set it (timedatectl) and start again."
        )


def _writes(perform: Callable[[Request], Reply], key: str, body: bytes) -> Reply:
    """What must be refused, then what must succeed; the answer to the last write."""
    if perform(Put(key, body + b"2", create=True)).status is not Status.TAKEN:
        raise UnfitStore(f"The store ignores If-None-Match: it overwrote an object that must not be. {_RIGHT}")
    now = perform(Get(key))
    if perform(Put(key, body + b"3", if_etag="0" * 32)).status is not Status.TAKEN:
        raise UnfitStore(f"The store ignores If-Match: it overwrote an object that had changed. {_RIGHT}")
    swapped = perform(Put(key, body + b"4", if_etag=now.etag))
    _rights(swapped, "overwrite")
    if perform(Get(key)).body != body + b"4":
        raise UnfitStore(f"The store doesn't give back what was just written. {_RIGHT}")
    return swapped


def _outside(perform: Callable[[Request], Reply], keys: Keys) -> None:
    """What a member writes outside its own folder; names that stand there are left as they are, and mean nothing."""
    for name, verb in (
        (keys.bell, "ring the bell"),
        (f"{keys.queue}probe", "submit"),
        (f"{keys.root}a/probe", "send archives"),
    ):
        if perform(Put(name, b"{}", create=True)).status is Status.DENIED:
            raise UnfitStore(
                f"The credentials may not {verb} in this fleet. `raas fleet policy` prints what they need."
            )


def _rights(reply: Reply, verb: str) -> None:
    if reply.status is Status.DENIED:
        raise UnfitStore(
            f"The credentials may not {verb} objects of this fleet. `raas fleet policy` prints what they need."
        )
    if reply.status not in {Status.OK, Status.MISSING}:
        raise UnfitStore(f"The store answers '{reply.status.name.lower()}' where it should {verb}. {_RIGHT}")
