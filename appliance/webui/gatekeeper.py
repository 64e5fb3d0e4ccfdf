"""Which requests are served at all? Pure rules on names and origins, and the headers that every answer carries.

A page from elsewhere must not reach the appliance through its visitor's browser: not by a DNS name that points here
(`Host` is checked) and not by a form or script on another site (`Origin` is checked on every write).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from appliance.shapes import Problem
from appliance.webui.web import JSON, Environ, Refusal, StartResponse, WsgiApp, encode_json

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_REASONS: Final = {400: "Bad Request", 403: "Forbidden", 421: "Misdirected Request"}
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
#: No inline script or style, nothing from anywhere else, no framing.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), usb=(), serial=()"),
)


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches a page at this address."""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_literal(name: str) -> bool:
    """Whether a host's name is an IP address: no DNS answer can make a visitor's browser say one."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_name(host: str) -> str:
    """The name in a `Host` header, in lower case, without port and brackets; empty if it isn't one."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def check_host(host: str, names: frozenset[str], *, literals: bool) -> None:
    """Raises Refusal (421) unless `host` names this appliance; with `literals`, any IP address does."""
    if host_name(host) not in names and not (literals and is_literal(host_name(host))):
        raise Refusal(
            421,
            "unknown_host",
            "The page was asked for under a name that isn't known here."
            " Use http://localhost, or add the name to web.hosts in raas.yaml.",
        )


def check_origin(method: str, headers: Mapping[str, str], *, tls: bool = False) -> None:
    """Raises Refusal (403) where a browser writes on behalf of another site. Programs send no Origin and may write.

    tls: the page is served by TLS itself. Without, it may be a proxy in front that does, so either origin is its own.
    """
    if method in READING:
        return
    origin, host = headers.get("Origin"), headers.get("Host", "")
    own = {f"https://{host}"} if tls else {f"http://{host}", f"https://{host}"}
    foreign = origin is not None and origin not in own
    if foreign or headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Refusal(
            403, "foreign_origin", "Another website tried to do this. Open the appliance's own page and do it there."
        )


def check_path(path: str) -> None:
    """Raises Refusal (400) for a path (as WSGI has it) that isn't UTF-8.

    Routing drops bytes that it can't decode. Whoever judges a request by its path must see the path that is routed.
    """
    try:
        path.encode("latin-1").decode()
    except UnicodeError:
        raise Refusal(400, "bad_path", "The address holds bytes that are no text. Correct it.") from None


class Gatekeeper:
    """WSGI middleware that applies these rules to everything behind it.

    literals: a page for other machines. hsts_s: how long browsers shall come by https alone; said over https only.
    """

    def __init__(self, app: WsgiApp, hosts: Iterable[str], *, literals: bool = False, hsts_s: int = 0) -> None:
        self._app, self._literals = app, literals
        hsts = (("Strict-Transport-Security", f"max-age={hsts_s}"),) if hsts_s else ()
        self._headers = {"http": SECURITY_HEADERS, "https": (*SECURITY_HEADERS, *hsts)}
        self._names = LOOPBACK_NAMES | {name.lower() for name in hosts}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse, or pass on; either way with the security headers."""
        scheme = environ["wsgi.url_scheme"]

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, *self._headers[scheme]], *rest)

        headers = {
            name: environ[key]
            for name, key in (
                ("Origin", "HTTP_ORIGIN"),
                ("Host", "HTTP_HOST"),
                ("Sec-Fetch-Site", "HTTP_SEC_FETCH_SITE"),
            )
            if key in environ
        }
        try:
            check_host(headers.get("Host", ""), self._names, literals=self._literals)
            check_path(environ.get("PATH_INFO", ""))
            check_origin(environ["REQUEST_METHOD"], headers, tls=scheme == "https")
        except Refusal as refusal:
            body = encode_json(Problem(error=refusal.code, message=refusal.message))
            start(
                f"{refusal.status} {_REASONS[refusal.status]}",
                [("Content-Type", JSON), ("Content-Length", str(len(body)))],
            )
            return [body]
        return self._app(environ, start)
