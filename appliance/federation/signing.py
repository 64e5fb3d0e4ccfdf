"""Who wrote this? Ed25519 keys, certificates by the fleet's operator, and the envelope that every object travels in.

An envelope carries its author's certificate, so whoever knows the fleet's public key can check it without asking
anybody: no request, and a store that lies about certificates gains nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.errors import RaasError
from appliance.federation.keys import is_name

#: Signed with the content, so that a signature made for one purpose is worth nothing for another.
CERTIFICATE: Final = b"raas certificate 1\0"
CONTENT: Final = b"raas content 1\0"
MAX_ENVELOPE_BYTES: Final = 256 << 10


class Untrusted(RaasError):
    """An object whose author can't be made out; the message says why."""


class Signer(Protocol):
    """A private key."""

    @property
    def public(self) -> bytes:
        """The public key."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""


class Scheme(Protocol):
    """A kind of signature."""

    def holds(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` was made over `message` by the owner of `public`."""


class Ed25519:
    """The scheme that fleets use (RFC 8032)."""

    def holds(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` was made over `message` by the owner of `public`."""
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Ed25519Signer:
    """A private key from its 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        return self._key.sign(message)


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operator's word that `public` is the key of member `who`. expires_s: on the server's clock; roles: `compactor`."""

    fleet: str
    who: str
    public: bytes
    expires_s: float
    roles: tuple[str, ...] = ()


class _Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content: msgspec.Raw
    signature: bytes


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    content: msgspec.Raw
    signature: bytes
    certificate: bytes
    pad: str = ""


class Identity:
    """A member that can sign: its key and its certificate as the operator gave it."""

    def __init__(self, signer: Signer, certificate: bytes, who: str) -> None:
        self._signer, self.certificate, self.who = signer, certificate, who

    def seal(self, content: msgspec.Struct, *, odd: bool | None = None) -> bytes:
        """An object to put. `odd` chooses whether it has an odd number of bytes, which a listing shows."""
        raw = msgspec.json.encode(content)
        signature = self._signer.sign(CONTENT + raw)
        sealed = msgspec.json.encode(_Envelope(msgspec.Raw(raw), signature, self.certificate))
        if odd is not None and bool(len(sealed) % 2) is not odd:
            sealed = msgspec.json.encode(_Envelope(msgspec.Raw(raw), signature, self.certificate, "x"))
        return sealed


class Roster:
    """Whom a member believes: the fleet's public key, and who was expelled when (seconds on the server's clock)."""

    def __init__(
        self, fleet: str, public: bytes, revoked: Mapping[str, float] | None = None, scheme: Scheme | None = None
    ) -> None:
        self.fleet, self.revoked = fleet, dict(revoked or {})
        self._public, self._scheme = public, scheme or Ed25519()
        self._certificate = functools.lru_cache(4096)(self._checked)

    def open(self, sealed: bytes, at_s: float | None = None) -> tuple[bytes, Certificate]:
        """Content and author of an object that was written at `at_s` on the server's clock. Raises Untrusted."""
        if len(sealed) > MAX_ENVELOPE_BYTES:
            raise Untrusted("it is far too large")
        try:
            envelope = msgspec.json.decode(sealed, type=_Envelope)
        except msgspec.DecodeError as error:
            raise Untrusted(f"it is no signed object ({error})") from error
        certificate = self._certificate(envelope.certificate)
        raw = bytes(envelope.content)
        if not self._scheme.holds(certificate.public, CONTENT + raw, envelope.signature):
            raise Untrusted(f"its signature is not that of {certificate.who}")
        if at_s is not None:
            self._in_time(certificate, at_s)
        return raw, certificate

    def certificate(self, given: bytes) -> Certificate:
        """A certificate by itself. Raises Untrusted."""
        return self._certificate(given)

    def _in_time(self, certificate: Certificate, at_s: float) -> None:
        if at_s > certificate.expires_s:
            raise Untrusted(f"the membership of {certificate.who} had expired")
        if at_s > self.revoked.get(certificate.who, float("inf")):
            raise Untrusted(f"{certificate.who} is no member any more")

    def _checked(self, given: bytes) -> Certificate:
        try:
            signed = msgspec.json.decode(given, type=_Signed)
            certificate = msgspec.json.decode(signed.content, type=Certificate)
        except msgspec.DecodeError as error:
            raise Untrusted("its author has no certificate") from error
        if certificate.fleet != self.fleet or not is_name(certificate.who):
            raise Untrusted("its author belongs to another fleet")
        if not self._scheme.holds(self._public, CERTIFICATE + bytes(signed.content), signed.signature):
            raise Untrusted("its author's certificate was not made by this fleet's operator")
        return certificate


def certify(operator: Signer, certificate: Certificate) -> bytes:
    """The certificate as the member carries it, signed by the fleet's key."""
    raw = msgspec.json.encode(certificate)
    return msgspec.json.encode(_Signed(msgspec.Raw(raw), operator.sign(CERTIFICATE + raw)))
