"""Whoever can't reach the appliance is told why: on the card, on the screen, and in a Wi-Fi of the appliance's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from image_build.sd.applying import WIFI_FILE, network_profile
from image_build.sd.help_page import HelpServer
from image_build.sd.network import PAGE_SERVICE, Places, Watch
from image_build.sd.reachability import OWN, OWNERS, PATIENCE_S, RETRY_S, devices, help_page, network_in
from image_build.sd.setup_file import Wifi

REFUSED = "Error: Connection activation failed: (7) Secrets were required, but not provided."
AWAY = "Error: Connection activation failed: (53) The Wi-Fi network could not be found."
NO_ADDRESS = (
    "Error: Connection activation failed: (5) IP configuration could not be reserved (no available address, timeout)."
)


class Air:
    """A stand-in for NetworkManager: what is plugged in, what it says of the owner's Wi-Fi, who visits ours."""

    def __init__(self, said: str = AWAY, *, has_radio: bool = True) -> None:
        self.said, self.has_radio, self.cable, self.up, self.visitors = said, has_radio, False, "", 0
        self.asked: list[str] = []

    def run(self, command: Sequence[str]) -> tuple[int, str]:
        self.asked.append(" ".join(command))
        match list(command):
            case ["nmcli", "--terse", *_]:
                return 0, self._listed()
            case ["nmcli", "--wait", _, "connection", "up", name]:
                if name == OWNERS and self.said:
                    self.up = ""
                    return 4, self.said
                self.up = name
            case ["nmcli", "connection", "down", _]:
                self.up = ""
            case ["iw", *_]:
                return 0, "Station 00:11 (on wlan0)\n" * self.visitors
        return 0, ""

    def _listed(self) -> str:
        cable = "connected:Wired connection 1" if self.cable else "unavailable:"
        radio = f"wlan0:wifi:{'connected' if self.up else 'disconnected'}:{self.up}\n" if self.has_radio else ""
        return f"eth0:ethernet:{cable}\n{radio}lo:loopback:connected (externally):lo\n"


class Lab:
    """A card's folders and a watch that looks at given moments."""

    def __init__(self, folder: Path, air: Air, wifi: Wifi | None) -> None:
        self.air = air
        self.places = Places(
            folder / "boot",
            folder / "networks",
            folder / "run",
            folder / "password",
            folder / "told",
            folder / "page/x",
        )
        for place in (self.places.boot, self.places.networks):
            place.mkdir()
        if wifi:
            (self.places.networks / WIFI_FILE).write_text(network_profile(wifi))
        self.places.told.write_text(json.dumps({"status": "Setup code: ABC\n", "problems": ["`nam` isn't a setting."]}))
        self.watch = Watch(self.places, air.run, "raas-3fa2", 0.0)

    def at(self, now_s: float) -> str:
        return self.watch.look(now_s)

    @property
    def status(self) -> str:
        return (self.places.boot / "raas-status.txt").read_text()


@pytest.mark.parametrize(
    ("said", "wifi", "has_radio", "sentence"),
    [
        (REFUSED, Wifi("my lab", "wrong password"), True, "The Wi-Fi 'my lab' refuses the password. Put a raas.yaml"),
        (AWAY, Wifi("my lap", "password"), True, "The Wi-Fi 'my lap' isn't in reach. Check its name"),
        (NO_ADDRESS, Wifi("my lab", "password"), True, "gives no address. Restart the router"),
        ("Error: unknown (99)", Wifi("my lab", "password"), True, "can't be joined: Error: unknown (99)"),
        ("", None, True, "Plug in a network cable, or put `wifi:` into a raas.yaml"),
        ("", Wifi("my lab", "password"), False, "This board has no Wi-Fi for 'my lab'"),
    ],
)
def test_what_is_wrong_is_said_on_card_screen_and_page(
    tmp_path: Path, said: str, wifi: Wifi | None, has_radio: bool, sentence: str
) -> None:
    lab = Lab(tmp_path, Air(said, has_radio=has_radio), wifi)
    assert lab.at(PATIENCE_S - 1) == ""
    assert sentence in lab.at(PATIENCE_S)
    assert sentence in lab.status
    assert "Setup code" in lab.status, "what the first boot told stays"
    if has_radio:
        page = lab.places.page.read_text()
        assert sentence.split("'")[0] in page
        assert "isn&#x27;t a setting" in page
        assert "ABC" not in page, "a visitor isn't told how to claim the appliance"
        assert f"systemctl restart {PAGE_SERVICE}" in lab.air.asked


def test_its_own_wifi_has_a_password_that_only_card_and_screen_tell(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Air(), None)
    lab.at(PATIENCE_S)
    password = lab.places.password.read_text()
    profile = lab.places.volatile_networks / f"{OWN}.nmconnection"
    assert f"psk={password}\n" in profile.read_text()
    assert profile.stat().st_mode & 0o777 == lab.places.password.stat().st_mode & 0o777 == 0o600
    assert len(password) == 10
    assert f"join its own Wi-Fi raas-3fa2 with the password {password}" in lab.status
    assert password not in lab.places.page.read_text()


def test_a_network_that_is_there_is_left_alone(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Air(), None)
    lab.air.cable = True
    assert "Network: eth0 (Wired connection 1)." in lab.at(1.0)
    assert lab.at(PATIENCE_S) == "", "nothing new is said"
    assert not any("connection up" in command for command in lab.air.asked)


def test_a_cable_closes_its_own_wifi(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Air(), None)
    lab.at(PATIENCE_S)
    lab.air.cable = True
    assert "What is wrong" not in lab.at(PATIENCE_S + 5)
    assert lab.air.up == ""
    assert "password" not in lab.status


def test_the_owners_network_is_tried_again_but_never_under_a_visitors_feet(tmp_path: Path) -> None:
    lab = Lab(tmp_path, Air(), Wifi("lab", "password"))
    lab.at(PATIENCE_S)
    lab.air.visitors, lab.air.said = 1, ""
    lab.at(PATIENCE_S + RETRY_S)
    assert lab.air.up == OWN
    lab.air.visitors = 0
    assert f"wlan0 ({OWNERS})" in lab.at(PATIENCE_S + RETRY_S + 5)
    assert "What is wrong" not in lab.status


@given(st.text(max_size=200))
def test_no_answer_of_nmcli_stops_the_watch(listed: str) -> None:
    devices(listed)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=32))
def test_a_networks_name_is_read_back_from_its_profile(name: str) -> None:
    assert network_in(network_profile(Wifi(name, "password"))) == name


def test_a_visitor_gets_the_page_whatever_is_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text(help_page("<raas>", ["<script>alert(1)</script>"]))
    server = HelpServer(("127.0.0.1", 0), page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for path in ("/", "/generate_204", "/../../etc/passwd"):
            answer = requests.get(f"http://127.0.0.1:{server.server_port}{path}", timeout=10)
            assert answer.text == page.read_text()
            assert "<script>" not in answer.text
    finally:
        server.shutdown()
        server.server_close()
