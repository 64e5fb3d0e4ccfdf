"""The services under a real systemd: order, restarts, watchdogs, the motor at every end, rights, and nothing left over."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from appliance import units
from appliance.engine import ensure_engine
from image_build.job_image import ensure_job_image
from tests.systemd.conftest import SERVICES
from tests.systemd.machine import PYTHON, Machine

pytestmark = pytest.mark.timeout(600)
#: Names of waiting cells, and process ids.
_NUMBER = re.compile(r"[0-9a-f]{16}|(?<=--parent=)\d+|(?<=intake\.archive )\d+ \d+")
IDLE = ("pigpiod", "raas-federation", "raas-lease", "raas-pins")


def test_all_units_are_ready_one_after_the_other(machine: Machine) -> None:
    machine.run("systemctl", "stop", "raas.target")
    machine.until(lambda: machine.processes() == [], "all processes to end")
    machine.run("systemctl", "start", "raas.target")
    machine.until_active(*SERVICES, "raas.target")
    moments = [int(machine.show(unit)["ActiveEnterTimestampMonotonic"]) for unit in (*SERVICES, "raas.target")]
    assert moments == sorted(moments)
    assert moments[0] > 0


def test_what_isnt_configured_is_skipped_and_nothing_has_failed(machine: Machine) -> None:
    assert [machine.show(unit)["ActiveState"] for unit in IDLE] == ["inactive"] * len(IDLE)
    assert machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "raas*", "pigpiod*") == ""


def test_every_process_has_its_own_user_and_none_is_root(machine: Machine) -> None:
    for unit in SERVICES:
        pids = machine.run("sh", "-c", f"cat /sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs").split()
        users = set(machine.run("ps", "-o", "user:32=", "-p", ",".join(pids)).split())
        assert users == {unit}


def test_the_loop_has_its_priority_and_its_memory(machine: Machine) -> None:
    machine.until(lambda: "real-time: granted" in machine.journal("raas-realtime"), "the loop's report")
    report = [line for line in machine.journal("raas-realtime").splitlines() if "real-time: granted" in line][-1]
    granted = report.partition("refused")[0]
    assert "FIFO priority 80" in granted
    assert "locked memory" in granted
    assert "core" in granted


def test_everything_beside_the_loop_leaves_it_the_last_core(machine: Machine) -> None:
    last = int(machine.run("getconf", "_NPROCESSORS_ONLN")) - 1
    expected = {0: "", 1: "0"}.get(last, f"0-{last - 1}")
    for unit in ("raas-twin", "raas-runner", "raas-webui", "docker"):
        assert machine.run("systemctl", "show", "--property=CPUAffinity", "--value", unit).strip() == expected


def restarts(machine: Machine, unit: str) -> int:
    return int(machine.show(unit)["NRestarts"])


@pytest.mark.parametrize("unit", SERVICES)
def test_a_killed_service_comes_back(machine: Machine, unit: str) -> None:
    before, before_restarts = machine.show(unit), restarts(machine, unit)
    machine.run("kill", "-KILL", before["MainPID"])
    machine.until(lambda: restarts(machine, unit) > before_restarts, f"{unit} to be restarted")
    machine.until_active(unit)
    assert machine.show(unit)["MainPID"] != before["MainPID"]


def test_a_stopped_process_is_found_by_its_watchdog(machine: Machine) -> None:
    before = {unit: machine.show(unit) for unit in SERVICES}
    counts = {unit: restarts(machine, unit) for unit in SERVICES}
    machine.run("kill", "-STOP", *(state["MainPID"] for state in before.values()))
    for unit in SERVICES:
        machine.until(lambda unit=unit: restarts(machine, unit) > counts[unit], f"{unit}'s watchdog")
        assert "Watchdog timeout" in machine.journal(unit)


def _leave_to_itself(machine: Machine) -> None:
    """No restart, and guard, loop and gateway don't look: what happens now is systemd's doing."""
    machine.run("mkdir", "-p", "/run/systemd/system/raas-realtime.service.d")
    machine.run("sh", "-c", "printf '[Service]\\nRestart=no\\n' > /run/systemd/system/raas-realtime.service.d/z.conf")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "kill", "--signal=STOP", "raas-realtime")


def _may_restart_again(machine: Machine) -> None:
    machine.run("rm", "/run/systemd/system/raas-realtime.service.d/z.conf")
    machine.run("systemctl", "daemon-reload")


def test_a_motor_that_nobody_watches_is_off_when_the_unit_has_ended(machine: Machine) -> None:
    _leave_to_itself(machine)
    try:
        machine.probe("drive")
        assert machine.probe("pins")[0][1] == 200, "the motor must run for this to prove anything"
        machine.run("systemctl", "kill", "--signal=KILL", "raas-realtime")
        machine.until(lambda: machine.show("raas-realtime")["ActiveState"] in ("failed", "inactive"), "the unit's end")
        assert [(level, duty < 0) for level, duty in machine.probe("pins")] == [(0, True), (0, True)]
    finally:
        _may_restart_again(machine)


def test_stop_leaves_the_motor_off(machine: Machine) -> None:
    machine.run("systemctl", "stop", "raas-realtime")
    machine.probe("drive")
    machine.run("systemctl", "start", "raas-realtime")
    machine.until(lambda: machine.probe("pins")[0][1] <= 0, "the guard to switch off what it found running")
    machine.run("systemctl", "stop", "raas-realtime")
    assert [level for level, _ in machine.probe("pins")] == [0, 0]
    assert "The motor is off" in machine.journal("raas-realtime")


def test_the_page_may_stop_and_resume_but_not_arm_and_the_runner_may_arm(machine: Machine) -> None:
    assert machine.probe("guard", "stop", "stop", user="raas-webui")["stopped"]
    assert not machine.probe("guard", "resume", "resume", user="raas-webui")["stopped"]
    assert machine.probe("guard", "runner", "arm", user="raas-webui")["refused"]
    assert "isn't allowed" in machine.probe("guard", "stop", "arm", user="raas-webui")["error"]
    machine.until(lambda: machine.probe("guard", "runner", "arm", user="raas-runner")["ok"], "the runner to arm")
    assert machine.probe("guard", "resume", "resume", user="raas-runner")["refused"]
    for right in ("stop", "resume", "runner"):
        assert machine.probe("guard", right, "status", user="nobody")["refused"]


def test_the_page_can_touch_neither_results_nor_the_stop(machine: Machine) -> None:
    for path in ("jobs/x", "estop/latched", "x", "images/x", "layers/x"):
        assert "denied" in machine.run("touch", f"/var/lib/raas/{path}", user="raas-webui", check=False)
    assert "denied" in machine.run("ls", "/dev/shm/raas-b89c1af5", user="raas-webui", check=False)
    for path in ("db/raas.db", "inbox"):
        machine.run("test", "-w", f"/var/lib/raas/{path}", user="raas-webui")


def test_the_page_may_restart_named_units_and_no_others(machine: Machine) -> None:
    before = machine.show("raas-twin")["MainPID"]
    machine.run("systemctl", "--no-ask-password", "restart", units.UNITS["twin"], user="raas-webui")
    assert machine.show("raas-twin")["MainPID"] != before
    for command in (("restart", "dbus.service"), ("mask", "raas-twin.service"), ("kill", "raas-realtime.service")):
        assert not machine.run("systemctl", "--no-ask-password", *command, user="raas-webui", check=False).startswith(
            "0 "
        )
    refused = machine.run("systemctl", "--no-ask-password", "stop", units.UNITS["runner"], user="nobody", check=False)
    assert not refused.startswith("0 ")


RAAS = (PYTHON, "-m", "appliance.cli", "--url", "http://127.0.0.1:8080")
FINAL = ("succeeded", "failed", "timed_out", "cancelled")


def submit(machine: Machine, folder: str, program: str) -> str:
    """Submit through the page, as anybody would; returns the job's id."""
    machine.run("mkdir", "-p", folder)
    machine.run("tee", f"{folder}/run.py", stdin=program)
    said = machine.run(*RAAS, "--json", "submit", folder)
    return str(json.loads(said)["id"])


