"""Who has claimed this appliance? Password, setup code and tokens, in one folder that only the web page's user reads.

An unclaimed appliance makes a setup code; whoever can read it (on the console, in the journal, as root in the file) may set
the owner's password, once. Without `owner.json` the appliance is unclaimed again: that is how a lost password is mended.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance import durable
from appliance.errors import Conflict, RaasError
from appliance.identity import passwords, sessions

#: No letters or digits that look like others.
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_CHARACTERS: Final = 10
_MAX_TOKENS: Final = 200
#: Sessions that were logged out before their end; with one more, all sessions end.
_MAX_ENDED: Final = 1000

Right = Literal["submit", "owner"]


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token: whose it is, what it allows, its hash, and when it was made and ends (s since the epoch)."""

    name: str
    right: Right
    sha256: str
    made_at: float = 0.0
    ends_at: float | None = None

    def has_ended(self, now_s: float) -> bool:
        """Whether it is of no use any more."""
        return self.ends_at is not None and now_s >= self.ends_at


class Holder(msgspec.Struct, frozen=True):
    """Who shows a credential: what he may do, and the name on his token ('' for the owner by password)."""

    right: Right
    name: str = ""


class _Kept(msgspec.Struct, frozen=True):
    password: str
    secret: str
    tokens: tuple[Token, ...] = ()
    ended: tuple[tuple[str, int], ...] = ()  # nonces of sessions that were logged out, and when they would have ended


class Denied(RaasError):
    """A wrong password, code or token."""


class Ownership:
    """The folder's content. One process writes it; every change is durable when the call returns."""

    def __init__(self, folder: Path, most_ended: int = _MAX_ENDED) -> None:
        """Read it. Raises RaasError where the owner's file is broken: it is never taken for an unclaimed appliance."""
        self._folder, self._most_ended = folder, most_ended
        self._file, self._code_file = folder / "owner.json", folder / "setup-code"
        self._kept = self._read()

    @property
    def is_claimed(self) -> bool:
        """Whether there is an owner."""
        return self._kept is not None

    @property
    def tokens(self) -> tuple[Token, ...]:
        """All tokens, those that have ended too, until somebody removes them."""
        return self._kept.tokens if self._kept else ()

    def setup_code(self) -> str:
        """The code that claims the appliance, made if there is none yet. Raises Conflict when it is claimed."""
        if self._kept is not None:
            raise Conflict("This appliance has an owner already.")
        if not self._code_file.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARACTERS))
            durable.write(self._code_file, f"{code[:5]}-{code[5:]}\n".encode())
        return self._code_file.read_text().strip()

    def claim(self, code: str, password: str) -> None:
        """Become the owner. Raises Denied, BadPassword, Conflict."""
        if not _same(_plain(code), _plain(self.setup_code())):
            raise Denied("That isn't the setup code. It stands on the appliance's console and in its journal.")
        passwords.check(password)
        self._write(_Kept(passwords.hashed(password), secrets.token_hex(32)))
        self._code_file.unlink(missing_ok=True)

    def check(self, password: str) -> None:
        """Raises Denied unless it is the owner's password. Slow on purpose."""
        if self._kept is None or not passwords.matches(password, self._kept.password):
            raise Denied("That isn't the owner's password.")

    def change(self, old: str, new: str) -> None:
        """Set another password and end all sessions. Raises Denied, BadPassword, Conflict."""
        self._owner()
        self.check(old)
        self.replace(new)

    def replace(self, password: str) -> None:
        """The same for whoever holds the card in hand, and needs no old password. Raises BadPassword, Conflict."""
        kept = self._owner()
        passwords.check(password)
        self._write(_Kept(passwords.hashed(password), secrets.token_hex(32), kept.tokens))

    def add_token(self, name: str, right: Right, now_s: float, lasts_s: float | None = None) -> str:
        """A new token, told this once; without `lasts_s` it has no end. Raises Conflict."""
        kept = self._owner()
        if any(token.name == name for token in kept.tokens) or len(kept.tokens) >= _MAX_TOKENS:
            raise Conflict(f"There is a token for {name!r} already, or there are too many. Remove one first.")
        text = f"raas_{secrets.token_urlsafe(24)}"
        ends_at = None if lasts_s is None else now_s + lasts_s
        self._write(
            msgspec.structs.replace(kept, tokens=(*kept.tokens, Token(name, right, _digest(text), now_s, ends_at)))
        )
        return text

    def remove_token(self, name: str) -> None:
        """End a token. Idempotent."""
        kept = self._owner()
        left = tuple(token for token in kept.tokens if token.name != name)
        self._write(msgspec.structs.replace(kept, tokens=left))

    def token(self, text: str, now_s: float) -> Token | None:
        """The token that this text is, unless it has ended."""
        digest = _digest(text)
        found = next((token for token in self.tokens if _same(token.sha256, digest)), None)
        return None if found is None or found.has_ended(now_s) else found

    def log_in(self, now_s: float, token: Token | None = None) -> str:
        """A new session, of a token's holder or of the owner. Raises Conflict."""
        return sessions.issue(bytes.fromhex(self._owner().secret), now_s, token.sha256 if token else "")

    def session(self, text: str, now_s: float) -> Holder | None:
        """Whose session this is, unless it has ended, was logged out, or its token is gone."""
        found = self._session(text, now_s)
        if found is None or not found.subject:
            return None if found is None else Holder("owner")
        token = next((token for token in self.tokens if _same(token.sha256, found.subject)), None)
        return None if token is None or token.has_ended(now_s) else Holder(token.right, token.name)

    def log_out(self, text: str, now_s: float) -> None:
        """End a session for whoever has kept a copy of it, too."""
        found = self._session(text, now_s)
        if found is None:
            return
        kept = self._owner()
        ended = (*(each for each in kept.ended if each[1] > now_s), (found.nonce, found.ends_at))
        if len(ended) > self._most_ended:
            self._write(msgspec.structs.replace(kept, secret=secrets.token_hex(32), ended=()))
        else:
            self._write(msgspec.structs.replace(kept, ended=ended))

    def _session(self, text: str, now_s: float) -> sessions.Session | None:
        if self._kept is None:
            return None
        found = sessions.read(bytes.fromhex(self._kept.secret), text, now_s)
        return None if found is None or any(nonce == found.nonce for nonce, _ in self._kept.ended) else found

    def _owner(self) -> _Kept:
        if self._kept is None:
            raise Conflict("This appliance has no owner yet. Claim it first.")
        return self._kept

    def _read(self) -> _Kept | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise RaasError(
                f"{self._file} can't be read ({error}). Restore it; or remove it as root and claim the appliance anew."
            ) from error

    def _write(self, kept: _Kept) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(self._file, msgspec.json.encode(kept))
        self._kept = kept


def _plain(code: str) -> str:
    return "".join(character for character in code.upper() if character.isalnum())


def _digest(text: str) -> str:
    """Tokens are random and long, so a plain hash keeps them."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
