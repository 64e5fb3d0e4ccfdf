"""A twin's process, a raw connection to it, and patience."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from pathlib import Path

import pigpio

from appliance.realtime.twin import pinlog
from tests.patience import eventually

ROOT = Path(__file__).parents[3]


class RunningTwin:
    """A twin's process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._port_file, self.pin_file = folder / "port", folder / "pins"
        command = [sys.executable, "-m", "appliance.realtime.twin", "--port", "0", "--port-file", self._port_file]
        self.process = subprocess.Popen(
            [*map(str, command), "--pin-log", str(self.pin_file), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            eventually(lambda: self._port_file.exists() or self.process.poll() is not None, what="the twin's port")
            assert self.process.poll() is None, self.process.communicate()
        except AssertionError:
            self.process.kill()
            raise
        self.port = int(self._port_file.read_text())

    def pins(self) -> list[pinlog.PinRecord]:
        """What the pin log holds by now."""
        return pinlog.read(self.pin_file)

    def stop(self) -> int:
        """End it as a service manager does; the exit code."""
        self.process.terminate()
        self.process.communicate(timeout=10.0)
        return self.process.returncode

    def client(self) -> pigpio.pi:
        """A connected client of the library that everybody uses."""
        pi = pigpio.pi("127.0.0.1", self.port)
        assert pi.connected
        return pi


class RawClient:
    """A connection that sends what it likes."""

    def __init__(self, port: int, receive_buffer_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(10.0)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *requests: tuple[int, int, int, bytes]) -> None:
        data = [struct.pack("<4I", c, p1, p2, len(extension)) + extension for c, p1, p2, extension in requests]
        self.socket.sendall(b"".join(data))

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            assert more, "the twin closed the connection"
            data += more
        return data

    def reply(self) -> tuple[int, int, int, int]:
        command, p1, p2, result = struct.unpack("<IIIi", self.receive(16))
        return command, p1, p2, result

    def ask(self, command: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> int:
        self.send((command, p1, p2, extension))
        return self.reply()[3]

    def ended(self) -> bool:
        """Whether the other side closes the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
