"""A network of two machines: two namespaces, and between them a cable that delays and loses packets, or is pulled.

The kernel's netem does the same where there is one. Here IP packets pass through this process, from one TUN device to the
other, so that TCP on both sides is the kernel's own and sees real losses.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_PACKET_BYTES = 65_536
ROBOT, LAPTOP = "10.77.0.1", "10.77.0.2"


@dataclass
class Cable:
    """One way and the other: `delay_s` each, `loss` of all packets; nothing passes while `is_pulled`."""

    ends: tuple[int, int]
    delay_s: float
    loss: float
    is_pulled: bool = False
    passed: int = 0
    lost: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    def carry(self, stopping: threading.Event) -> None:
        """Until `stopping`."""
        due: list[tuple[float, int, int, bytes]] = []
        numbers = itertools.count()
        while not stopping.is_set():
            wait_s = max(0.0, due[0][0] - time.monotonic()) if due else 0.05
            for end in select.select(self.ends, [], [], min(wait_s, 0.05))[0]:
                packet = os.read(end, _PACKET_BYTES)
                if self.is_pulled or self._chance.random() < self.loss:
                    self.lost += 1
                    continue
                other = self.ends[1 - self.ends.index(end)]
                heapq.heappush(due, (time.monotonic() + self.delay_s, next(numbers), other, packet))
            while due and due[0][0] <= time.monotonic():
                _, _, other, packet = heapq.heappop(due)
                self.passed += 1
                with contextlib.suppress(OSError):
                    os.write(other, packet)


@dataclass(frozen=True)
class Network:
    """What a test sees of it: how a command runs on either machine, and the cable between them."""

    on_robot: tuple[str, ...]
    on_laptop: tuple[str, ...]
    cable: Cable


def is_possible() -> bool:
    """Whether this machine lets us make namespaces and TUN devices."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists()


@contextlib.contextmanager
def lossy_network(delay_s: float, loss: float) -> Iterator[Network]:
    """Two machines, ROBOT and LAPTOP; nothing is left at the end."""
    tag = f"{os.getpid()}"
    names = [f"raas-robot-{tag}", f"raas-laptop-{tag}"]
    stopping = threading.Event()
    with contextlib.ExitStack() as stack:
        ends = []
        for name, own, other in zip(names, (ROBOT, LAPTOP), (LAPTOP, ROBOT), strict=True):
            subprocess.run(["ip", "netns", "add", name], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
            ends.append(_tun(name))
            stack.callback(os.close, ends[-1])
            inside = ["ip", "-n", name]
            subprocess.run([*inside, "address", "add", own, "peer", other, "dev", "cable"], check=True)
            subprocess.run([*inside, "link", "set", "cable", "mtu", "1400", "up"], check=True)
            subprocess.run([*inside, "link", "set", "lo", "up"], check=True)
        cable = Cable((ends[0], ends[1]), delay_s, loss)
        carrier = threading.Thread(target=cable.carry, args=(stopping,), daemon=True)
        carrier.start()
        stack.callback(carrier.join)
        stack.callback(stopping.set)
        enter = [("nsenter", f"--net=/run/netns/{name}") for name in names]
        yield Network(enter[0], enter[1], cable)


def _tun(namespace: str) -> int:
    """A TUN device called `cable` in a namespace; a device belongs to the namespace of the thread that makes it."""
    made: list[int] = []

    def make() -> None:
        with Path(f"/run/netns/{namespace}").open() as target:
            _setns(target.fileno())
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"cable", _IFF_TUN | _IFF_NO_PI))
        made.append(device)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _setns(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
