"""What happens at each start before the network comes up? The owner's raas.yaml is applied, once, and the status is told.

`python -m image_build.sd.first_boot`, by raas-first-boot.service. Whatever is wrong, it ends well: the appliance comes
up, and raas-status.txt, the screen and the journal say what is the matter.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from appliance import durable
from appliance.errors import RaasError
from appliance.identity.ownership import Ownership
from appliance.paths import Paths
from image_build.sd import applying, setup_file
from image_build.sd.setup_file import Setup

SETUP: Final = "raas.yaml"
PRESEED: Final = "rpi-preseed.toml"
APPLIED: Final = "raas-applied.yaml"
STATUS: Final = "raas-status.txt"
#: What was told at this start, for the network's watch, which adds its own to the status.
TOLD: Final = Path("/run/raas-first-boot.json")

#: Runs a program; returns whether it ended well.
Run = Callable[[Sequence[str]], bool]


@dataclass(frozen=True)
class Places:
    """Where everything is; a test has its own. `serial`: the board's serial number."""

    boot: Path = Path("/boot/firmware")
    settings: Path = Path("/etc/raas")
    defaults: Path = Path("/usr/share/raas/raas.yaml")
    networks: Path = Path("/etc/NetworkManager/system-connections")
    ssh: Path = Path("/etc/ssh/keys")
    identity: Path = Paths.of(Path("/var/lib/raas")).identity
    serial: Path = Path("/sys/firmware/devicetree/base/serial-number")
    machine_id: Path = Path("/etc/machine-id")
    told: Path = TOLD

    def folder(self, role: str) -> Path:
        """The folder of a `Change`."""
        known = {"settings": self.settings, "networks": self.networks, "ssh": self.ssh}
        return known.get(role) or self.settings / role


def start(places: Places, run: Run) -> str:
    """Apply what the owner left, start what depends on it, write the status, and return it."""
    problems: list[str] = []
    applied: tuple[str, ...] = ()
    settings = places.settings / "raas.yaml"
    if not os.path.ismount(places.boot):
        run(["mount", str(places.boot)])  # checking it may have failed; reading may work all the same
    try:
        places.settings.mkdir(parents=True, exist_ok=True)
        if not settings.exists() and places.defaults.exists():
            write(settings, places.defaults.read_text(), 0o640)
        applied = _apply_all(places, run, problems)
    except OSError as error:
        problems.append(f"Settings can't be kept: {error}. Is the card full or worn out?")
    _hand_over(places.settings.glob("*.yaml"), "root", "raas")
    _keep_machine_id(places, run)
    hostname = _hostname(places)
    run(["hostname", hostname])
    _start_radio(places, run)
    if not _start_ssh(places, run):
        problems.append("ssh didn't start; `journalctl -u ssh` tells why.")
    text = applying.status(hostname, tuple(problems), applied, _setup_code(places, problems))
    write(places.told, json.dumps({"status": text, "problems": problems}), 0o600)
    on_boot_partition(places.boot, run, lambda: write(places.boot / STATUS, text, 0o644))
    return text


def _apply_all(places: Places, run: Run, problems: list[str]) -> tuple[str, ...]:
    applied: list[str] = []
    for name, parse in ((PRESEED, setup_file.from_preseed), (SETUP, setup_file.parse)):
        path = places.boot / name
        if not path.exists():
            continue
        text = path.read_bytes().decode(errors="replace")
        setup, said = parse(text)
        problems += said
        applied += _apply(setup, places, problems)
        if setup != Setup():  # a file of which nothing was understood stays as it is, for its owner to mend
            on_boot_partition(places.boot, run, partial(_retire, path, text))
    return tuple(dict.fromkeys(applied))


