"""How are connections served? gevent's WSGI server with limits that keep slow, silent or endless clients from harm."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from email.errors import FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect, MissingHeaderBodySeparatorDefect
from typing import Any, Final

import gevent
from gevent.pool import Pool
from gevent.pywsgi import Input, WSGIHandler, WSGIServer
from gevent.ssl import SSLSocket

from appliance.errors import ConfigError, InUse
from appliance.shapes import Problem
from appliance.webui.crowd import Crowd
from appliance.webui.web import JSON, WIRE, WsgiApp, encode_json

#: More than this many, and one of whoever has most of them has to go; well below the usual 1024 descriptors of a process.
MAX_CONNECTIONS: Final = 500
#: A connection may rest between two requests, but a request that has begun must come quickly.
IDLE_S: Final = 75.0
HEADERS_S: Final = 5.0
#: Longest wait for one piece to arrive or leave.
STALLED_S: Final = 30.0
#: Of a refused upload, this much is still read, so that its sender sees the answer instead of a broken connection.
DISCARD_BYTES: Final = 16 * 2**20
DISCARD_S: Final = 5.0
#: The longest length of a body in digits: far more than any disk holds.
_LENGTH_DIGITS: Final = 18
_UNREADABLE: Final = encode_json(
    Problem(
        error="bad_request",
        message="The request's first line or headers can't be read. Send each header as `Name: value`, in ASCII, within "
        f"{HEADERS_S:.0f} s, with one Content-Length in digits or Transfer-Encoding: chunked.",
    )
)
#: Sent instead of gevent's, which is empty.
_UNREADABLE_ANSWER: Final = (
    f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: {JSON}\r\nCache-Control: no-store\r\n"
    f"X-Content-Type-Options: nosniff\r\nContent-Length: {len(_UNREADABLE)}\r\n\r\n"
).encode() + _UNREADABLE
#: Of what the parser finds odd, what concerns the headers and not the body behind them.
_BROKEN_HEADERS: Final = (FirstHeaderLineIsContinuationDefect, InvalidHeaderDefect, MissingHeaderBodySeparatorDefect)
#: What WSGI's names of headers begin with.
_HEADER_KEYS: Final = ("HTTP_", "CONTENT_TYPE")
_LOG = logging.getLogger(__name__)


def _in_utf8(value: str) -> str:
    """A header's value in WSGI's way of writing bytes, with a sign in place of what UTF-8 can't read."""
    return value.encode("latin-1").decode(errors="replace").encode().decode("latin-1")


class _BoundedInput(Input):
    """A request's body that isn't read to an end that may never come."""

    def _discard(self) -> None:
        left = (self.content_length or 0) - self.position
        if self.chunked_input or left > DISCARD_BYTES:
            raise ConnectionResetError(errno.ECONNRESET, "too much of the body is left")
        with gevent.Timeout(DISCARD_S, ConnectionResetError(errno.ECONNRESET, "the body came too slowly")):
            super()._discard()  # type: ignore[misc]  # missing in gevent's types


