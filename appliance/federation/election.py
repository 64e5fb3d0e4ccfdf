"""Which of the compactors does the work? Those that the operator has chosen elect one, by a log of terms like a job's.

A term is a create-only slot: who makes the next one is elected. It stays elected while its heartbeat is no older than a lease,
by the server's clock. Two at once would only waste work, because the index's head is compare-and-swap.
"""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.federation import entries
from appliance.federation.requests import Get, List, Reply, Status, Talk
from appliance.federation.signing import Untrusted
from appliance.federation.station import Made, Station
from appliance.federation.timing import has_expired

#: What the operator writes into the certificate of whom it chooses.
ROLE: Final = "compactor"


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`idx/term/<number>`, signed: `by` compacts from now on. prev: SHA-256 of the term before."""

    fleet: str
    number: int
    prev: str
    by: str
    nonce: str


class Election:
    """One compactor's view. elected: who it was when last looked at, '' for nobody."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._number, self._term = 0, Reply(Status.MISSING, 0.0)
        self._known = False
        self.elected = ""

    def is_won(self) -> Talk[bool]:
        """Whether this member is the one; takes the next term where the elected one is gone."""
        station = self._station
        if not (yield from self._read_on()):
            return False
        self.elected = self._author()
        if self.elected == station.me:
            return True
        if self.elected and (yield from self._lives()):
            return False
        prev = entries.digest(self._term.body) if self._number else ""
        term = Term(station.roster.fleet, self._number + 1, prev, station.me, station.nonce())
        made = yield from station.create(station.keys.term(self._number + 1), station.identity.seal(term))
        if made is Made.MADE:
            self.elected = station.me
        return made is Made.MADE

    def _read_on(self) -> Talk[bool]:
        """Up to the newest term; False if nobody answers."""
        station = self._station
        if not self._known:
            page = yield from station.ask(List(station.keys.terms))
            if page.status is not Status.OK:
                return False
            numbers = [row.key.removeprefix(station.keys.terms) for row in page.rows]
            self._number = max([int(number) - 1 for number in numbers if number.isdecimal()], default=0)
            self._known = True
        while True:
            reply = yield from station.read(station.keys.term(self._number + 1))
            if reply.status is not Status.OK:
                return reply.status is Status.MISSING
            self._number, self._term = self._number + 1, reply

    def _author(self) -> str:
        """Who made the newest term, '' if it means nothing: rubbish, or of somebody who is no compactor now."""
        roster = self._station.roster
        try:
            content, author = roster.open(self._term.body, self._station.server_s())
            term = msgspec.json.decode(content, type=Term)
        except (Untrusted, msgspec.DecodeError):
            return ""
        fits = (term.fleet, term.number, term.by) == (roster.fleet, self._number, author.who)
        return author.who if fits and ROLE in author.roles else ""

    def _lives(self) -> Talk[bool]:
        """Whether the elected one has shown a sign of life within a lease; its term is one, too."""
        station = self._station
        beat = yield from station.ask(Get(station.keys.heartbeat(self.elected)))
        if beat.status not in {Status.OK, Status.MISSING}:
            return True  # nobody knows
        seen_s = max(beat.written_s, self._term.written_s)
        return not has_expired(seen_s, beat.date_s, station.timing.lease_s)
