"""Who takes part? Keys and certificates of simulated members, with real signatures or ones that cost a microsecond."""

from __future__ import annotations

import hashlib
import random

from appliance.federation.election import ROLE
from appliance.federation.signing import Certificate, Ed25519, Ed25519Signer, Identity, Roster, Scheme, Signer, certify

FLEET = "simulated"


class QuickScheme:
    """A keyed hash whose key is public: as good as a signature where nobody forges, and 100 times faster."""

    def holds(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the hash is right."""
        return hashlib.blake2b(message, key=public, digest_size=16).digest() == signature


class QuickSigner:
    """Signs for QuickScheme."""

    def __init__(self, secret: bytes) -> None:
        self.public = secret

    def sign(self, message: bytes) -> bytes:
        """The keyed hash."""
        return hashlib.blake2b(message, key=self.public, digest_size=16).digest()


class Cast:
    """The operator and the members that it certifies."""

    def __init__(self, rng: random.Random, *, quick: bool = False, fleet: str = FLEET) -> None:
        self._rng, self._quick, self.fleet = rng, quick, fleet
        self._operator = self._signer()
        self._scheme: Scheme = QuickScheme() if quick else Ed25519()

    def _signer(self) -> Signer:
        secret = self._rng.randbytes(32)
        return QuickSigner(secret) if self._quick else Ed25519Signer(secret)

    def member(self, who: str, *, compacts: bool = False, expires_s: float = 1e12) -> Identity:
        """A new member."""
        signer = self._signer()
        roles = (ROLE,) if compacts else ()
        return Identity(
            signer, certify(self._operator, Certificate(self.fleet, who, signer.public, expires_s, roles)), who
        )

    def roster(self, revoked: dict[str, float] | None = None) -> Roster:
        """What a member of this fleet believes."""
        return Roster(self.fleet, self._operator.public, revoked, self._scheme)
