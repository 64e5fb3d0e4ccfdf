"""The image that is booted in tests: Debian's PREEMPT_RT kernel and the simulated robot.

pigpiod doesn't work on Debian's kernels, which keep programs away from the peripherals' registers.
"""

from __future__ import annotations

from typing import Final

from image_build.sd.flavour import Flavour

DEBIAN: Final = Flavour(
    name="debian",
    title="Reality as a Service (simulated robot)",
    suite="bookworm",
    robot_link="twin",
    loop_rate_hz=100,  # an emulator without help of hardware hasn't more time than that to spare
    debian_components=("main", "non-free-firmware"),
    archives=(),
    packages=("firmware-brcm80211", "linux-image-rt-arm64", "raspi-firmware"),
    firmware_lines=(),
    # This kernel has the driver of the second serial port built in, and it takes GPIO 14 and 15 as the device tree says,
    # whether there is a console or not.
    kernel_words=("initcall_blacklist=bcm2835aux_serial_driver_init",),
    firmware_hook=True,
    disk_id=0x72616164,
)
