"""What do the owner's page and the page in the bucket show of the fleet? Two chores around one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import facts
from appliance.config import FederationSection
from appliance.federation import charter as charters
from appliance.federation import picture, site
from appliance.federation.charter import Charter
from appliance.federation.election import Election
from appliance.federation.keyring import Own
from appliance.federation.ledger import Ledger
from appliance.federation.local_desk import Clocks
from appliance.federation.requests import Put, Status, Talk
from appliance.federation.station import Station
from appliance.fleet_shapes import ComplaintView, FleetView, Picture
from appliance.store import Store

#: A page that was open within this time is kept fresh.
WANTED_S: Final = 30.0
_FRESH_S: Final = 15.0
_COMPLAINTS: Final = 20


@dataclass(frozen=True)
class Standing:
    """Who this appliance is in which fleet."""

    section: FederationSection
    own: Own
    charter: Charter
    robot_sha256: str


class Look:
    """A chore: takes the picture for the Fleet page while somebody has it open."""

    def __init__(self, station: Station, standing: Standing, store: Store, ledger: Ledger, clocks: Clocks) -> None:
        self._station, self._standing = station, standing
        self._store, self._ledger, self._clocks = store, ledger, clocks
        self._taken_s = float("-inf")
        self._said = ("", "")

    @property
    def due_s(self) -> float:
        """Infinite while nobody looks."""
        wanted_s = float(self._store.fact(facts.FLEET_WANTED, "0"))
        is_wanted = self._clocks.wall_s() - wanted_s < WANTED_S
        return self._taken_s + _FRESH_S if is_wanted else float("inf")

    def work(self) -> Talk[None]:
        """Take it."""
        self._taken_s = self._station.now_s
        found = yield from self.picture()
        if found is not None:
            self.tell(*self._said, found)

    def picture(self) -> Talk[Picture | None]:
        """The fleet now."""
        return (yield from picture.take(self._station))

    def tell(self, state: str, sentence: str, found: Picture | None = None) -> None:
        """Write for the page what is known."""
        standing, section = self._standing, self._standing.section
        self._said = (state, sentence)
        complaints = tuple(ComplaintView(c.at, c.who, c.text) for c in self._ledger.complaints(_COMPLAINTS))
        told = FleetView(
            state=state, sentence=sentence, fleet=standing.charter.fleet, me=standing.own.who, bucket=section.bucket,
            endpoint=section.endpoint, robot=standing.robot_sha256,
            fingerprint=charters.fingerprint(standing.charter.public), lease_s=standing.charter.lease_s,
            complaints=complaints, picture=found,
        )  # fmt: skip
        self.write(self._store, told)

    @staticmethod
    def write(store: Store, told: FleetView) -> None:
        """Put it where the page looks."""
        store.set_fact(facts.FLEET_STATUS, msgspec.json.encode(told).decode(), 0.0, announce=False)


class Post:
    """A chore of the compactor that is elected: the static page in the bucket."""

    def __init__(self, station: Station, look: Look, election: Election) -> None:
        self._station, self._look, self._election = station, look, election
        self.due_s = float("-inf")

    def work(self) -> Talk[None]:
        """Write the page anew."""
        station = self._station
        self.due_s = station.now_s + station.timing.compact_s
        if not (yield from self._election.is_won()):
            return
        found = yield from self._look.picture()
        if found is None:
            return
        page = site.page(station.roster.fleet, found).encode()
        reply = yield from station.ask(
            Put(station.keys.site("index.html"), page, content_type="text/html; charset=utf-8")
        )
        if reply.status is Status.OK:
            body = msgspec.json.encode(found)
            yield from station.ask(Put(station.keys.site("fleet.json"), body, content_type="application/json"))
