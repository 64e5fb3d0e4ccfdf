"""What does a lease's token hold? The appliance's public key and one person's own key, as one line of text.

Whoever has the line may drive. So it is made on the appliance, shown once, and never sent to any server: from it the
client knows whom it talks to before it says anything, and proves itself without telling the key (CurveZMQ).
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gym_raas.errors import BadToken

PREFIX: Final = "raaslease_"
KEY_BYTES: Final = 32
_CHECK_BYTES: Final = 4
_MAX_CHARACTERS: Final = 200
_ASK: Final = "Ask the robot's owner, who makes one with `raas lease grant NAME`"


@dataclass(frozen=True, repr=False)
class LeaseToken:
    """The appliance's public key and the person's secret key, 32 bytes each. It has no repr, so no log shows it."""

    server_public: bytes
    client_secret: bytes

    def text(self) -> str:
        """The line to hand out."""
        keys = self.server_public + self.client_secret
        return PREFIX + base64.urlsafe_b64encode(keys + _check(keys)).decode().rstrip("=")


def read(token: str | Path | None) -> LeaseToken:
    """The token in this text, or in the file at this path. Raises BadToken, which never repeats the text."""
    if isinstance(token, Path):
        try:
            token = token.expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise BadToken(f"The token's file can't be read: {error}") from error
    if not token:
        raise BadToken(f"A robot over the network needs token=... . {_ASK}.")
    if not isinstance(token, str):
        raise BadToken(
            f"token is a {type(token).__name__}; expected is the token's text, or the Path of a file with it."
        )
    return _parsed(token.strip())


def _parsed(text: str) -> LeaseToken:
    if not text.startswith(PREFIX):
        raise BadToken(f"This is no token for a lease: those begin with {PREFIX!r}. {_ASK}.")
    try:
        encoded = text.removeprefix(PREFIX)[:_MAX_CHARACTERS].encode("ascii")
        content = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        content = b""
    keys, check = content[:-_CHECK_BYTES], content[-_CHECK_BYTES:]
    if len(keys) != 2 * KEY_BYTES or check != _check(keys):
        raise BadToken("This token is damaged: a part of it is missing or mistyped. Copy the whole line again.")
    return LeaseToken(keys[:KEY_BYTES], keys[KEY_BYTES:])


def _check(keys: bytes) -> bytes:
    """Finds slips of the hand; it proves nothing."""
    return zlib.crc32(keys).to_bytes(_CHECK_BYTES, "big")
