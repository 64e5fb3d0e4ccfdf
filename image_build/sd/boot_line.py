"""What does the firmware read before Linux runs? config.txt and the kernel's command line, for both flavours."""

from __future__ import annotations

from typing import Final

from image_build.sd.flavour import Flavour
from image_build.sd.layout import ROOT_A, Partition, part_uuid

#: The motor loop's core, the last of four on both boards; the units keep everything else on 0-2.
LOOP_CORE: Final = 3

#: What the hook of Debian's raspi-firmware puts around our words, read in its z50-raspi-firmware (1.20220830).
_HOOK_WORDS: Final = ("rw", "fsck.repair=yes", "net.ifnames=0", "rootwait")

_WORDS: Final = (
    "ro",  # the last of ro and rw counts, and the hook writes rw
    "rootfstype=ext4",
    "fsck.repair=yes",
    # Without this word the limit on a job's memory is ignored without a message.
    "cgroup_enable=memory",
    "cgroup_memory=1",
    # No process, no interrupt and no timer of others on the loop's core.
    f"isolcpus={LOOP_CORE}",
    f"nohz_full={LOOP_CORE}",
    f"rcu_nocbs={LOOP_CORE}",
    f"irqaffinity=0-{LOOP_CORE - 1}",
    # A kernel that fell over starts again by itself.
    "panic=10",
    "net.ifnames=0",
    "quiet",
    "loglevel=4",
)

#: Messages go to the screen only: the serial console's pins, GPIO 14 and 15, are the encoder's.
CONSOLE: Final = "tty1"

_FIRMWARE: Final = (
    "arm_64bit=1",
    # GPIO 14 and 15 belong to the encoder: the console would drive one of its outputs against it.
    "enable_uart=0",
    # The bridge's inputs, off before Linux is even loaded.
    "gpio=13,19=ip,pd",
    "disable_splash=1",
)


def config_txt(flavour: Flavour) -> str:
    """Our lines of config.txt."""
    return "\n".join(("[all]", *_FIRMWARE, *flavour.firmware_lines)) + "\n"


def root_word(flavour: Flavour, slot: Partition = ROOT_A) -> str:
    """Where the kernel finds the system."""
    return f"PARTUUID={part_uuid(flavour.disk_id, slot)}"


def our_words(flavour: Flavour) -> tuple[str, ...]:
    """What we add to the kernel's command line beyond console and root."""
    return (*_WORDS, *flavour.kernel_words)


def cmdline(flavour: Flavour, slot: Partition = ROOT_A) -> str:
    """The kernel's command line as it stands on the card: ours, or what the hook makes of our settings."""
    around = _HOOK_WORDS if flavour.firmware_hook else ("rootwait",)
    return " ".join((f"console={CONSOLE}", f"root={root_word(flavour, slot)}", *around, *our_words(flavour)))


def hook_settings(flavour: Flavour) -> dict[str, str]:
    """The files in /etc/default from which Debian's hook writes config.txt and cmdline.txt at each kernel update."""
    return {
        # Without CMA=0 the hook, run where no Pi is, writes cma=64M, which a Pi 4 may not survive (its own comment).
        "raspi-firmware": f'CMA=0\nROOTPART="{root_word(flavour)}"\nCONSOLES="{CONSOLE}"\n',
        "raspi-extra-cmdline": " ".join(our_words(flavour)) + "\n",
        # It writes enable_uart=1 before this; the last one counts.
        "raspi-firmware-custom": config_txt(flavour),
    }
