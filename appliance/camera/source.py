"""Where do the pictures come from? From a camera's address over HTTP, or drawn from what the simulated robot does.

A source gives one JPEG after another and never ends by itself; it raises CameraError when there is nothing to see.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ssl
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from appliance.camera.errors import CameraError
from appliance.camera.mjpeg import Splitter, boundary

Pictures = Iterator[bytes]
Source = Callable[[], Pictures]

#: A camera that sends nothing for so long is gone.
SILENCE_S: Final = 5.0
_CHUNK_BYTES: Final = 64 * 1024


def at(url: str, silence_s: float = SILENCE_S) -> Source:
    """The camera at an http or https address, in which name and password may stand. Raises CameraError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
        raise CameraError(
            "camera.url isn't an http or https address. With ustreamer on this machine it is 'http://127.0.0.1:8081/stream'."
        )
    return lambda: _pictures(parts, silence_s)


def _pictures(parts: SplitResult, silence_s: float) -> Pictures:
    who = f"The camera at {parts.hostname}"
    connection = _connection(parts, silence_s)
    try:
        with contextlib.closing(connection):
            yield from _stream(connection, parts)
    except ssl.SSLError as error:
        raise CameraError(
            f"{who}: its https certificate isn't valid ({error.reason}). Use http within your network."
        ) from error
    except TimeoutError as error:
        raise CameraError(f"{who} has sent nothing for {silence_s:g} s. Is it switched on?") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise CameraError(f"{who} can't be reached ({why}). Check camera.url and that the camera runs.") from error
    except CameraError as error:
        raise CameraError(f"{who}: {error}") from error
    raise CameraError(f"{who} has ended its stream.")


def _connection(parts: SplitResult, silence_s: float) -> http.client.HTTPConnection:
    assert parts.hostname is not None
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=silence_s)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=silence_s)


def _stream(connection: http.client.HTTPConnection, parts: SplitResult) -> Pictures:
    headers = {"Accept": "multipart/x-mixed-replace", "User-Agent": "raas-appliance"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
    answer = connection.getresponse()
    if answer.status == 401:
        raise CameraError("it wants a name and a password. Write them into camera.url: http://NAME:PASSWORD@…")
    if 300 <= answer.status < 400:
        raise CameraError("it sends elsewhere. Enter the final address in camera.url.")
    if answer.status != 200:
        raise CameraError(f"it answers with HTTP status {answer.status}. Check camera.url.")
    splitter = Splitter(boundary(answer.headers.get("Content-Type", "")))
    while data := answer.read1(_CHUNK_BYTES):
        yield from splitter.feed(data)
        if splitter.spoilt > 100:
            raise CameraError("its stream has no JPEG pictures in it.")