def _apply(setup: Setup, places: Places, problems: list[str]) -> list[str]:
    settings = places.settings / "raas.yaml"
    made, said = applying.changes(setup, settings.read_text() if settings.exists() else "")
    problems += said
    for change in made:
        folder = places.folder(change.folder)
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / change.name, change.text, change.mode)
    if setup.owner_password:
        try:
            _set_password(places.identity, setup.owner_password)
        except RaasError as error:
            problems.append(f"The owner's password wasn't set: {error}")
    return [key for key in Setup.__struct_fields__ if getattr(setup, key)]


def _set_password(folder: Path, password: str) -> None:
    ownership = Ownership(folder)
    if ownership.is_claimed:
        ownership.replace(password)
    else:
        ownership.claim(ownership.setup_code(), password)
    _hand_over((folder, *folder.iterdir()), "raas-webui", "raas-webui")


def _setup_code(places: Places, problems: list[str]) -> str:
    try:
        ownership = Ownership(places.identity)
        if ownership.is_claimed:
            return ""
        code = ownership.setup_code()
        _hand_over((places.identity, *places.identity.iterdir()), "raas-webui", "raas-webui")
        return code
    except (RaasError, OSError) as error:
        problems.append(f"Who owns this appliance can't be read: {error}")
        return ""


def _hand_over(found: Iterable[Path], user: str, group: str) -> None:
    """Give files to the services that read them (systemd-tmpfiles ran before); where there are no such users they stay."""
    try:
        for path in found:
            shutil.chown(path, user, group)
    except LookupError:
        pass


def _keep_machine_id(places: Places, run: Run) -> None:
    """Write what systemd drew at the first boot into the root, read only otherwise; routers know the machine by it."""
    if os.path.ismount(places.machine_id):
        run(["mount", "-o", "remount,rw", "/"])
        run(["systemd-machine-id-setup", "--commit"])
        run(["mount", "-o", "remount,ro", "/"])


def _hostname(places: Places) -> str:
    given = places.settings / "hostname"
    if given.exists() and (name := given.read_text().strip()):
        return name
    source = places.serial if places.serial.exists() else places.machine_id
    return applying.default_hostname(source.read_text().strip("\0\n") if source.exists() else "")


def _start_radio(places: Places, run: Run) -> None:
    country = places.settings / "wifi-country"
    if country.exists():
        run(["iw", "reg", "set", country.read_text().strip()])
        run(["rfkill", "unblock", "wifi"])


def _start_ssh(places: Places, run: Run) -> bool:
    """Only where somebody gave a key."""
    if not (places.ssh / "authorized_keys").exists():
        return True
    host_key = places.ssh / "ssh_host_ed25519_key"
    made = host_key.exists() or run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host_key)])
    return made and run(["systemctl", "start", "--no-block", "ssh.service"])


def _retire(path: Path, text: str) -> None:
    """Leave the file without its secrets, under another name, and overwrite what was there.

    A card's controller may keep old blocks all the same: whoever lends out the card should change the password.
    """
    kept = setup_file.without_secrets(text) if path.name == SETUP else ""
    write(
        path.with_name(APPLIED),
        f"# Applied. Secrets were taken out; write a new {SETUP} to change something.\n{kept}",
        0o644,
    )
    with path.open("r+b") as file:
        file.write(b"\0" * path.stat().st_size)
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    durable.sync_file(path.parent)


def on_boot_partition(boot: Path, run: Run, act: Callable[[], None]) -> None:
    """Write to the boot partition, which is mounted read only but for this moment."""
    run(["mount", "-o", "remount,rw", str(boot)])
    try:
        act()
    except OSError as error:
        print(f"{boot} can't be written: {error}", file=sys.stderr)
    finally:
        run(["mount", "-o", "remount,ro", str(boot)])


def write(path: Path, text: str, mode: int) -> None:
    """Write a file, whole or not at all, and never readable by others for a moment."""
    before = os.umask(0o077)
    try:
        durable.write(path, text.encode())
    finally:
        os.umask(before)
    path.chmod(mode)


def _run(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return False


if __name__ == "__main__":
    print(start(Places(), _run))
