"""What may differ between two kinds of SD-card image? One frozen declaration; each kind is one small file beside this one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A package archive other than the building machine's own sources.

    `uri` may be replaced at build time (a mirror, a test's stand-in); `keyring` is a file on the building machine.
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str


@dataclass(frozen=True)
class Flavour:
    """One kind of image.

    `loop_rate_hz` is the motor loop's. `debian_components` are taken of the machine's Debian sources. `firmware_lines` end up in config.txt, after whatever
    a package writes there; `kernel_words` on the kernel's command line. `firmware_hook`: a package's hook writes both
    files anew at each kernel update, from our settings; otherwise they are ours alone. `disk_id` is the MBR's signature
    and so part of each PARTUUID.
    """

    name: str
    title: str
    suite: str
    robot_link: str
    loop_rate_hz: int
    debian_components: tuple[str, ...]
    archives: tuple[Archive, ...]
    packages: tuple[str, ...]
    firmware_lines: tuple[str, ...]
    kernel_words: tuple[str, ...]
    firmware_hook: bool
    disk_id: int
