"""Can anybody reach the appliance, why not, and when does it open a Wi-Fi of its own? Pure: from nmcli's words to decisions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

#: Our own network: the profile's name, the appliance's address in it.
OWN: Final = "raas-own"
OWN_ADDRESS: Final = "10.42.0.1"
#: What the owner's Wi-Fi is called, and whatever Raspberry Pi Imager or a person set up by hand.
OWNERS: Final = "raas-wifi"
#: From the start until a network is missed: a slow router has answered by then.
PATIENCE_S: Final = 90.0
#: The owner's network is tried again so often, while nobody uses ours.
RETRY_S: Final = 600.0
_KINDS: Final = frozenset({"ethernet", "wifi"})
#: NetworkManager's reasons (NMDeviceStateReason), as `nmcli connection up` prints them.
_NO_SECRETS, _NOT_FOUND, _NO_ADDRESS = 7, 53, 5
_REASON: Final = re.compile(r"\((\d+)\)|reason '([^']+)'")


@dataclass(frozen=True)
class Device:
    """A network device as `nmcli --terse --fields DEVICE,TYPE,STATE,CONNECTION device` lists it."""

    name: str
    kind: str
    state: str
    connection: str


class Act(Enum):
    """What to do now."""

    WAIT = "wait"
    TRY = "try the owner's network"
    CLOSE = "close our own"


@dataclass(frozen=True)
class Seen:
    """What is there at one moment. `visitors`: who is in our own network."""

    devices: tuple[Device, ...]
    visitors: int = 0

    @property
    def connected(self) -> tuple[Device, ...]:
        """Devices in somebody else's network."""
        return tuple(found for found in self.devices if found.state == "connected" and found.connection != OWN)

    @property
    def is_open(self) -> bool:
        """Whether our own network is there."""
        return any(found.connection == OWN for found in self.devices)

    @property
    def radio(self) -> str:
        """The device that can open a Wi-Fi; empty where there is none."""
        return next((found.name for found in self.devices if found.kind == "wifi"), "")


def devices(listed: str) -> tuple[Device, ...]:
    """The devices that nmcli lists; colons in names are escaped there."""
    rows = (re.split(r"(?<!\\):", line) for line in listed.splitlines())
    found = (Device(*(field.replace("\\:", ":") for field in row)) for row in rows if len(row) == 4)
    return tuple(device for device in found if device.kind in _KINDS)


def act(seen: Seen, now_s: float, tried_s: float) -> Act:
    """What to do, `tried_s` after which the owner's network was last tried (the start counts)."""
    if seen.is_open:
        if any(device.kind == "ethernet" for device in seen.connected):
            return Act.CLOSE
        return Act.TRY if not seen.visitors and now_s - tried_s >= RETRY_S else Act.WAIT
    return Act.TRY if not seen.connected and now_s - tried_s >= PATIENCE_S else Act.WAIT


def why(said: str, network: str, radio: str) -> str:
    """Why there is no network, in a sentence that says what to do. `said`: what trying the owner's Wi-Fi printed."""
    if not network:
        return (
            "No network. Plug in a network cable, or put `wifi:` into a raas.yaml on this card (see raas-example.yaml)."
        )
    if not radio:
        return f"No network. This board has no Wi-Fi for {network!r}; plug in a network cable."
    match = _REASON.search(said)
    reason = int(match[1]) if match and match[1] else 0
    if reason == _NO_SECRETS or "Secrets were required" in said:
        return f"The Wi-Fi {network!r} refuses the password. Put a raas.yaml with the right one on this card."
    if reason == _NOT_FOUND or "could not be found" in said:
        return (
            f"The Wi-Fi {network!r} isn't in reach. Check its name, also capital letters, and `country:`, which decides on "
            "channels; then put a mended raas.yaml on this card."
        )
    if reason == _NO_ADDRESS or "IP configuration could not be reserved" in said:
        return f"The Wi-Fi {network!r} gives no address. Restart the router, or plug in a network cable."
    return f"The Wi-Fi {network!r} can't be joined: {' '.join(said.split())[-200:] or 'NetworkManager says nothing'}"


def own_profile(name: str, password: str, radio: str) -> str:
    """NetworkManager's keyfile for our own network, with addresses for its visitors."""
    lines = ["[connection]", f"id={OWN}", "type=wifi", "autoconnect=false", f"interface-name={radio}", ""]
    lines += ["[wifi]", "mode=ap", f"ssid={name}", "band=bg", ""]
    lines += ["[wifi-security]", "key-mgmt=wpa-psk", "proto=rsn", "pairwise=ccmp", f"psk={password}", ""]
    return "\n".join(
        [*lines, "[ipv4]", "method=shared", f"address1={OWN_ADDRESS}/24", "", "[ipv6]", "method=disabled", ""]
    )


def network_in(profile: str) -> str:
    """The name in the profile of the owner's Wi-Fi, which applying.py wrote as bytes."""
    match = re.search(r"^ssid=((?:\d+;)+)$", profile, re.MULTILINE)
    return bytes(int(number) for number in match[1].rstrip(";").split(";")).decode(errors="replace") if match else ""


def status(seen: Seen, problem: str, name: str, password: str) -> str:
    """The lines about the network, for raas-status.txt and the screen."""
    lines = [f"Network: {', '.join(f'{device.name} ({device.connection})' for device in seen.connected)}."]
    if not seen.connected:
        lines = ["Network: none.", "", "What is wrong:", f"- {problem}"]
    if seen.is_open:
        lines += ["", f"Until then join its own Wi-Fi {name} with the password {password}"]
        lines += [f"and open http://{OWN_ADDRESS}"]
    return "\n".join(lines) + "\n"


def help_page(name: str, problems: Iterable[str]) -> str:
    """What a visitor of our own network gets for every address: what is wrong, and the way to the appliance's page."""
    items = "".join(f"<li>{html.escape(problem)}</li>" for problem in problems)
    return _PAGE.replace("NAME", html.escape(name)).replace("ITEMS", items).replace("ADDRESS", OWN_ADDRESS)


_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>NAME</title>
<style>
body { font: 1.05rem/1.5 system-ui, sans-serif; color: #1c2430; background: #f4f6f8; margin: 0; }
main { max-width: 34rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
ul { background: #fff; border-left: .3rem solid #b3261e; margin: 1.25rem 0; padding: 1rem 1rem 1rem 2.25rem; }
a { display: inline-block; background: #15569e; color: #fff; padding: .7rem 1.1rem; border-radius: .4rem; text-decoration: none; }
</style>
<main>
<h1>NAME works, but isn&rsquo;t in your network</h1>
<ul>ITEMS</ul>
<p>Put the card into a computer, save what is right as <b>raas.yaml</b> beside <b>raas-example.yaml</b>, and start again.
Nothing that the robot has recorded is lost.</p>
<p><a href="http://ADDRESS:8080/">Open the robot&rsquo;s page</a></p>
</main>
</html>
"""
