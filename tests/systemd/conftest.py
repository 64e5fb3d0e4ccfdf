"""One booted machine for all tests of the services."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.systemd.machine import Machine, booted

SERVICES = ("raas-twin", "raas-realtime", "raas-runner", "raas-webui")


@pytest.fixture(scope="session")
def booted_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("a machine of its own needs root")
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


@pytest.fixture
def machine(booted_machine: Machine) -> Machine:
    """The machine with everything up, whatever the test before did to it."""
    booted_machine.run("systemctl", "reset-failed")
    booted_machine.run("systemctl", "start", "raas.target")
    booted_machine.until_active("raas.target", *SERVICES)
    booted_machine.until(lambda: booted_machine.probe("guard", "stop", "status").get("alive", False), "the loop")
    return booted_machine
