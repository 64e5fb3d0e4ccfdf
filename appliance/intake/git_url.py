"""Which git URLs and refs are accepted? Pure rules; where a name leads to is `egress`'s question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from appliance.errors import BadSource
from appliance.intake.tree import plain

_MAX_LENGTH: Final = 2000
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?")
_VISIBLE: Final = re.compile(r"[!-~]+")
_SCP_STYLE: Final = re.compile(r"[\w.-]+@[\w.-]+:(?!//)")
_HIDDEN_CONTROL: Final = re.compile(r"%([01][0-9a-f]|7f|2e%2e|5c)", re.IGNORECASE)
_REF_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/\.|^[-/.+]|[/.]$")
_EXAMPLE: Final = "Give one like https://example.org/you/project.git, or upload an archive."


@dataclass(frozen=True)
class GitUrl:
    """A URL that was taken apart and found fit; `text` is what git gets."""

    text: str
    host: str
    port: int


def parse(text: str, allow_http: bool = False) -> GitUrl:
    """Take a git URL apart. Raises BadSource with what is wrong and what to do.

    >>> parse("https://example.org/a/b.git")
    GitUrl(text='https://example.org/a/b.git', host='example.org', port=443)
    """
    if not _VISIBLE.fullmatch(text) or "\\" in text or len(text) > _MAX_LENGTH:
        raise BadSource(f"The git URL is empty, too long, or has spaces or other odd characters in it. {_EXAMPLE}")
    if text.startswith("-"):
        raise BadSource(f"A git URL can't begin with “-”. {_EXAMPLE}")
    if _SCP_STYLE.match(text) or text.startswith(("ssh:", "git+ssh:")):
        raise BadSource(f"Repositories can't be fetched over ssh here: the appliance has no key. {_EXAMPLE}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadSource(f"This is not a URL ({error}). {_EXAMPLE}") from error
    _check_scheme(parts.scheme, text, allow_http)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise BadSource("The git URL holds a user name or password. Leave it out: jobs and their URLs are public here.")
    _check_host(host)
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise BadSource(f"The git URL has “?” or “#” in it. Give a branch, tag or commit in its own field. {_EXAMPLE}")
    if not parts.path.strip("/") or ".." in parts.path.split("/") or _HIDDEN_CONTROL.search(parts.path):
        raise BadSource(f"The git URL names no repository. {_EXAMPLE}")
    written = f"[{host}]" if ":" in host else host
    if port == 0:
        raise BadSource(f"The git URL has port 0. {_EXAMPLE}")
    place = written if port is None else f"{written}:{port}"
    return GitUrl(f"{parts.scheme}://{place}{parts.path}", host, port or {"https": 443, "http": 80}[parts.scheme])


def _check_scheme(scheme: str, text: str, allow_http: bool) -> None:
    if scheme == "http" and not allow_http:
        raise BadSource("Plain http is off here. Use https, or ask the owner to set fetch.allow_http.")
    if scheme not in {"https", "http"} or not text.lower().startswith(f"{scheme}://"):
        shown = plain(text.split(":")[0], 20) if ":" in text else ""
        kind = f"“{shown}:” URLs are" if shown else "Paths without https:// are"
        raise BadSource(f"{kind} not accepted: repositories are fetched over https. {_EXAMPLE}")


def _check_host(host: str) -> None:
    if ":" in host:
        if "%" not in host:
            return
    elif _HOST.fullmatch(host) and len(host) <= 253:
        return
    raise BadSource(f"The git URL's host “{plain(host, 60)}” is no valid host name (non-ASCII ones: xn--…). {_EXAMPLE}")


def check_ref(ref: str) -> str:
    """A branch, tag or full commit id as git may have it ('' is the default branch). Raises BadSource."""
    if len(ref) > 255 or _REF_FORBIDDEN.search(ref) or ref == "@":
        raise BadSource(
            f"“{plain(ref, 60)}” can't be a branch, tag or commit. Give its plain name, such as main or v1.0."
        )
    return ref
