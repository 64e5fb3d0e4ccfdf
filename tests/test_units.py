"""What page and command line may ask of systemd."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from appliance import units
from appliance.errors import NotFound
from appliance.units import UnitError, UnitState


class Systemd:
    """Notes what is asked and answers with what it was given."""

    def __init__(self, status: int = 0, said: str = "", error: str = "") -> None:
        self.asked: list[list[str]] = []
        self._answer = (status, said, error)

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(command))
        return subprocess.CompletedProcess(command, *self._answer)


def test_a_named_unit_gets_a_fixed_verb() -> None:
    systemd = Systemd()
    units.act("restart", "runner", systemd)
    assert systemd.asked == [["systemctl", "--no-ask-password", "restart", "raas-runner.service"]]


@pytest.mark.parametrize(
    ("verb", "name"), [("mask", "runner"), ("stop", "ssh.service"), ("stop", "--force"), ("", "runner"), ("stop", "")]
)
def test_nothing_else_reaches_systemd(verb: str, name: str) -> None:
    systemd = Systemd()
    with pytest.raises(NotFound):
        units.act(verb, name, systemd)
    assert systemd.asked == []


def test_a_refusal_is_told_in_systemds_words() -> None:
    with pytest.raises(UnitError, match="refused to stop runner: Access denied"):
        units.act("stop", "runner", Systemd(1, error="Access denied\n"))


def test_a_unit_tells_how_it_is() -> None:
    said = "ActiveState=active\nSubState=running\nStatusText=page at port 8080\nNRestarts=3\n"
    assert units.state("webui", Systemd(said=said)) == UnitState("webui", "active", "running", "page at port 8080", 3)
