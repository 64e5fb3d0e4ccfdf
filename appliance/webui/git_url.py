"""Is this an address that a repository may be fetched from? Pure rules; nothing is looked up here.

git itself understands addresses that run programs (`ext::`), read this machine's files (`file://`, plain paths) or are
options (`--upload-pack=`). Only web addresses pass; where they lead is checked when they are fetched.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from appliance.errors import BadSource

MAX_URL_CHARACTERS: Final = 1000
MAX_REF_CHARACTERS: Final = 200
_URL_CHARACTERS: Final = re.compile(r"[!-~]+")
_REF_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_EXAMPLE: Final = "Use an address like https://example.org/you/pendulum.git."


def checked(url: str, *, allow_http: bool) -> str:
    """The address without surrounding space. Raises BadSource with what would be right."""
    url = url.strip()
    if not url:
        raise BadSource(f"There is no git URL. {_EXAMPLE}")
    if url.startswith("-"):
        raise BadSource(f"A git URL can't start with '-'. {_EXAMPLE}")
    if len(url) > MAX_URL_CHARACTERS or not _URL_CHARACTERS.fullmatch(url):
        raise BadSource(
            f"The git URL has characters that don't belong in one, or is longer than {MAX_URL_CHARACTERS}. {_EXAMPLE}"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError where it is no number
    except ValueError:
        raise BadSource(f"The git URL can't be understood. {_EXAMPLE}") from None
    _check_parts(parts, allow_http=allow_http)
    return url


def _check_parts(parts: SplitResult, *, allow_http: bool) -> None:
    if parts.scheme == "http" and not allow_http:
        raise BadSource(
            "Plain http can be read and changed on its way. Use https:// (the owner may set fetch.allow_http)."
        )
    if parts.scheme not in ("http", "https"):
        raise BadSource(f"Repositories are fetched over https only, not {parts.scheme or 'from a path'!r}. {_EXAMPLE}")
    if parts.username is not None or parts.password is not None:
        raise BadSource(
            "Leave user name and password out of the git URL: everybody could read them. Make the repository public, or upload an archive."
        )
    if not parts.hostname or not parts.path.strip("/"):
        raise BadSource(f"The git URL names no repository. {_EXAMPLE}")


def checked_ref(ref: str) -> str:
    """A branch, tag or commit; empty for the default branch. Raises BadSource."""
    ref = ref.strip()
    bad = ".." in ref or ref.endswith((".lock", "/", ".")) or "//" in ref
    if ref and (bad or len(ref) > MAX_REF_CHARACTERS or not _REF_CHARACTERS.fullmatch(ref)):
        raise BadSource(
            "The ref isn't a branch, tag or commit, such as main, v1.2 or 1f3a9c0. Leave it empty for the default branch."
        )
    return ref
