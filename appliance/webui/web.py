"""What is a request, an answer, a route? The one module that knows Bottle, which has no types.

Handlers take a `Request` and return a `Response`; they raise `Refusal` (or any error of the appliance's tree) to say no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import bottle
import msgspec

from appliance.errors import RaasError
from appliance.webui import cookies
from appliance.webui.hub import Wire

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

JSON: Final = "application/json; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
#: What the doorkeeper leaves in a request's environment: the name on a token, and a role in lower case.
PERSON: Final = "raas.person"
ROLE: Final = "raas.role"
#: What the server leaves there: the connection itself, where it can be written to by others.
WIRE: Final = "raas.wire"
encode_json: Final = msgspec.json.Encoder().encode


class Body(Protocol):
    """What a request carries; reading waits without holding up other requests."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        ...


class Refusal(RaasError):
    """The request can't be served: an HTTP status, a short code for programs, a message that says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Request:
    """One HTTP request. `length_bytes` is None where the client doesn't say how much it sends.

    person: the name on the sender's token, '' without one. role: visitor, submitter or owner, as the doorkeeper found.
    wire: the connection, for whoever streams.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    arguments: Mapping[str, str]
    remote: str
    length_bytes: int | None
    body: Body
    person: str = ""
    role: str = ""
    wire: Wire | None = None

    @property
    def wants_page(self) -> bool:
        """Whether a person looks at the answer, not a program."""
        return not self.path.startswith("/api/") and "text/html" in self.headers.get("Accept", "")


@dataclass(frozen=True)
class Response:
    """One HTTP answer; `body` is either complete or a stream of chunks."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]
ErrorHandler = Callable[[Request, Exception], Response]


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    """A typed value as JSON that no cache keeps. Header names are given with underscores."""
    named = {"Cache-Control": "no-store"} | {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(encode_json(value), status, JSON, named)


def redirect(target: str) -> Response:
    """Answer to a form: look there now (303)."""
    return Response(status=303, headers={"Location": target})


class Templates:
    """Pages in Bottle's template language, compiled once, with everything escaped unless said otherwise."""

    def __init__(self, folder: Path, **always: object) -> None:
        self._folder = folder
        self._always = always
        self._compiled: dict[str, Any] = {}

    def render(self, template: str, /, **values: object) -> str:
        """The text of `template` with these values, those that all pages share, and the `role` of whoever asks."""
        if template not in self._compiled:
            self._compiled[template] = bottle.SimpleTemplate(name=template, lookup=[str(self._folder)])
        role = bottle.request.environ.get(ROLE, "")
        return str(self._compiled[template].render(**({"role": role} | self._always | values)))


class Site:
    """Routes and their handlers, as a WSGI application."""

    def __init__(self, check: Callable[[Request], None], on_error: ErrorHandler) -> None:
        """`check` raises for requests that no handler shall see; `on_error` answers to what was raised."""
        self._check = check
        self._bottle = bottle.Bottle()
        self._bottle.default_error_handler = self._not_routed
        self._on_error = on_error
        self.routes: set[tuple[str, str]] = set()

    def route(self, method: str, rule: str, handler: Handler) -> None:
        """Serve `rule` (Bottle's syntax; its parts arrive as `arguments`) with `handler`."""
        self.routes.add((method, rule))
        self._bottle.route(rule, method=method, callback=lambda **arguments: self._serve(handler, arguments))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, WSGI."""
        answer: Iterable[bytes] = self._bottle(environ, start_response)
        return answer

    def _serve(self, handler: Handler, arguments: dict[str, str]) -> Any:
        request = _request(arguments)
        try:
            self._check(request)
            response = handler(request)
        except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes an answer
            response = self._on_error(request, error)
        return _bottle_response(response)

    def _not_routed(self, error: Any) -> Any:
        if error.status_code == 405:
            refusal = Refusal(405, "method_not_allowed", "This address doesn't take that method.")
        elif error.status_code == 404:
            refusal = Refusal(404, "not_found", "There is nothing at this address.")
        else:
            refusal = Refusal(error.status_code, "bad_request", "The request couldn't be understood.")
        answer = _bottle_response(self._on_error(_request({}), refusal))
        bottle.response.status = answer.status
        for name, value in answer.headers.items():
            bottle.response.set_header(name, value)
        return answer.body


def _request(arguments: Mapping[str, str]) -> Request:
    raw = bottle.request
    length = raw.environ.get("CONTENT_LENGTH", "")
    chunked = "chunked" in raw.environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    return Request(
        method=raw.method,
        path=raw.path,
        query=dict(parse_qsl(raw.query_string, keep_blank_values=True)),
        headers=raw.headers,
        cookies=cookies.parse(raw.environ.get("HTTP_COOKIE", "")),
        arguments=arguments,
        remote=str(raw.environ.get("REMOTE_ADDR", "")),
        length_bytes=int(length) if length.isdigit() else (None if chunked else 0),
        body=raw.environ["wsgi.input"],
        person=raw.environ.get(PERSON, ""),
        role=raw.environ.get(ROLE, ""),
        wire=raw.environ.get(WIRE),
    )


def _bottle_response(response: Response) -> Any:
    body = response.body
    headers = {"Content-Type": response.content_type, **response.headers}
    if isinstance(body, bytes):
        headers["Content-Length"] = str(len(body))
    return bottle.HTTPResponse(body=body, status=response.status, headers=headers)
