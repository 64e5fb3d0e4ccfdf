"""The owner's pages and commands under a real systemd: rights of the page's user, the journal, a backup's way back."""

from __future__ import annotations

import json

import pytest

from tests.systemd.conftest import SERVICES
from tests.systemd.machine import PYTHON, Machine

pytestmark = pytest.mark.timeout(600)
ASK = """
import sys, urllib.error, urllib.request
path, data = sys.argv[1], sys.argv[2].encode() or None
request = urllib.request.Request("http://127.0.0.1:8080" + path, data, {"Origin": "http://127.0.0.1:8080"})
try:
    sys.stdout.write(urllib.request.urlopen(request, timeout=60).read().decode())
except urllib.error.HTTPError as error:
    sys.exit(error.read().decode())
"""
RAAS = (PYTHON, "-m", "appliance.cli", "--data", "/var/lib/raas")


def ask(machine: Machine, path: str, data: str = "") -> str:
    """What the page answers to somebody on the machine."""
    return machine.run(PYTHON, "-c", ASK, path, data)


def test_the_page_restarts_a_service_by_name(machine: Machine) -> None:
    before = machine.show("raas-twin")["MainPID"]
    said = ask(machine, "/owner/services/twin/restart", "sure=yes")
    assert "is under way" in said, said
    machine.until(lambda: machine.show("raas-twin")["MainPID"] not in ("0", before), "another twin")
    listed = json.loads(machine.run(*RAAS, "--json", "services"))
    assert listed["keeper"] == "systemd"
    assert {one["name"]: one["state"] for one in listed["services"]}["webui"] == "running"


def test_the_page_sees_what_its_user_may_see(machine: Machine) -> None:
    assert "real-time: granted" in ask(machine, "/owner/logs?service=realtime&lines=1000")
    rows = {row["check"]: row for row in json.loads(ask(machine, "/api/owner/doctor"))["findings"]}
    good = (
        "configuration",
        "twin",
        "motor loop",
        "motor's pins",
        "scheduling",
        "locked memory",
        "jobs",
        "units",
        "page",
        "secrets",
    )
    assert {name: rows[name] for name in good if rows[name]["verdict"] != "ok"} == {}
    assert rows["engine"]["verdict"] == "unknown"
    assert [row for row in rows.values() if row["verdict"] == "failed"] == []


def test_what_the_page_sets_is_read_by_the_services_and_nobody_else(machine: Machine) -> None:
    ask(machine, "/owner/settings/save", "job.limit_s=77")
    file = "/var/lib/raas/settings/page.json"
    assert json.loads(machine.run("cat", file, user="raas-runner")) == {"job.limit_s": 77.0}
    assert "denied" in machine.run("cat", file, user="nobody", check=False)
    assert "denied" in machine.run("touch", file, user="raas-runner", check=False)
    machine.run("rm", file)


def test_a_backup_taken_while_it_runs_brings_everything_back_to_its_owners(machine: Machine) -> None:
    machine.run(*RAAS, "backup", "/tmp/raas.tar")
    refused = machine.run(*RAAS, "restore", "/tmp/raas.tar", "--replace", check=False)
    assert "Stop it first" in refused
    machine.run("systemctl", "stop", "raas.target")
    machine.until(lambda: machine.processes() == [], "all processes to end")
    before = machine.run(
        "sh", "-c", "cd /var/lib/raas && stat -c '%U %G %a %n' db db/raas.db jobs inbox identity estop"
    )
    machine.run(*RAAS, "restore", "/tmp/raas.tar", "--replace")
    after = machine.run("sh", "-c", "cd /var/lib/raas && stat -c '%U %G %a %n' db db/raas.db jobs inbox identity estop")
    machine.run("systemctl", "start", "raas.target")
    machine.until_active(*SERVICES)
    assert [line.split()[1:] for line in after.splitlines()] == [line.split()[1:] for line in before.splitlines()]
    assert machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "raas*") == ""
    machine.run("test", "-w", "/var/lib/raas/db/raas.db", user="raas-webui")
    ask(machine, "/api/jobs")
    machine.run("sh", "-c", "rm -r /var/lib/raas/before-restore-* /tmp/raas.tar")
