"""The owner's file is applied, its secrets leave the card, and whatever is wrong the appliance comes up and says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.identity.ownership import Ownership
from image_build.sd.applying import default_hostname, network_profile
from image_build.sd.files import EXAMPLE, raas_yaml
from image_build.sd.first_boot import Places, start
from image_build.sd.raspberrypi import RASPBERRYPI
from image_build.sd.setup_file import Wifi

KEY = "ssh-ed25519 " + "A" * 68 + " me@laptop"


class Machine:
    """A card's folders, and a record of the programs that were started."""

    def __init__(self, folder: Path) -> None:
        names = ("boot", "settings", "networks", "ssh", "identity")
        self.places = Places(
            **{name: folder / name for name in names},
            defaults=folder / "defaults.yaml", serial=folder / "serial", machine_id=folder / "machine-id",
            told=folder / "told.json",
        )  # fmt: skip
        self.places.boot.mkdir()
        self.places.defaults.write_text(raas_yaml(RASPBERRYPI))
        self.places.serial.write_text("10000000abcdef\0")
        self.started: list[str] = []

    def run(self, command: Sequence[str]) -> bool:
        self.started.append(" ".join(command))
        return True

    def boots(self, setup: str | None = None, name: str = "raas.yaml") -> str:
        if setup is not None:
            (self.places.boot / name).write_text(setup)
        return start(self.places, self.run)

    @property
    def card(self) -> str:
        """Everything that can be read on the boot partition."""
        return "\n".join(path.read_text() for path in sorted(self.places.boot.iterdir()))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_card_without_a_file_comes_up_with_a_name_of_its_own_and_a_setup_code(machine: Machine) -> None:
    said = machine.boots()
    name = default_hostname("10000000abcdef")
    assert f"http://{name}.local:8080" in said
    assert f"Setup code: {Ownership(machine.places.identity).setup_code()}" in said
    assert (machine.places.boot / "raas-status.txt").read_text() == said
    assert "link: pigpiod" in (machine.places.settings / "raas.yaml").read_text()
    assert not any("ssh" in command for command in machine.started)


def test_a_file_is_applied_and_its_secrets_leave_the_card(machine: Machine) -> None:
    said = machine.boots(
        f"name: Ada\nhostname: lab\nwifi: {{network: lab, password: wireless secret, country: DE}}\n"
        f"owner_password: an owner's secret\nssh_keys: ['{KEY}']\n"
    )
    assert "What is wrong" not in said
    assert "Setup code" not in said
    assert "http://lab.local" in said
    Ownership(machine.places.identity).check("an owner's secret")
    profile = machine.places.networks / "raas-wifi.nmconnection"
    assert "psk=wireless secret\n" in profile.read_text()
    assert profile.stat().st_mode & 0o777 == 0o600
    assert "name: Ada" in (machine.places.settings / "raas.yaml").read_text()
    assert "secret" not in machine.card
    assert "network: lab" in machine.card
    assert [command for command in machine.started if not command.startswith("mount")] == [
        "hostname lab", "iw reg set DE", "rfkill unblock wifi",
        f"ssh-keygen -q -t ed25519 -N  -f {machine.places.ssh / 'ssh_host_ed25519_key'}",
        "systemctl start --no-block ssh.service",
    ]  # fmt: skip


def test_the_next_start_changes_nothing(machine: Machine) -> None:
    machine.boots("wifi: {network: lab, password: wireless secret}\nowner_password: an owner's secret")
    before = (machine.places.networks / "raas-wifi.nmconnection").read_text()
    machine.boots()
    assert (machine.places.networks / "raas-wifi.nmconnection").read_text() == before
    Ownership(machine.places.identity).check("an owner's secret")


def test_a_second_file_replaces_the_password(machine: Machine) -> None:
    machine.boots("owner_password: the first secret")
    machine.boots("owner_password: the second secret")
    Ownership(machine.places.identity).check("the second secret")


def test_a_broken_file_stays_for_its_owner_and_is_explained(machine: Machine) -> None:
    said = machine.boots("wifi: {network: [")
    assert "no valid YAML in line 1" in said
    assert (machine.places.boot / "raas.yaml").read_text() == "wifi: {network: ["


def test_what_is_right_beside_a_mistake_is_applied_and_no_secret_stays(machine: Machine) -> None:
    said = machine.boots("owner_password: an owner's secret\nwifi: {network: lab, pasword: wireless secret}")
    assert "did you mean `password`?" in said
    Ownership(machine.places.identity).check("an owner's secret")
    assert "secret" not in machine.card


def test_a_short_owner_password_leaves_the_appliance_unclaimed(machine: Machine) -> None:
    said = machine.boots("name: Ada\nowner_password: short")
    assert "must be 10 to 200 characters" in said
    assert "Setup code" in said


def test_a_fleet_that_this_version_does_not_know_is_said(machine: Machine) -> None:
    machine.boots(EXAMPLE)
    credentials = machine.places.settings / "credentials"
    assert (credentials / "fleet-secret-key").read_text() == "the key's secret"
    assert (credentials / "fleet-secret-key").stat().st_mode & 0o777 == 0o600
    assert "the key's secret" not in machine.card.replace((machine.places.boot / "raas-status.txt").read_text(), "")


def test_imagers_file_is_applied_and_removed(machine: Machine) -> None:
    machine.boots(
        '[system]\nhostname = "lab"\n[wlan]\nssid = "lab"\npassword = "wireless secret"\n', "rpi-preseed.toml"
    )
    assert not (machine.places.boot / "rpi-preseed.toml").exists()
    assert "psk=wireless secret" in (machine.places.networks / "raas-wifi.nmconnection").read_text()
    assert "secret" not in machine.card


def test_a_card_that_cannot_be_written_still_comes_up(machine: Machine) -> None:
    machine.places.settings.write_text("a file where a folder should be")
    assert "Settings can't be kept" in machine.boots("name: Ada")


def test_a_network_profile_has_nothing_that_a_name_or_password_could_break() -> None:
    profile = network_profile(Wifi(network="a;b\\ü", password="  back\\slash"))
    assert "ssid=97;59;98;92;195;188;\n" in profile
    assert "psk=\\s\\sback\\\\slash\n" in profile
    assert "wifi-security" not in network_profile(Wifi(network="open"))
