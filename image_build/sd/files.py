"""Which files does the image get beyond those of its packages? Path -> content, as pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from image_build.sd import boot_line, contents
from image_build.sd.flavour import Flavour
from image_build.sd.layout import BOOT, ROOT_A, part_uuid


@dataclass(frozen=True)
class File:
    """A file's text and its permission bits; all belong to root."""

    text: str
    mode: int = 0o644


def units() -> tuple[Path, ...]:
    """Units that only an image has, beside those of `systemd/`."""
    return tuple(sorted((Path(__file__).parent / "units").glob("*.service")))


def fstab(flavour: Flavour) -> str:
    """Root and boot are read only; what lasts is shown from /data; a card without data still boots."""
    root, boot = (f"PARTUUID={part_uuid(flavour.disk_id, part)}" for part in (ROOT_A, BOOT))
    lines = [
        f"{root} / ext4 ro,noatime,errors=remount-ro 0 1",
        f"{boot} /boot/firmware vfat ro,umask=0077,nofail,x-systemd.after=raas-storage.service 0 2",
    ]
    lines += [f"tmpfs {path} tmpfs mode=1777,nosuid,nodev,size=128m 0 0" for path in contents.VOLATILE]
    # raas-storage mounts /data itself: a unit for it would wait for a partition that may not be there.
    binds = "bind,nofail,x-systemd.requires=raas-storage.service"
    lines += [f"/data/{name} {path} none {binds} 0 0" for name, path in contents.PERSISTENT]
    return "\n".join(lines) + "\n"


#: Services of others whose folders lie on the data partition, and which don't wait for them by themselves.
_KEEPERS: Final = {
    "containerd": ("/var/lib/containerd",),
    "docker": ("/var/lib/docker",),
    "NetworkManager": ("/etc/NetworkManager/system-connections", "/var/lib/NetworkManager"),
}


def _after(paths: tuple[str, ...]) -> str:
    """After, not requiring: with a damaged card the service comes up, too."""
    return f"[Unit]\nAfter={' '.join(f'{_escaped(path)}.mount' for path in paths)}\n"


def _escaped(path: str) -> str:
    """As systemd-escape --path writes it, for the paths that occur here."""
    return path.strip("/").replace("-", "\\x2d").replace("/", "-")


def raas_yaml(flavour: Flavour) -> str:
    """The appliance's settings as they leave the workshop; the first boot copies them to the data partition."""
    return (
        f"robot: {{link: {flavour.robot_link}}}\nrealtime: {{rate_hz: {flavour.loop_rate_hz}}}\n"
        "web: {address: 0.0.0.0, port: 8080}\n"
    )


def system_files(flavour: Flavour) -> dict[str, File]:
    """All files of the root file system that we write, by absolute path."""
    watchdog = f"[Manager]\nRuntimeWatchdogSec={contents.HARDWARE_WATCHDOG_S}s\nRebootWatchdogSec=2min\n"
    texts = {
        "/etc/fstab": fstab(flavour),
        "/etc/hostname": "raas\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 raas\n",
        "/etc/machine-id": "uninitialized\n",
        "/etc/default/locale": "LANG=C.UTF-8\n",
        "/etc/initramfs-tools/conf.d/raas.conf": "MODULES=list\nCOMPRESS=zstd\nRESUME=none\n",
        "/etc/initramfs-tools/modules": "".join(f"{name}\n" for name in contents.INITRD_MODULES),
        "/etc/systemd/system.conf.d/raas.conf": watchdog,
        # While the card is divided, its partitions come and go for udev; a check would be ended by that.
        "/etc/systemd/system/systemd-fsck@.service.d/raas.conf": "[Unit]\nAfter=raas-storage.service\n",
        "/etc/systemd/journald.conf.d/raas.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n",
        "/etc/systemd/zram-generator.conf": "[zram0]\nzram-size = ram / 2\ncompression-algorithm = zstd\n",
        "/etc/ssh/sshd_config.d/raas.conf": (
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "AuthorizedKeysFile /etc/ssh/keys/authorized_keys\nHostKey /etc/ssh/keys/ssh_host_ed25519_key\n"
        ),
        "/etc/NetworkManager/conf.d/raas.conf": (
            # hostname-mode: or the name that the first boot gave would be taken back for the one in the root.
            "[main]\nplugins=keyfile\nhostname-mode=none\n[connection]\nwifi.powersave=2\n"
        ),
        # The key is one that Docker 20.10 wants to write, and beside this file it can't.
        "/etc/docker/daemon.json": ('{"log-driver": "none", "deprecated-key-path": "/var/lib/docker/key.json"}\n'),
        **{f"/etc/systemd/system/{name}.service.d/raas.conf": _after(paths) for name, paths in _KEEPERS.items()},
        "/usr/share/raas/raas.yaml": raas_yaml(flavour),
        "/usr/share/raas/flavour": f"{flavour.name}\n",
        "/usr/share/raas/setup-example.yaml": EXAMPLE,
    }
    files = {path: File(text) for path, text in texts.items()}
    if flavour.firmware_hook:
        files |= {f"/etc/default/{name}": File(text) for name, text in boot_line.hook_settings(flavour).items()}
    return files


def boot_files(flavour: Flavour) -> dict[str, File]:
    """Files of the FAT partition that we write ourselves, by name."""
    files = {"raas-example.yaml": File(EXAMPLE), "READ-ME.txt": File(READ_ME)}
    if not flavour.firmware_hook:
        files["config.txt"] = File(boot_line.config_txt(flavour))
        files["cmdline.txt"] = File(boot_line.cmdline(flavour) + "\n")
    return files


#: A test reads this with the parser of the first boot.
EXAMPLE = """\
# Save this file as raas.yaml beside this one, with what applies to you, and start the appliance. All keys may be left out.
# What is secret is taken out of the file again when it has been applied. Messages appear in raas-status.txt.
name: pendulum            # how the page calls the robot
hostname: raas-lab        # http://raas-lab.local:8080; without it a name of its own such as raas-3fa2
wifi:
  network: my network
  password: the network's password
  country: DE             # two letters; decides on channels
owner_password: at least ten characters
ssh_keys:                 # without a key nobody can log in by ssh
  - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExample0 me@laptop
fleet:
  endpoint: https://s3.example.org
  bucket: robots
  access_key: the key's name
  secret_key: the key's secret
"""

READ_ME = """\
Reality as a Service

1. Copy raas-example.yaml to raas.yaml and change what is in it; or leave that and plug in a network cable.
2. Put the card into the Raspberry Pi and switch it on. The first start takes longer.
3. Open http://raas-xxxx.local:8080; the name is on the screen, and in raas-status.txt on this card.

If something is wrong, raas-status.txt says what.
"""
