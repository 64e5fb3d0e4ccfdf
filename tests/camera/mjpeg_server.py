"""Cameras as there are: an HTTP server on loopback whose answer the test decides."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from PIL import Image

Answer = Callable[[bytes, socket.socket], None]


def jpeg(colour: str = "#0a6c8c", size: tuple[int, int] = (64, 48)) -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def ustreamer(pictures: Iterable[bytes], boundary: str = "boundarydonotcross") -> bytes:
    """What ustreamer sends: each part with its length."""
    parts = (b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\nX-Timestamp: 1.5\r\n\r\n%s\r\n"
             % (boundary.encode(), len(picture), picture) for picture in pictures)  # fmt: skip
    return b"".join(parts)


def terse(pictures: Iterable[bytes], boundary: str = "boundarydonotcross") -> bytes:
    """What many cheap cameras send: no lengths, bare line feeds."""
    parts = (b"--%s\nContent-type: image/jpeg\n\n%s\n" % (boundary.encode(), picture) for picture in pictures)
    return b"".join(parts) + b"--" + boundary.encode()


def head(content_type: str = "multipart/x-mixed-replace;boundary=boundarydonotcross", status: str = "200 OK") -> bytes:
    """The answer's head."""
    return f"HTTP/1.0 {status}\r\nContent-Type: {content_type}\r\n\r\n".encode()


@contextmanager
def camera(answer: Answer) -> Iterator[str]:
    """Serve; yields the address. `answer` gets each request and its connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def attend(connection: socket.socket) -> None:
        request = b""
        try:
            while b"\r\n\r\n" not in request:
                data = connection.recv(4096)
                if not data:
                    return
                request += data
            answer(request, connection)
        except OSError:
            pass
        finally:
            connection.close()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/stream"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_ones:
            connection.close()
        thread.join(2.0)


def sends(*pieces: bytes, stay: threading.Event | None = None) -> Answer:
    """A camera that sends this and hangs up, or keeps the line open until `stay` is set."""

    def answer(_request: bytes, connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
        if stay is not None:
            stay.wait()

    return answer
