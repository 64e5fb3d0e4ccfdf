"""What do kernel, firmware and network say about this machine? Reads /sys and /proc, and asks vcgencmd on a Raspberry Pi."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import certificate, own_page
from appliance.care.snapshot import Clock, Network, Power, RealTime, Storage
from appliance.config import WebSection
from appliance.errors import ConfigError

_TIMEOUT_S: Final = 5.0
_STA_UNSYNC: Final = 0x40
#: Offset of `status` in struct timex of adjtimex(2), on 64-bit and on 32-bit machines: five words come before it.
_TIMEX_BYTES: Final = 512
_MIB: Final = 2**20


@dataclass(frozen=True)
class Kernel:
    """Where the kernel shows itself; a test has its own folders."""

    sys: Path = Path("/sys")
    proc: Path = Path("/proc")

    def read(self, path: Path) -> str | None:
        """A file's text without its end, or None where it can't be read."""
        try:
            return path.read_text(errors="replace").strip().strip("\0")
        except OSError:
            return None


def real_time(kernel: Kernel, core: int, report: str, *, is_loops_own: bool) -> RealTime:
    """The loop's core, and what was granted to it (`report`)."""
    cpus = kernel.sys / "devices" / "system" / "cpu"
    flag = kernel.read(kernel.sys / "kernel" / "realtime")
    return RealTime(
        report=report,
        is_loops_own=is_loops_own,
        core=core,
        cores=os.cpu_count() or 1,
        isolated=kernel.read(cpus / "isolated"),
        governor=kernel.read(cpus / f"cpu{core}" / "cpufreq" / "scaling_governor"),
        preempt_rt=flag == "1",
    )


def storage(kernel: Kernel, folder: Path, least_mb: int) -> Storage:
    """The file system of the data folder, or of the nearest folder above it that exists.

    Whether it can be written is asked of the database's folder: a hardened service sees all but a few places read only.
    """
    there = next(place for place in (folder / "db", folder, *folder.parents) if place.exists())
    usage, detail = shutil.disk_usage(there), os.statvfs(there)
    files = 100.0 * detail.f_favail / detail.f_files if detail.f_files else 100.0
    return Storage(
        str(folder), usage.free // _MIB, usage.total // _MIB, least_mb, files,
        kind=_file_system(kernel, there), read_only=bool(detail.f_flag & os.ST_RDONLY),
    )  # fmt: skip


def _file_system(kernel: Kernel, folder: Path) -> str:
    """Its kind, from the mount table: the line with the longest mount point that the folder is below."""
    best, kind = "", ""
    for line in (kernel.read(kernel.proc / "self" / "mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = fields[4].encode().decode("unicode_escape", errors="replace")
        inside = folder == Path(point) or Path(point) in folder.parents
        if inside and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind


def clock(newest_s: float) -> Clock:
    """The wall clock, and whether the kernel takes it for synchronized."""
    return Clock(time.time(), _is_synchronized(), newest_s)


def _is_synchronized() -> bool | None:
    """adjtimex(2) with modes 0 only reads; its state 5 is an unsynchronized clock."""
    timex = (ctypes.c_long * (_TIMEX_BYTES // ctypes.sizeof(ctypes.c_long)))()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.adjtimex(ctypes.byref(timex)) < 0:
        return None
    status = ctypes.cast(ctypes.byref(timex, 5 * ctypes.sizeof(ctypes.c_long)), ctypes.POINTER(ctypes.c_int))[0]
    return not status & _STA_UNSYNC


def power(kernel: Kernel) -> Power:
    """The firmware's word on supply and heat: by sysfs, else by vcgencmd, which needs group video."""
    model = kernel.read(kernel.sys / "firmware" / "devicetree" / "base" / "model") or ""
    raw = kernel.read(kernel.sys / "devices" / "platform" / "soc" / "soc:firmware" / "get_throttled")
    if raw is None and (program := shutil.which("vcgencmd")):
        raw = _said([program, "get_throttled"]).partition("=")[2]
    heat = kernel.read(kernel.sys / "class" / "thermal" / "thermal_zone0" / "temp")
    celsius = int(heat) / 1000 if heat and heat.lstrip("-").isdecimal() else None
    return Power(model, _bits(raw), celsius)


def _bits(raw: str | None) -> int | None:
    try:
        return int(raw.strip(), 16) if raw else None
    except ValueError:
        return None


def network(kernel: Kernel, web: WebSection, port: int) -> Network:
    """Addresses of this machine, its default route, whether the page answers, and with which certificate."""
    routes = (kernel.read(kernel.proc / "self" / "net" / "route") or "").splitlines()[1:]
    has_route = any(line.split()[1:2] == ["00000000"] for line in routes)
    seen, problem = _certificate(web.tls_cert)
    answers = own_page.status(web, port, "/healthz", _TIMEOUT_S)
    return Network(web.address, port, _addresses(kernel), has_route, answers, web.scheme, seen, problem)


def _certificate(file: str) -> tuple[tuple[tuple[str, ...], float] | None, str]:
    if not file:
        return None, ""
    try:
        found = certificate.read(file)
    except ConfigError as error:
        return None, str(error)
    return (found.names, found.ends_s), ""


def _addresses(kernel: Kernel) -> tuple[str, ...]:
    """This machine's own addresses but for loopback's and Docker's. Read where also a service without netlink may look."""
    net = kernel.proc / "self" / "net"
    four = re.findall(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL", kernel.read(net / "fib_trie") or "")
    found = [address for address in dict.fromkeys(four) if not address.startswith(("127.", "172.17."))]
    for line in (kernel.read(net / "if_inet6") or "").splitlines():
        digits, _, _, scope, _, name = line.split()
        if scope == "00" and name != "lo":
            found.append(str(ipaddress.IPv6Address(bytes.fromhex(digits))))
    return tuple(found)


def _said(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
