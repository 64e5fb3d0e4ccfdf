"""Named services and fixed verbs: over systemd's units, and over what `raas up` runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.care import foreground, services
from appliance.care.foreground import Process
from appliance.errors import Conflict, NotFound
from appliance.paths import Paths
from appliance.supervisor import Child, Supervisor
from appliance.units import UnitError
from tests.patience import eventually

HOW = {
    "raas-runner.service": "LoadState=loaded\nActiveState=failed\nSubState=failed\nStatusText=\nNRestarts=3\n",
    "raas-webui.service": "LoadState=loaded\nActiveState=active\nSubState=running\nStatusText=page at port 8080\nNRestarts=0\n",
}
GONE = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nNRestarts=0\n"


class Systemd:
    def __init__(self, units: dict[str, str], error: str = "") -> None:
        self.asked: list[list[str]] = []
        self._units, self._error = units, error

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(command))
        return subprocess.CompletedProcess(
            command, int(bool(self._error)), self._units.get(command[-1], GONE), self._error
        )


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.of(tmp_path / "data", tmp_path / "run")
    found.runtime.mkdir(parents=True)
    return found


def test_units_are_shown_as_people_see_them(paths: Paths) -> None:
    found = services.overview(paths, Systemd(HOW))
    shown = {one.name: (one.state, one.detail, one.restarts, one.verbs) for one in found.services}
    assert found.keeper == "systemd"
    assert shown == {
        "runner": ("failed", "failed", 3, ("start",)),
        "webui": ("running", "page at port 8080", 0, ("stop", "restart")),
    }


def test_where_nothing_runs_it_is_said_what_to_do(paths: Paths) -> None:
    assert "raas up" in services.overview(paths, Systemd({})).problem
    assert services.overview(paths, Systemd({}, error="no bus")).problem


def test_a_page_that_restarts_itself_does_not_wait_for_that(paths: Paths) -> None:
    systemd = Systemd(HOW)
    services.act(paths, "restart", "webui", wait=False, run=systemd)
    assert systemd.asked == [["systemctl", "--no-ask-password", "--no-block", "restart", "raas-webui.service"]]


@pytest.mark.parametrize(
    ("verb", "name"),
    [("mask", "runner"), ("restart", "ssh.service"), ("restart", "--now"), ("", ""), ("restart", "../x")],
)
def test_nothing_else_is_asked_for(paths: Paths, verb: str, name: str) -> None:
    systemd = Systemd(HOW)
    with pytest.raises(NotFound):
        services.act(paths, verb, name, run=systemd)
    foreground.publish(paths, [Process("runner", 7, 0)])
    with pytest.raises((NotFound, Conflict)):
        services.act(paths, verb, name, run=systemd)
    assert systemd.asked == []
    assert foreground.wishes(paths) == []


def test_a_refusal_reaches_whoever_asked(paths: Paths) -> None:
    with pytest.raises(UnitError, match="Access denied"):
        services.act(paths, "stop", "runner", run=Systemd(HOW, error="Access denied"))


def test_what_raas_up_runs_is_shown_and_restarts_on_a_wish(paths: Paths) -> None:
    supervisor = Supervisor(lambda _name, _event: None)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    supervisor.start(Child("runner", command, paths.logs / "runner.log"), lambda: True, 5.0)
    try:
        child = supervisor.children[0]
        before = child.pid
        foreground.publish(paths, [Process("runner", before, 0)])
        (shown,) = services.overview(paths).services
        assert (shown.state, shown.detail, shown.verbs) == ("running", f"process {before}", ("restart",))
        services.act(paths, "restart", "runner")
        for name in foreground.wishes(paths):
            supervisor.restart(name, time.monotonic())
        eventually(lambda: child.pid and child.pid != before, 10.0, "a new process")
        assert foreground.wishes(paths) == []
        with pytest.raises(Conflict, match="Ctrl-C"):
            services.act(paths, "stop", "runner")
        assert child.starts == 2
    finally:
        supervisor.stop()


def test_a_name_that_nobody_has_restarts_nothing(paths: Paths) -> None:
    supervisor = Supervisor(lambda _name, _event: None)
    supervisor.restart("../../etc", time.monotonic())
    foreground.publish(paths, [])
    with pytest.raises(NotFound):
        foreground.wish_restart(paths, "../../etc")
