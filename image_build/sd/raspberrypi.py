"""The image that owners flash: Raspberry Pi's own kernel, under which pigpiod can drive the pins."""

from __future__ import annotations

from typing import Final

from image_build.sd.flavour import Archive, Flavour

RASPBERRYPI: Final = Flavour(
    name="raspberrypi",
    title="Reality as a Service (robot)",
    suite="bookworm",
    robot_link="pigpiod",
    loop_rate_hz=1000,
    debian_components=("main", "non-free-firmware"),
    archives=(
        Archive(
            uri="",  # Raspberry Pi's package archive or a mirror of it; whoever builds says where it is (--archive)
            suite="bookworm",
            components=("main",),
            keyring="/usr/share/keyrings/raspberrypi-archive-keyring.gpg",
        ),
    ),
    # The kernel with 64 bits for Pi 3 and 4; firmware, overlays and wireless firmware come from the same archive.
    packages=("firmware-brcm80211", "linux-image-rpi-v8", "raspberrypi-archive-keyring", "raspi-firmware"),
    # auto_initramfs: the firmware loads the initrd that belongs to the kernel. audio off: the analogue output uses the
    # PWM unit of the motor's pins.
    firmware_lines=("auto_initramfs=1", "dtparam=audio=off", "dtparam=watchdog=on"),
    kernel_words=(),
    firmware_hook=False,
    disk_id=0x72616173,
)
