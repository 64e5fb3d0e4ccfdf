"""How does a container's output reach us? A thread that reads Docker's attach stream into a Capture.

It is attached before the container starts, so that not even an instant job's output is lost, and Docker keeps no log
of its own. A flood is read at a bounded rate: the job's writes then block, which costs neither disk nor CPU outside
the job's own share. The stream ends when the container's last process has closed it, so its end tells of the exit.
"""

from __future__ import annotations

import socket
import threading
from typing import Final

from appliance.running.output import FLOOD_BYTES_PER_S, Capture

_CHUNK_BYTES: Final = 64 * 1024
_HEADER_BYTES: Final = 8


class Frames:
    """Takes Docker's multiplexed stream apart: each frame is a stream number, three zeros, a length and the payload."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The payload of all frames that are complete by now, stdout and stderr in their order."""
        self._buffer += data
        payload = bytearray()
        start = 0
        while len(self._buffer) - start >= _HEADER_BYTES:
            end = start + _HEADER_BYTES + int.from_bytes(self._buffer[start + 4 : start + _HEADER_BYTES], "big")
            if end > len(self._buffer):
                break
            payload += self._buffer[start + _HEADER_BYTES : end]
            start = end
        del self._buffer[:start]
        return bytes(payload)


class Reader:
    """Reads one attach stream until it ends. `ended` is set then, whatever the cause."""

    def __init__(self, stream: socket.socket, capture: Capture) -> None:
        self.ended = threading.Event()
        self.error: OSError | None = None
        self._stream = stream
        self._capture = capture
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """Read what is left without delay, then stop; a stream that doesn't end in time is cut."""
        self._hurry.set()
        if not self.ended.wait(timeout_s):
            self.close()
        self._thread.join()

    def close(self) -> None:
        """Cut the stream."""
        try:
            self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already

    def _run(self) -> None:
        frames = Frames()
        try:
            while data := self._stream.recv(_CHUNK_BYTES):
                self._take(frames.feed(data))
                if self._capture.is_flooded:
                    self._hurry.wait(len(data) / FLOOD_BYTES_PER_S)
        except OSError:
            pass  # cut, or the engine has gone: an end like any other
        finally:
            self._stream.close()
            self.ended.set()

    def _take(self, payload: bytes) -> None:
        """Hand on; a full disk loses output, and that is remembered, but the job goes on."""
        if self.error is None:
            try:
                self._capture.feed(payload)
            except OSError as error:
                self.error = error
