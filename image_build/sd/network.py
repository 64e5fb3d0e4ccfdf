"""What if nobody can reach the appliance? It tries the owner's Wi-Fi, else opens its own, and says why in four places.

`python -m image_build.sd.network`, by raas-network.service, as long as the appliance runs. The places: raas-status.txt on the
card, the screen, the journal, and a page for whoever joins its own Wi-Fi (help_page.py). What to do when is decided in
reachability.py; this module asks NetworkManager and does it.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image_build.sd import applying, first_boot, reachability
from image_build.sd.reachability import Act, Seen

_ROUND_S: Final = 5.0
#: No letters or digits that look like others: it is typed from a screen.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_PASSWORD_CHARACTERS: Final = 10
PAGE_SERVICE: Final = "raas-help-page.service"

#: Runs a program; returns exit code and what it printed, errors included.
Run = Callable[[Sequence[str]], tuple[int, str]]


@dataclass(frozen=True)
class Places:
    """Where everything is; a test has its own."""

    boot: Path = Path("/boot/firmware")
    networks: Path = Path("/etc/NetworkManager/system-connections")
    volatile_networks: Path = Path("/run/NetworkManager/system-connections")
    password: Path = Path("/etc/raas/credentials/own-wifi-password")
    #: What the first boot told (first_boot.py), and the page for visitors.
    told: Path = first_boot.TOLD
    page: Path = Path("/run/raas-network/index.html")


class Watch:
    """Looks every few seconds, and acts. `name`: the host's, and of its own Wi-Fi. `now_s` is monotonic."""

    def __init__(self, places: Places, run: Run, name: str, began_s: float) -> None:
        self._places, self._run, self._name = places, run, name
        self._tried_s = began_s
        self._problem = ""
        self._said = ""

    def look(self, now_s: float) -> str:
        """One round; the status where it has changed, else nothing."""
        seen = self._seen()
        match reachability.act(seen, now_s, self._tried_s):
            case Act.CLOSE:
                self._close()
                seen = self._seen()
            case Act.TRY:
                self._try(seen.radio)
                seen, self._tried_s = self._seen(), now_s
            case Act.WAIT if not seen.connected and not seen.is_open and not self._problem:
                return ""  # starting still
        return self._tell(seen)

    def _seen(self) -> Seen:
        _, listed = self._run(["nmcli", "--terse", "--fields", "DEVICE,TYPE,STATE,CONNECTION", "device"])
        seen = Seen(reachability.devices(listed))
        if not seen.is_open:
            return seen
        _, stations = self._run(["iw", "dev", seen.radio, "station", "dump"])
        return Seen(seen.devices, stations.count("Station "))

    def _try(self, radio: str) -> None:
        """The owner's network once more; where that fails, ours."""
        profile = self._places.networks / applying.WIFI_FILE
        network = reachability.network_in(profile.read_text()) if profile.exists() else ""
        said = ""
        if network and radio:
            code, said = self._run(["nmcli", "--wait", "45", "connection", "up", reachability.OWNERS])
            if code == 0:
                self._problem = ""
                self._run(["systemctl", "stop", PAGE_SERVICE])
                return
        self._problem = reachability.why(said, network, radio)
        if radio:
            self._open(radio)

    def _open(self, radio: str) -> None:
        file = self._places.volatile_networks / f"{reachability.OWN}.nmconnection"
        file.parent.mkdir(parents=True, exist_ok=True)
        first_boot.write(file, reachability.own_profile(self._name, self._password(), radio), 0o600)
        self._run(["rfkill", "unblock", "wifi"])
        self._run(["nmcli", "connection", "load", str(file)])
        code, said = self._run(["nmcli", "--wait", "45", "connection", "up", reachability.OWN])
        if code != 0:
            self._problem += f" Its own Wi-Fi can't be opened either: {' '.join(said.split())[-200:]}"
            return
        self._places.page.parent.mkdir(parents=True, exist_ok=True)
        first_boot.write(self._places.page, reachability.help_page(self._name, self._problems()), 0o644)
        self._run(["systemctl", "restart", PAGE_SERVICE])

    def _close(self) -> None:
        self._run(["systemctl", "stop", PAGE_SERVICE])
        self._run(["nmcli", "connection", "down", reachability.OWN])
        self._problem = ""

    def _tell(self, seen: Seen) -> str:
        password = self._password() if seen.is_open else ""
        text = reachability.status(seen, self._problem, self._name, password)
        if text == self._said:
            return ""
        self._said = text
        told = json.loads(self._places.told.read_text())["status"] if self._places.told.exists() else ""
        status = f"{told}\n{text}"
        first_boot.on_boot_partition(
            self._places.boot,
            lambda command: self._run(command)[0] == 0,
            lambda: first_boot.write(self._places.boot / first_boot.STATUS, status, 0o644),
        )
        return status

    def _problems(self) -> list[str]:
        """The first boot's and this one; without what only the owner may know, such as the setup code."""
        told = json.loads(self._places.told.read_text())["problems"] if self._places.told.exists() else []
        return [self._problem, *map(str, told)]

    def _password(self) -> str:
        """Of its own Wi-Fi: drawn once, kept on the data partition, told on screen and card."""
        if not self._places.password.exists():
            drawn = "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_CHARACTERS))
            self._places.password.parent.mkdir(parents=True, exist_ok=True)
            first_boot.write(self._places.password, drawn, 0o600)
        return self._places.password.read_text()


def _run(command: Sequence[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stdout + done.stderr


def main() -> None:
    """Look until the appliance is switched off."""
    watch = Watch(Places(), _run, socket.gethostname(), time.monotonic())
    while True:
        if said := watch.look(time.monotonic()):
            print(said, flush=True)
        time.sleep(_ROUND_S)


if __name__ == "__main__":
    main()
