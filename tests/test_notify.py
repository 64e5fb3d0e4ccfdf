"""What systemd hears from us."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(1.0)
        yield channel


def test_without_a_service_manager_nothing_happens() -> None:
    Notifier({}).ready("up")


def test_readiness_and_status_arrive(manager: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": str(manager.getsockname())}).ready("page at :8080")
    assert manager.recv(100) == b"READY=1\nSTATUS=page at :8080"


def test_signs_of_life_are_passed_on_four_times_a_period(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.getsockname()), "WATCHDOG_USEC": "4000000"})
    for step in range(40):
        notifier.alive(step * 0.1)
    notifier.stopping()
    assert list(iter(lambda: manager.recv(100), b"STOPPING=1")) == [b"WATCHDOG=1"] * 4


def test_a_dead_manager_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()
