"""Processes of `raas up`: started, restarted when they fall, stopped without a rest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.supervisor import Child, StartFailed, Supervisor
from tests.patience import eventually
from tests.process_table import processes

FOREVER = "import sys, time; open(sys.argv[1], 'a').write('started\\n'); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FOREVER


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def supervisor(heard: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(lambda name, event: heard.append(f"{name} {event}"))
    yield supervisor
    supervisor.stop()


def child(marker: Path, program: str, stop_s: float = 5.0) -> Child:
    return Child("worker", [sys.executable, "-c", program, str(marker)], marker.parent / "worker.log", stop_s)


def test_a_started_child_is_ready_when_its_probe_says_so(supervisor: Supervisor, marker: Path) -> None:
    supervisor.start(child(marker, FOREVER), marker.exists, 10.0)
    assert marker.read_text() == "started\n"


def test_a_child_that_falls_while_starting_is_reported_with_its_last_words(
    supervisor: Supervisor, marker: Path
) -> None:
    with pytest.raises(StartFailed, match="no such robot"):
        supervisor.start(child(marker, "raise SystemExit('no such robot')"), marker.exists, 10.0)


def test_a_killed_child_starts_again_and_somebody_hears_of_it(
    supervisor: Supervisor, marker: Path, heard: list[str]
) -> None:
    worker = child(marker, FOREVER)
    supervisor.start(worker, marker.exists, 10.0)
    assert worker.process is not None
    worker.process.kill()

    def twice() -> bool:
        supervisor.watch(time.monotonic())
        return marker.read_text().count("started") == 2

    eventually(twice, 10.0, "the child has started a second time")
    assert heard == ["worker ended with status -9; starts again in 0.25 s"]


def test_a_child_that_ignores_sigterm_is_killed(supervisor: Supervisor, marker: Path) -> None:
    worker = child(marker, STUBBORN, stop_s=0.2)
    supervisor.start(worker, marker.exists, 10.0)
    supervisor.stop()
    assert worker.exit_status == -signal.SIGKILL


def test_children_die_with_a_killed_supervisor(marker: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from appliance.supervisor import Child, Supervisor\n"
        f"worker = Child('worker', [sys.executable, '-c', {FOREVER!r}, sys.argv[1]], Path(sys.argv[1] + '.log'))\n"
        "Supervisor(print).start(worker, Path(sys.argv[1]).exists, 10.0); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(marker)])
    eventually(marker.exists, 10.0, "the child has started")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    eventually(lambda: not list(processes(str(marker))), 10.0, "the child has gone")
