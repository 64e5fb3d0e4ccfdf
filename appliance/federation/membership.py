"""How does an appliance become a member, and stay one? Charter, join request, certificate, and the list of the expelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import RaasError
from appliance.federation import charter as charters
from appliance.federation import keyring
from appliance.federation.charter import Charter, Revoked
from appliance.federation.keyring import Own
from appliance.federation.keys import Keys
from appliance.federation.requests import Get, List, Put, Reply, Request, Status, Talk
from appliance.federation.signing import Certificate, Ed25519Signer, Identity, Roster, Untrusted, certify
from appliance.federation.station import Station

Perform = Callable[[Request], Reply]
#: How long a membership lasts, s.
TERM_S: Final = 5 * 365 * 86400.0


class NotYet(RaasError):
    """The appliance can't work in the fleet yet; the message says what is missing and who can put it right."""


def read(perform: Perform, key: str) -> bytes | None:
    """An object, None if there is none. Raises NotYet."""
    reply = perform(Get(key))
    if reply.status is Status.OK:
        return reply.body
    if reply.status is Status.MISSING:
        return None
    if reply.status is Status.DENIED:
        raise NotYet("The bucket refuses these credentials. `raas fleet policy` prints the rights they need; if it has them, "
                     "compare this machine's clock with the time (`timedatectl`).")  # fmt: skip
    raise NotYet("The bucket doesn't answer. Check the endpoint's address and the network.")


def write(perform: Perform, key: str, body: bytes, *, create: bool = False) -> bool:
    """Write an object; False if it exists and mustn't. Raises NotYet."""
    reply = perform(Put(key, body, create=create))
    if reply.status is Status.TAKEN:
        return False
    if reply.status is Status.DENIED:
        raise NotYet(f"The credentials may not write {key}. `raas fleet policy` prints the rights that are needed.")
    if reply.status is not Status.OK:
        raise NotYet("The bucket doesn't answer. Check the endpoint's address and the network.")
    return True


def believe(perform: Perform, keys: Keys, folder: Path, wanted: str) -> Charter:
    """The fleet's charter, if its key is the one that is believed here. Raises NotYet, Untrusted."""
    body = read(perform, keys.charter)
    if body is None:
        raise NotYet(
            f"There is no fleet '{keys.fleet}' in this bucket. Check federation.fleet, or make it: `raas fleet create`."
        )
    charter = charters.open_charter(body, keys.fleet)
    found, known = charters.fingerprint(charter.public), wanted or keyring.pinned(folder)
    if known and found != known:
        raise Untrusted(f"The fleet '{keys.fleet}' now shows the key {found}, and {known} is believed here. If its operator has "
                        f"made it anew, correct federation.fingerprint or remove {folder}/fleet.pinned.")  # fmt: skip
    if not known:
        keyring.pin(folder, charter.public)
    return charter


def enter(perform: Perform, keys: Keys, charter: Charter, own: Own, name: str) -> Identity:
    """This appliance as a member; asks for membership where it has none. Raises NotYet until the operator admits it."""
    body = read(perform, keys.member(own.who))
    if body is not None:
        certificate = Roster(charter.fleet, charter.public).certificate(body)
        if certificate.public != own.signer.public:
            raise NotYet(
                f"The name '{own.who}' belongs to another key in this fleet. Choose another one: federation.member."
            )
        return Identity(own.signer, body, own.who)
    request = charters.Request(charter.fleet, own.who, own.signer.public, name)
    write(perform, keys.request(own.who), charters.seal_request(own.signer, request))
    raise NotYet(f"'{own.who}' waits to be admitted. The operator does it with: raas fleet admit {own.who} "
                 f"(fingerprint {charters.fingerprint(own.signer.public)}).")  # fmt: skip


def admit(
    perform: Perform, keys: Keys, operator: Ed25519Signer, who: str, now_s: float, *, compacts: bool = False
) -> Certificate:
    """The operator makes `who` a member, as its request says. Raises NotYet, Untrusted."""
    body = read(perform, keys.request(who))
    if body is None:
        raise NotYet(
            f"'{who}' hasn't asked to join. Set the appliance's federation section first; then it asks by itself."
        )
    request = charters.open_request(body, keys.fleet, who)
    roles = ("compactor",) if compacts else ()
    certificate = Certificate(keys.fleet, who, request.public, now_s + TERM_S, roles)
    write(perform, keys.member(who), certify(operator, certificate))
    return certificate


def expel(perform: Perform, keys: Keys, operator: Ed25519Signer, charter: Charter, who: str, now_s: float) -> None:
    """The operator throws `who` out: nothing that it writes from now on counts. Raises NotYet, Untrusted."""
    body = read(perform, keys.revoked)
    out = dict(charters.open_revoked(body, charter).out) if body is not None else {}
    out.setdefault(who, now_s)
    write(perform, keys.revoked, charters.seal_revoked(operator, Revoked(keys.fleet, out)))


class Line(msgspec.Struct, frozen=True):
    """One appliance on the operator's list. state: member, applicant, expelled, expired or forged. seen_s: s since its heartbeat."""

    who: str
    state: str
    fingerprint: str
    roles: tuple[str, ...] = ()
    seen_s: float | None = None


def roll(perform: Perform, keys: Keys, charter: Charter) -> list[Line]:
    """Everybody who is in the fleet, wants in, or was thrown out. Raises NotYet, Untrusted."""
    body = read(perform, keys.revoked)
    out = charters.open_revoked(body, charter).out if body is not None else {}
    listed = perform(List(keys.members, folders=True))
    if listed.status is not Status.OK:
        raise NotYet("The bucket doesn't list its names. Check the network and the rights (`raas fleet policy`).")
    roster = Roster(charter.fleet, charter.public)
    lines = [_line(perform, keys, roster, row.key.removeprefix(keys.members).rstrip("/"), out) for row in listed.rows]
    return [line for line in lines if line is not None]


def _line(perform: Perform, keys: Keys, roster: Roster, who: str, out: Mapping[str, float]) -> Line | None:
    certificate, beat = perform(Get(keys.member(who))), perform(Get(keys.heartbeat(who)))
    seen_s = max(0.0, beat.date_s - beat.written_s) if beat.status is Status.OK else None
    try:
        if certificate.status is Status.OK:
            found = roster.certificate(certificate.body)
            state = "expelled" if who in out else "expired" if certificate.date_s > found.expires_s else "member"
            return Line(who, state, charters.fingerprint(found.public), found.roles, seen_s)
        request = read(perform, keys.request(who))
        if request is None:
            return None
        return Line(who, "applicant", charters.fingerprint(charters.open_request(request, keys.fleet, who).public))
    except Untrusted:
        return Line(who, "forged", "")


class Expulsions:
    """A chore: learns from time to time who is out."""

    def __init__(self, station: Station, charter: Charter) -> None:
        self._station, self._charter, self._etag = station, charter, ""
        self.due_s = float("-inf")

    def work(self) -> Talk[None]:
        """Read the list, if it has changed."""
        station = self._station
        reply = yield from station.ask(Get(station.keys.revoked, self._etag))
        self.due_s = station.now_s + station.timing.revoked_s
        if reply.status is Status.LOST:
            self.due_s = station.now_s + station.patience_s()
        if reply.status is not Status.OK:
            return
        try:
            station.roster.revoked.update(charters.open_revoked(reply.body, self._charter).out)
        except Untrusted as error:
            station.desk.complain("", f"The list of expelled members was refused: {error}.")
        self._etag = reply.etag
