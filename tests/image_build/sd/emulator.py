"""A machine for a card's image: QEMU for arm64 without any help of hardware, the card in a file, two ports on loopback.

What the machine writes is on the host's side when the machine is told so (`cache=writethrough`, no snapshot): a killed QEMU
is a pulled plug. The guest reaches nothing outside (`restrict=on`).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import requests

from appliance.client import Client, Refused, Unreachable
from image_build.sd import layout
from image_build.sd.flavour import Flavour
from tests.patience import eventually

PASSWORD = "a long enough password"
#: The guest's clock advances with its instructions, one a nanosecond (`-icount`), and not with the host's: on a loaded host
#: it sees no slow processor, on which its watchdogs would bite, but a long wall clock.
MACHINE = (
    "-M virt -cpu cortex-a72 -smp 2 -m 1536 -accel tcg,thread=single -icount shift=0,sleep=on -display none -monitor none "
    "-device virtio-rng-pci"
)
#: On two loaded cores, without hardware's help, a first boot takes minutes.
BOOT_S = 1800.0
_BOOT_OFFSET = layout.BOOT.start_mib * layout.MIB
_KERNEL, _INITRD = re.compile(r"^vmlinuz-\S+$"), re.compile(r"^initrd\.img-\S+$")


class Card:
    """A card with an image on it; everything about it by mtools and e2fsprogs, without mounting."""

    def __init__(self, image: Path, path: Path, size_bytes: int = 16_000_000_000) -> None:
        """Flash an image onto a new card; holes stay holes."""
        self.path = path
        subprocess.run(["cp", "--sparse=always", image, path], check=True)
        with path.open("r+b") as file:
            file.truncate(size_bytes)

    def put(self, name: str, text: str) -> None:
        """Write a file onto the boot partition, as an owner does."""
        subprocess.run(["mcopy", "-o", "-i", self._boot, "-", f"::{name}"], input=text.encode(), check=True)

    def names(self) -> list[str]:
        """What is on the boot partition."""
        listed = subprocess.check_output(["mdir", "-b", "-i", self._boot, "::"], text=True)
        return [line.removeprefix("::/").rstrip("/") for line in listed.splitlines()]

    def read(self, name: str) -> bytes:
        """A file of the boot partition; nothing where there is none."""
        return subprocess.run(["mtype", "-i", self._boot, f"::{name}"], capture_output=True).stdout

    def save(self, name: re.Pattern[str], folder: Path) -> Path:
        """Copy the one file of that name out of the boot partition."""
        (found,) = [known for known in self.names() if name.match(known)]
        subprocess.run(["mcopy", "-n", "-i", self._boot, f"::{found}", folder / found], check=True)
        return folder / found

    def data_complaints(self, folder: Path) -> str:
        """What e2fsck says of a copy of the data partition after its journal was replayed; empty when it is clean."""
        copy = folder / "data.ext4"
        start = layout.DATA.start_mib
        taken = ["dd", f"if={self.path}", f"of={copy}", "bs=1M", f"skip={start}", "conv=sparse", "status=none"]
        subprocess.run(taken, check=True)
        replayed = subprocess.run(["e2fsck", "-p", copy], capture_output=True, text=True)
        checked = subprocess.run(["e2fsck", "-f", "-n", copy], capture_output=True, text=True)
        copy.unlink()
        # 1: the journal was replayed, or something was corrected, which -p says by its own words.
        bad = replayed.returncode > 1 or checked.returncode != 0 or "FIXED" in replayed.stdout
        return replayed.stdout + checked.stdout if bad else ""

    @property
    def _boot(self) -> str:
        return f"{self.path}@@{_BOOT_OFFSET}"


class Emulator:
    """The machine with a card in it. `folder` keeps its console, its kernel and a key for ssh."""

    def __init__(self, card: Card, flavour: Flavour, folder: Path) -> None:
        self.card, self._folder, self._flavour = card, folder, flavour
        self.console = folder / "console.log"
        self._key = folder / "key"
        self._process: subprocess.Popen[bytes] | None = None
        self._page_port, self._ssh_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{self._page_port}"
        self._token = ""
        self.extra_words = "console=ttyAMA0 systemd.journald.forward_to_console=1"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._key], check=True)

    @property
    def public_key(self) -> str:
        """What goes into raas.yaml."""
        return self._key.with_name("key.pub").read_text().strip()

    def start(self) -> None:
        """Switch on. The firmware's part is QEMU's: kernel, initrd and command line come from the card."""
        kernel, initrd = self.card.save(_KERNEL, self._folder), self.card.save(_INITRD, self._folder)
        line = self.card.read("cmdline.txt").decode().strip()
        forwards = f"hostfwd=tcp:127.0.0.1:{self._page_port}-:8080,hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22"
        command = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "10", "qemu-system-aarch64", *MACHINE.split()]
        command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append", f"{line} {self.extra_words}"]
        command += ["-drive", f"file={self.card.path},format=raw,if=none,id=card,cache=writethrough"]
        command += ["-device", "virtio-blk-pci,drive=card", "-device", "virtio-net-pci,netdev=net,romfile="]
        command += ["-netdev", f"user,id=net,restrict=on,{forwards}", "-serial", "chardev:console"]
        command += ["-chardev", f"file,id=console,path={self.console},append=on"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def cut(self) -> None:
        """Pull the plug."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def power_off(self) -> None:
        """Shut down in order."""
        assert self._process is not None
        with contextlib.suppress(subprocess.CalledProcessError):  # the connection may end before the command does
            self.ssh("systemctl poweroff")
        self._process.wait(timeout=300)
        self._process = None

    def until_page(self) -> None:
        """Wait for an answer of the page."""

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, "the emulator ended"
            try:
                return requests.get(f"{self.url}/healthz", timeout=10).status_code in (200, 503)
            except requests.RequestException:
                return False

        eventually(answers, BOOT_S, "a page", pause_s=1.0, then=self.last_words)

    def ssh(self, command: str) -> str:
        """What a command prints in the machine, as root."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        options += ["-o", "ConnectTimeout=180", "-o", "BatchMode=yes", "-i", str(self._key), "-p", str(self._ssh_port)]
        done = subprocess.run(
            ["ssh", *options, "root@127.0.0.1", command], capture_output=True, text=True, timeout=300, check=True
        )
        return done.stdout

    def client(self) -> Client:
        """Speaks to the page with a token that the owner handed out."""
        if not self._token:
            self._token = eventually(self._new_token, 120.0, "a token", pause_s=2.0)
        return Client(self.url, 180.0, self._token)

    def last_words(self) -> str:
        """The end of the console."""
        return "\n" + "\n".join(self.console.read_text(errors="replace").splitlines()[-40:])

    def _new_token(self) -> str:
        session = requests.Session()
        with contextlib.suppress(requests.RequestException, Refused, Unreachable):
            session.post(f"{self.url}/login", data={"password": PASSWORD}, headers=self._origin, timeout=180)
            made = session.post(
                f"{self.url}/api/tokens", json={"name": "test", "right": "owner"}, headers=self._origin, timeout=180
            )
            return str(made.json()["token"]) if made.ok else ""
        return ""

    @property
    def _origin(self) -> dict[str, str]:
        return {"Origin": self.url}


def setup(public_key: str) -> str:
    """A raas.yaml that a test's machine is started with."""
    return f"name: emulated\nhostname: raas-test\nowner_password: {PASSWORD}\nssh_keys:\n  - {public_key}\n"


def missing_programs() -> list[str]:
    """What has to be installed before a card can be booted."""
    programs = ("qemu-system-aarch64", "mcopy", "e2fsck", "ssh", "setpriv")
    return [name for name in programs if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
