"""What is in every image, whichever the flavour? Packages, modules of the initrd, services, and folders that last."""

from __future__ import annotations

from typing import Final

PACKAGES: Final = (
    "apparmor",  # Debian's kernels have it, and Docker Engine starts no container when its parser is missing
    "apt",
    "avahi-daemon",  # the page's name on the network, raas-xxxx.local
    "bsdextrautils",
    "ca-certificates",
    "dbus",
    "dnsmasq-base",  # addresses for whoever joins the appliance's own Wi-Fi
    "docker.io",
    "dosfstools",
    "e2fsprogs",
    "fdisk",
    "git",
    "initramfs-tools",
    "iproute2",
    "iptables",
    "iw",
    "kmod",
    "libnss-mdns",
    "network-manager",
    "openssh-server",
    "polkitd",
    "procps",
    "python3",
    "rfkill",
    "sudo",
    "systemd-sysv",
    "systemd-timesyncd",
    "systemd-zram-generator",
    "udev",
    "wireless-regdb",
    "wpasupplicant",
    "zstd",
)

#: Files of packages that stay out. Nobody reads manuals on an appliance (licences stay); Docker's and containerd's tools
#: for their own developers, and drivers of what can't be plugged into these boards, were a tenth of the card.
EXCLUDED: Final = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/info/*",
    "/usr/bin/ctr",
    "/usr/bin/containerd-shim",
    "/usr/bin/containerd-shim-runc-v1",
    "/usr/bin/dnet",
    "/usr/sbin/ovrouter",
    *(
        f"/lib/modules/*/kernel/{folder}/*"
        for folder in (
            "drivers/gpu/drm/amd",
            "drivers/gpu/drm/nouveau",
            "drivers/gpu/drm/radeon",
            "drivers/infiniband",
            "drivers/media/dvb-frontends",
            "drivers/media/tuners",
            "drivers/net/ethernet/chelsio",
            "drivers/net/ethernet/mellanox",
            "drivers/net/ethernet/qlogic",
            "drivers/scsi/lpfc",
            "drivers/scsi/qla2xxx",
            "sound/pci",
        )
    ),
)
INCLUDED: Final = ("/usr/share/doc/*/copyright",)

#: What the initrd needs to find its root. The first lines are a Pi's way to its card (see checks.py), then what an
#: emulated machine has. Named one by one, because the module list of a whole kernel takes minutes under emulation.
INITRD_MODULES: Final = (
    "bcm2835_wdt",
    "gpio-raspberrypi-exp",
    "gpio-regulator",
    "fixed",
    "clk-raspberrypi",
    "bcm2835-dma",
    "bcm2835",  # the Pi 3B+'s card reader
    "sdhci-iproc",  # the Pi 4's
    "mmc_block",
    "ext4",
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "virtio_pci",
    "virtio_mmio",
    "virtio_blk",
)

#: Enabled beside raas.target; all of them come with their packages or with this folder's units/.
ENABLED: Final = (
    "avahi-daemon.service",
    "NetworkManager.service",
    "raas-first-boot.service",
    "raas-job-image.service",
    "raas-network.service",
    "raas-storage.service",
    "systemd-timesyncd.service",
)
#: Not started: ssh until somebody gave a key; what would write to the card or fetch at its own will.
MASKED: Final = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "e2scrub_all.timer",
    "man-db.timer",
    "serial-getty@ttyAMA0.service",
    "serial-getty@ttyS0.service",
    "serial-getty@ttyS1.service",
    "hciuart.service",
)
DISABLED: Final = ("ssh.service", "ssh.socket", "NetworkManager-wait-online.service")

#: Folders of the data partition and where they appear. Everything else is lost at a restart, or can't be written at all.
PERSISTENT: Final = (
    ("raas", "/var/lib/raas"),
    ("docker", "/var/lib/docker"),
    ("containerd", "/var/lib/containerd"),
    ("cache", "/var/cache/raas"),
    ("settings", "/etc/raas"),
    ("networks", "/etc/NetworkManager/system-connections"),
    ("network-state", "/var/lib/NetworkManager"),
    ("systemd", "/var/lib/systemd"),
    ("ssh", "/etc/ssh/keys"),
)
#: In memory only.
VOLATILE: Final = ("/tmp", "/var/tmp", "/var/log", "/var/cache/apt", "/var/spool")  # noqa: S108 - mount points

#: systemd refuses to feed a Pi's watchdog beyond this, without a message.
HARDWARE_WATCHDOG_S: Final = 15
