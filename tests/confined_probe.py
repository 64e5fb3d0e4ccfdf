"""A worker that has been taken over: what it tries inside the confined child, for tests/test_isolation.py."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from appliance.intake import confined


def _attempt(action: Callable[[], object]) -> str:
    try:
        return f"done: {action()}"
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"


def look(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Look around and try doors."""
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "uid": [os.getuid(), os.geteuid(), os.getgid(), *os.getgroups()],
        "root": sorted(os.listdir("/")),
        "pid": os.getpid(),
        "host_name": _attempt(lambda: socket.sethostname("mine")),
        "secret": _attempt(lambda: Path(order["secret"]).read_text()),
        "shadow": _attempt(lambda: Path("/etc/shadow").read_bytes()),
        "write_root": _attempt(lambda: Path("/here").write_text("x")),
        "write_usr": _attempt(lambda: Path("/usr/here").write_text("x")),
        "kill_parent": _attempt(lambda: os.kill(order["victim"], signal.SIGKILL)),
        "connect": _attempt(lambda: socket.create_connection(("127.0.0.1", order["port"]), timeout=2)),
        "become_root": _attempt(lambda: os.setuid(0)),
        "device": _attempt(lambda: os.mknod("device", 0o20666, os.makedev(1, 1))),
        "chroot": _attempt(lambda: os.chroot(".")),
        "mount": libc.mount(b"x", b".", b"tmpfs", 0, None),
        "new_namespace": libc.unshare(0x0002_0000),
        "descriptors": [fd for fd in range(256) if _is_open(fd)],
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
    }


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def fill(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Write until there is no room."""
    with open("big", "wb") as file:
        while True:
            file.write(bytes(1 << 16))
            file.flush()


def fill_in_pieces(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Make files until there are no more; say how many there were."""
    for number in range(1_000_000):
        try:
            Path(f"f{number}").touch()
        except OSError:
            return {"files": number}
    return {"files": -1}


def eat_memory(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Take memory until there is no more."""
    held = []
    while True:
        held.append(bytearray(64 << 20))


def multiply(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Fork until it is refused; say how often it worked."""
    born = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        except OSError:
            return {"born": born}
        born += 1


def linger(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Leave grandchildren in sessions of their own, ignore what can be ignored, and never end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    teller.stage("lingering")
    while True:
        time.sleep(1)


def babble(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Send what is no answer: rubbish, deep nesting, wrong types, descriptors; then a proper one."""
    channel: socket.socket = teller._channel
    for packet in (b"\xff\xfe", b"[" * 60000, b'{"refused": 3, "stage": {}}', b'"answer"', b'{"answer": 7}', b"{" * 9):
        channel.send(packet)
    for _ in range(20):
        socket.send_fds(channel, [b'{"scratch": true}'], [0, 1])
    return {"fine": True}


def crash(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Fail in a way that nobody foresaw."""
    raise LookupError("a bug that a submission has found")


PROBES: dict[str, confined.Task] = {
    probe.__name__: probe for probe in (look, fill, fill_in_pieces, eat_memory, multiply, linger, babble, crash)
}

if __name__ == "__main__":
    confined.serve(lambda order, teller: PROBES[order["probe"]](order, teller))
