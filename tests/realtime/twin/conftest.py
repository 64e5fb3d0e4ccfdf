"""Twins to test against: one process for a module's tests, or one for a single test with options of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pigpio
import pytest

from tests.realtime.twin.running_twin import RawClient, RunningTwin


@pytest.fixture
def start_twin(tmp_path: Path) -> Iterator[Callable[..., RunningTwin]]:
    """Starts twins with options; all are stopped at the end."""
    started: list[RunningTwin] = []

    def start(*options: str) -> RunningTwin:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(RunningTwin(folder, *options))
        return started[-1]

    yield start
    for twin in started:
        twin.stop()


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTwin]:
    """One twin for a module."""
    running = RunningTwin(tmp_path_factory.mktemp("twin"))
    yield running
    running.stop()


@pytest.fixture
def raw(twin: RunningTwin) -> Iterator[RawClient]:
    """A raw connection to the module's twin."""
    client = RawClient(twin.port)
    yield client
    client.socket.close()


@pytest.fixture
def pi(twin: RunningTwin) -> Iterator[pigpio.pi]:
    """The pigpio client, with GPIO 25 as it is after the start."""
    client = twin.client()
    before = pigpio.exceptions
    pigpio.exceptions = False
    client.set_mode(25, pigpio.INPUT)
    client.set_PWM_range(25, 255)
    client.set_PWM_frequency(25, 800)
    yield client
    client.set_mode(25, pigpio.INPUT)
    pigpio.exceptions = before
    client.stop()
