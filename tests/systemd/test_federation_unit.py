"""The fleet's service under a real systemd: skipped without a fleet, hardened with one, and no harm where the bucket is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.systemd.conftest import SERVICES
from tests.systemd.machine import PYTHON, Machine

pytestmark = pytest.mark.timeout(600)
UNIT = "raas-federation"
CONFIG = "/etc/raas/raas.yaml"
KEYS = "/etc/raas/credentials"
IDENTITY = "/var/lib/raas/federation/identity.json"
SECTION = "federation: {bucket: robots, endpoint: 'http://127.0.0.1:9', fleet: lab, member: pi-1}\n"
#: What the page knows of the fleet.
ASK = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/api/fleet').read().decode())"


@pytest.fixture
def member(machine: Machine) -> Iterator[Machine]:
    """The machine as a member of a fleet whose bucket doesn't answer."""
    before = machine.run("cat", CONFIG)
    machine.run("sh", "-c", f"cat > {CONFIG}", stdin=before + SECTION)
    for name in ("fleet-access-key", "fleet-secret-key"):
        machine.run("sh", "-c", f"umask 077; cat > {KEYS}/{name}", stdin="SECRETWORD")
    try:
        machine.run("systemctl", "restart", UNIT, "raas-webui")
        machine.until_active(UNIT, "raas-webui")
        yield machine
    finally:
        machine.run("systemctl", "stop", UNIT)
        machine.run("sh", "-c", f"cat > {CONFIG}", stdin=before)
        machine.run("sh", "-c", f"rm {KEYS}/fleet-*-key")
        machine.run("systemctl", "restart", "raas-webui")


def test_without_its_bucket_it_says_so_and_nothing_else_is_harmed(member: Machine) -> None:
    def said() -> str:
        return member.run("systemctl", "show", "--property=StatusText", UNIT)

    member.until(lambda: "doesn't answer" in said(), "what is missing, in systemd's words")
    member.until(lambda: "doesn't answer" in json.loads(member.run(PYTHON, "-c", ASK))["sentence"], "and on the page")
    assert "SECRETWORD" not in member.journal(UNIT) + member.run(PYTHON, "-c", ASK)
    member.until_active(*SERVICES)
    assert member.show(UNIT)["NRestarts"] == "0", "it waits, it doesn't die"


def test_it_may_do_nothing_but_its_work(member: Machine) -> None:
    pid = member.show(UNIT)["MainPID"]
    assert member.run("ps", "-o", "user:32=", "-p", pid).split() == [UNIT]
    status = dict(line.split(":", 1) for line in member.run("cat", f"/proc/{pid}/status").splitlines())
    facts = {name: status[name].strip() for name in ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd")}
    assert facts == {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapBnd": "0" * 16}
    inside = ("nsenter", f"--target={pid}", "--mount", "--", "sh", "-c")
    for place in ("/var/lib/raas/jobs", "/var/lib/raas/identity", "/etc/raas", "/usr"):
        assert not member.run(*inside, f"touch {place}/x", check=False).startswith("0"), place
    assert not member.run(*inside, "cat < /run/docker.sock; ls /run/raas/*", check=False).startswith("0")


def test_its_key_is_its_own_and_the_buckets_key_is_nobodys_else(member: Machine) -> None:
    member.until(lambda: member.run("test", "-f", IDENTITY, check=False).startswith("0"), "its key")
    assert member.run("stat", "--format=%a %U", IDENTITY).split() == ["600", UNIT]
    for user in ("raas-runner", "raas-webui", "raas-realtime"):
        for path in (IDENTITY, f"{KEYS}/fleet-secret-key"):
            assert not member.run("cat", path, user=user, check=False).startswith("0"), (user, path)


def test_killed_it_comes_back_under_the_same_name(member: Machine) -> None:
    member.until(lambda: member.run("test", "-f", IDENTITY, check=False).startswith("0"), "its key")
    before, key = member.show(UNIT), member.run("sha256sum", IDENTITY)
    member.run("kill", "-KILL", before["MainPID"])
    member.until(lambda: member.show(UNIT)["MainPID"] not in ("0", before["MainPID"]), "a new one")
    member.until_active(UNIT)
    assert member.run("sha256sum", IDENTITY) == key