class Handler(WSGIHandler):
    """One connection."""

    def __init__(self, sock: socket.socket, address: Any, server: Any) -> None:
        sock.settimeout(STALLED_S)
        self._crowd: Crowd = server.crowd
        super().__init__(sock, address, server)

    def handle(self) -> None:
        """Serve it from its beginning to its end."""
        with self._crowd.joined(self.client_address[0], self.socket):
            if self._shake_hands():
                super().handle()

    def _shake_hands(self) -> bool:
        """Agree with the client on TLS, if that is spoken here; False where he doesn't."""
        if not isinstance(self.socket, SSLSocket):
            return True
        try:
            with gevent.Timeout(HEADERS_S, TimeoutError("handshake")):
                self.socket.do_handshake()
        except OSError:  # of another kind than ours, too slow, or gone
            return False
        return True

    def read_requestline(self) -> str:
        """The first line of the next request."""
        with gevent.Timeout(IDLE_S, TimeoutError("idle")):
            return str(super().read_requestline())

    def read_request(self, raw_requestline: str) -> Any:
        """The headers; ValueError is how the server wants to hear that they are bad."""
        with gevent.Timeout(HEADERS_S, ValueError("the headers came too slowly")):
            understood = super().read_request(raw_requestline)
        self._check_headers()
        return understood

    def _check_headers(self) -> None:
        """Raise ValueError where others could read another length out of them than we do, or gevent would stumble."""
        headers = self.headers
        lengths = headers.get_all("content-length") or []
        codings = headers.get_all("transfer-encoding") or []
        digits = "".join(lengths).strip()
        if len(lengths) > 1 or (
            lengths and not (digits.isascii() and digits.isdigit() and len(digits) <= _LENGTH_DIGITS)
        ):
            raise ValueError("a length that isn't one")
        if len(codings) > 1 or (codings and codings[0].strip().lower() != "chunked"):
            raise ValueError("a transfer encoding that isn't spoken here")
        if any(isinstance(each, _BROKEN_HEADERS) for each in headers.defects):
            raise ValueError("headers that aren't any")

    def _handle_client_error(self, ex: Exception) -> tuple[str, bytes] | None:
        """What is answered to a request that can't be read; nobody is there to answer where the connection broke."""
        if isinstance(ex, OSError):
            return None
        _LOG.debug("A request from %s can't be read: %r", self.client_address, ex)
        return "400", _UNREADABLE_ANSWER

    def get_environ(self) -> Any:
        """The request as WSGI wants it, with our kind of body."""
        environ = super().get_environ()
        # Bottle reads values as UTF-8, and fails at those that aren't. Another service's cookie may well not be.
        environ.update({key: _in_utf8(value) for key, value in environ.items() if key.startswith(_HEADER_KEYS)})
        body = self.wsgi_input
        assert body is not None
        self.wsgi_input = _BoundedInput(self.rfile, body.content_length, body.socket, body.chunked_input)
        environ["wsgi.input"] = self.wsgi_input
        if not isinstance(self.socket, SSLSocket):  # what TLS has begun to send can't be left to somebody else
            environ[WIRE] = self
        return environ

    def offer(self, plain: bytes, chunked: bytes) -> bytes:
        """Send as much of it as goes without waiting, once the answer's headers are gone; what is left. Raises OSError."""
        data = chunked if self.response_use_chunked else plain
        try:
            sent: int = self.socket.send(data, 0, 0.0)  # type: ignore[call-arg]  # gevent's takes a timeout
            return data[sent:]
        except BlockingIOError:
            return data

    def finish(self, rest: bytes) -> None:
        """Send the rest, and wait for it. Raises OSError."""
        self._sendall(rest)

    def _sendall(self, data: bytes) -> None:
        try:
            super()._sendall(data)  # type: ignore[misc]  # as above
        except (TimeoutError, ssl.SSLError) as error:
            # Whoever doesn't take what he asked for is gone; the server knows that error and says nothing.
            raise ConnectionResetError(errno.ECONNRESET, "the client stopped reading") from error

    def handle_one_response(self) -> None:
        """Serve it; what is left of an unread body after that decides whether the connection can be used again."""
        super().handle_one_response()
        body = self.wsgi_input
        if body is None or body.chunked_input or body.position < (body.content_length or 0):
            self.close_connection = True

    def log_request(self) -> None:
        """Nothing: a page that is watched would fill the log."""


class Server(WSGIServer):
    """gevent's server, which knows everybody who is connected."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.crowd = Crowd(MAX_CONNECTIONS)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket. Raises InUse, ConfigError."""
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(
            f"web.address: {address!r} is no address of this machine ({error}). Use 127.0.0.1."
        ) from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InUse(
                f"Port {port} on {address} is taken by another program. Choose another with web.port or --port."
            ) from error
        raise ConfigError(f"web.address: can't listen on {address} port {port}: {error.strerror}.") from error
    listener.setblocking(False)
    return listener


def serve(app: WsgiApp, listener: socket.socket, context: ssl.SSLContext | None = None) -> WSGIServer:
    """Start serving, by TLS with a context; the caller keeps the process alive and stops the server."""
    # The handshake waits for the client, so it belongs where that has a limit.
    tls: dict[str, Any] = {} if context is None else {"ssl_context": context, "do_handshake_on_connect": False}
    server = Server(
        listener,
        app,
        spawn=Pool(2 * MAX_CONNECTIONS),  # those who have to go need a moment for it
        handler_class=Handler,
        log=None,
        error_log=_LOG,
        environ={"wsgi.multithread": True},
        **tls,
    )
    server.start()
    return server