def job(machine: Machine, job_id: str) -> dict[str, object]:
    said = machine.run(*RAAS, "--json", "job", job_id)
    found: dict[str, object] = json.loads(said)
    return found


PROGRAM = """import gym
import gym_raas
env = gym.make("raaspendulum-v0")
env.reset()
for _ in range(20):
    env.step([2.0])
print("driven")
"""


def test_a_real_job_crosses_all_users_with_hardening_on(machine: Machine, tmp_path: Path) -> None:
    """Page to database and inbox; runner to namespaces, guard and Docker; cell to gateway; results to the page."""
    with ensure_engine(tmp_path) as engine:
        machine.load(ensure_job_image(engine))
    driven, bad = submit(machine, "/tmp/driven", PROGRAM), submit(machine, "/tmp/bad", "import gym (\n")
    machine.until(lambda: job(machine, driven)["state"] in FINAL, "the job to end")
    found = job(machine, driven)
    assert (found["state"], found["steps"]) == ("succeeded", 20), found
    assert machine.run(*RAAS, "log", driven).strip() == "driven"
    machine.until(lambda: job(machine, bad)["state"] == "failed", "the bad job to fail")
    assert "isolation level user" in machine.run("journalctl", "--no-pager", "--unit=raas-runner")
    machine.until(lambda: machine.run("ls", "/dev/shm/raas-b89c1af5").split() == ["live"], "the segment to be removed")
    one = "only the cell that waits for the next job to be left"
    machine.until(lambda: len(machine.run("docker", "ps", "--all", "--quiet").split()) == 1, one)
    owners = machine.run("sh", "-c", "stat -c '%G %a' /var/lib/raas/db/*").splitlines()
    assert set(owners) == {"raas 660"}


