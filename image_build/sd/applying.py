"""What follows from an owner's setup? Files with their contents, as pure data; first_boot.py writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from appliance import config
from appliance.errors import ConfigError
from image_build.sd.setup_file import Setup, Wifi

WIFI_FILE: Final = "raas-wifi.nmconnection"


@dataclass(frozen=True)
class Change:
    """One file to write: the folder by its role (settings, networks, ssh, credentials), its name, text and mode."""

    folder: str
    name: str
    text: str
    mode: int


def changes(setup: Setup, settings: str) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The files that follow from a setup, and what could not be applied. `settings` is /etc/raas/raas.yaml as it is."""
    made: list[Change] = []
    problems: list[str] = []
    if setup.hostname:
        made.append(Change("settings", "hostname", f"{setup.hostname}\n", 0o644))
    if setup.wifi:
        made.append(Change("networks", WIFI_FILE, network_profile(setup.wifi), 0o600))
        if setup.wifi.country:
            made.append(Change("settings", "wifi-country", f"{setup.wifi.country}\n", 0o644))
    if setup.ssh_keys:
        made.append(Change("ssh", "authorized_keys", "".join(f"{key}\n" for key in setup.ssh_keys), 0o600))
    wanted: dict[str, Any] = {"name": setup.name} if setup.name else {}
    if setup.fleet:
        wanted["federation"] = {"endpoint": setup.fleet.endpoint, "bucket": setup.fleet.bucket}
        made.append(Change("credentials", "fleet-access-key", setup.fleet.access_key, 0o600))
        made.append(Change("credentials", "fleet-secret-key", setup.fleet.secret_key, 0o600))
    text, said = merged(settings, wanted)
    if text != settings:
        made.append(Change("settings", "raas.yaml", text, 0o640))
    return tuple(made), (*problems, *said)


def merged(settings: str, wanted: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Settings with other values at the top level, as far as the appliance takes them; what it doesn't take is said."""
    content = yaml.safe_load(settings) or {}
    problems = []
    for key, value in wanted.items():
        tried = content | {key: value}
        try:
            config.parse(yaml.safe_dump(tried, sort_keys=False), "raas.yaml")
        except ConfigError as error:
            problems.append(f"`{key}` wasn't applied: {error}")
        else:
            content = tried
    return (yaml.safe_dump(content, sort_keys=False, allow_unicode=True) if content else settings), tuple(problems)


def network_profile(wifi: Wifi) -> str:
    """NetworkManager's keyfile for a wireless network (nm-settings-keyfile(5))."""
    name = "".join(f"{byte};" for byte in wifi.network.encode())  # as bytes, so that no character of a name is special
    lines = ["[connection]", "id=raas-wifi", "type=wifi", "autoconnect=true", "", "[wifi]", "mode=infrastructure"]
    lines += [f"ssid={name}", *(["hidden=true"] if wifi.hidden else []), ""]
    if wifi.password:
        lines += ["[wifi-security]", "key-mgmt=wpa-psk", f"psk={_keyfile_text(wifi.password)}", ""]
    return "\n".join([*lines, "[ipv4]", "method=auto", "", "[ipv6]", "method=auto", ""])


def default_hostname(board_serial: str) -> str:
    """A name that no other appliance in the house has, the same at each start."""
    return f"raas-{hashlib.sha256(board_serial.encode()).hexdigest()[:4]}"


def status(hostname: str, problems: tuple[str, ...], applied: tuple[str, ...], setup_code: str) -> str:
    """What stands in raas-status.txt and on the screen after each start."""
    lines = [f"This is http://{hostname}.local:8080"]
    if setup_code:
        lines.append(f"It has no owner yet. Setup code: {setup_code}")
    if applied:
        lines.append(f"Applied: {', '.join(applied)}.")
    if problems:
        lines += ["", "What is wrong:", *(f"- {problem}" for problem in problems)]
    return "\n".join(lines) + "\n"


def _keyfile_text(text: str) -> str:
    """A value as GLib's key files have it: backslashes doubled, blanks at the ends spelt out."""
    escaped = text.replace("\\", "\\\\")
    stripped = escaped.lstrip(" ")
    leading = "\\s" * (len(escaped) - len(stripped))
    return leading + stripped
