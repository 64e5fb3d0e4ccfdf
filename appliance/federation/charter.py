"""What does the operator say, and how is it believed? The fleet's charter, who is expelled, and who wants to join.

All are JSON with a signature and a purpose of their own. The charter is signed by the very key that it names, so a member pins
that key when it sees it first (or its owner writes the fingerprint into `raas.yaml`).
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from appliance.federation.signing import Ed25519, Signer, Untrusted
from appliance.federation.timing import Timing

_CHARTER: Final = b"raas charter 1\0"
_REVOKED: Final = b"raas revoked 1\0"
_REQUEST: Final = b"raas join 1\0"
T = TypeVar("T", bound=msgspec.Struct)


class Charter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fleet's name, key and rhythm. All members live by one lease: a shorter one than others believe in is unsafe."""

    fleet: str
    public: bytes
    lease_s: Annotated[float, Meta(ge=10.0, le=86400.0)] = 900.0

    @property
    def timing(self) -> Timing:
        """The rhythm that goes with the lease."""
        return Timing().scaled(self.lease_s / Timing().lease_s)


class Revoked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Members that are out, and since when, by the server's clock: what they wrote before stands."""

    fleet: str
    out: dict[str, float]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An appliance's wish to become member `who` with this key. name: what people call it."""

    fleet: str
    who: str
    public: bytes
    name: Annotated[str, Meta(max_length=80)] = ""


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content: msgspec.Raw
    signature: bytes


def fingerprint(public: bytes) -> str:
    """A key as people compare it."""
    digest = hashlib.sha256(public).hexdigest()[:20]
    return "-".join(digest[start : start + 4] for start in range(0, 20, 4))


def seal_charter(operator: Signer, charter: Charter) -> bytes:
    """The charter as it stands in the bucket."""
    return _sealed(operator, _CHARTER, charter)


def open_charter(body: bytes, fleet: str) -> Charter:
    """The charter of `fleet`. Raises Untrusted."""
    charter = _decoded(body, Charter)
    if charter.fleet != fleet:
        raise Untrusted(f"it is the charter of '{charter.fleet[:40]}'")
    _check(body, _CHARTER, charter.public)
    return charter


def seal_revoked(operator: Signer, revoked: Revoked) -> bytes:
    """The list as it stands in the bucket."""
    return _sealed(operator, _REVOKED, revoked)


def open_revoked(body: bytes, charter: Charter) -> Revoked:
    """Who is out, by the operator's word. Raises Untrusted."""
    revoked = _decoded(body, Revoked)
    _check(body, _REVOKED, charter.public)
    if revoked.fleet != charter.fleet:
        raise Untrusted("it belongs to another fleet")
    return revoked


def seal_request(member: Signer, request: Request) -> bytes:
    """The wish as it stands in the bucket."""
    return _sealed(member, _REQUEST, request)


def open_request(body: bytes, fleet: str, who: str) -> Request:
    """A wish to join; it proves that whoever wrote it has the key. Raises Untrusted."""
    request = _decoded(body, Request)
    _check(body, _REQUEST, request.public)
    if (request.fleet, request.who) != (fleet, who):
        raise Untrusted("it was written for another place")
    return request


def _sealed(signer: Signer, purpose: bytes, content: msgspec.Struct) -> bytes:
    raw = msgspec.json.encode(content)
    return msgspec.json.encode(_Signed(msgspec.Raw(raw), signer.sign(purpose + raw)))


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(msgspec.json.decode(body, type=_Signed).content, type=shape)
    except msgspec.DecodeError as error:
        raise Untrusted(f"it is no {shape.__name__.lower()} ({error})") from error


def _check(body: bytes, purpose: bytes, public: bytes) -> None:
    signed = msgspec.json.decode(body, type=_Signed)
    if not Ed25519().holds(public, purpose + bytes(signed.content), signed.signature):
        raise Untrusted("its signature is not right")