def _left(machine: Machine) -> dict[str, object]:
    """What could leak: processes, sockets, files, mounts, control groups, and systemd's own descriptors."""
    count = "find {} | wc -l"
    files = machine.run("find", "/run/raas", "/dev/shm", "/var/lib/raas/jobs", "/var/lib/raas/inbox")
    return {
        "processes": [(user, _NUMBER.sub("…", command)) for user, command in machine.processes()],
        "sockets": len(machine.run("ss", "-xlH").splitlines()) + len(machine.run("ss", "-tlH").splitlines()),
        "files": sorted(_NUMBER.sub("…", files).splitlines()),
        "mounts": len(machine.run("cat", "/proc/1/mounts").splitlines()),
        "groups": int(machine.run("sh", "-c", count.format("/sys/fs/cgroup -type d -name 'raas*'"))),
        "temporary": int(machine.run("sh", "-c", count.format("/tmp /var/tmp -name 'systemd-private-*-raas*'"))),
    }


def test_ten_stops_and_starts_leak_nothing(machine: Machine) -> None:
    def wait_until_ready() -> None:
        machine.until(lambda: machine.probe("guard", "stop", "status").get("alive", False), "the loop")
        one = "one cell to wait for the next job"
        machine.until(lambda: len(machine.run("docker", "ps", "--all", "--quiet").split()) == 1, one)

    def stop() -> None:
        machine.run(
            "systemctl", "stop", "raas.target"
        )  # returns when the target has stopped, the services may take longer
        machine.until(lambda: machine.processes() == [], "all processes to end")

    stop()
    machine.run("systemctl", "start", "raas.target")
    wait_until_ready()
    before = _left(machine)
    descriptors = len(machine.run("ls", "/proc/1/fd").split())
    for _ in range(10):
        stop()
        machine.run("systemctl", "start", "raas.target")
    wait_until_ready()
    deadline_s = time.monotonic() + 20.0
    while (after := _left(machine)) != before and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert after == before
    assert len(machine.run("ls", "/proc/1/fd").split()) <= descriptors + 4
