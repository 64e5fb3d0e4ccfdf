"""Is this machine fit for the work? Pure checks of real-time means, disk, clock, power and network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from appliance.care.finding import Finding, Verdict, failed, ok, unknown, warning
from appliance.care.snapshot import Clock, Network, Power, RealTime, Storage

#: Each means as `appliance.realtime.machine` words it, how it is called here, and what grants it.
_MEANS: Final = (
    ("FIFO priority", "scheduling", "LimitRTPRIO=90 in the unit, or start as root (in a container: --cap-add SYS_NICE)."),
    ("locked memory", "locked memory", "LimitMEMLOCK=infinity in the unit, or start as root."),
    ("no sleep states", "sleep states", "Give group raas /dev/cpu_dma_latency (systemd/udev.rules)."),
    ("exact timers", "timers", "Not supported by this kernel; use Linux 2.6.28 or newer."),
)  # fmt: skip
#: The firmware's bits: what they mean now, and what they mean as history (16 bits higher).
_THROTTLED: Final = (
    (0, "under-voltage", "Use the official supply and a short cable; power the motor separately."),
    (1, "clock capped", "Use the official supply, or cool the board."),
    (2, "throttled", "Use the official supply, or cool the board."),
    (3, "at the soft temperature limit", "Cool the board: a heat sink or fan, not in a closed box."),
)
_HOT_C: Final = 80.0
_MB_PER_GB: Final = 1024
_YEAR_OF_RELEASE: Final = 2025
#: From then on a certificate's end is told.
_SOON_S: Final = 21 * 86400.0
_RENEW: Final = "Renew it, put it into the same files, then `raas services restart webui`."


def real_time(seen: RealTime, *, is_real: bool) -> Iterator[Finding]:
    """What the motor loop gets of the machine. On a twin nothing of it is needed, so nothing of it fails."""
    bad = failed if is_real else warning
    granted, refused = _granted(seen.report), _refused(seen.report)
    whose = "the loop has it" if seen.is_loops_own else "granted to a trial process"
    for words, name, remedy in _MEANS:
        if any(item.startswith(words) for item in granted):
            yield ok("real-time", name, whose)
        elif reason := next((item for item in refused if item.startswith(words)), ""):
            yield bad("real-time", name, f"refused: {reason}", remedy)
        else:
            yield unknown("real-time", name, "no motor loop has reported")
    yield from _core(seen, is_real=is_real)
    if seen.governor is not None and seen.governor != "performance":
        yield warning("real-time", "governor", f"{seen.governor}: the clock changes while the loop runs",
                      f"echo performance > /sys/devices/system/cpu/cpu{seen.core}/cpufreq/scaling_governor")  # fmt: skip
    else:
        yield ok("real-time", "governor", seen.governor or "the clock isn't scaled by this kernel")
    if seen.preempt_rt is not None:
        yield ok("real-time", "kernel", "PREEMPT_RT" if seen.preempt_rt else "ordinary; PREEMPT_RT isn't needed")


def _core(seen: RealTime, *, is_real: bool) -> Iterator[Finding]:
    if seen.isolated is None:
        yield unknown("real-time", "isolated core", "the kernel doesn't tell")
    elif seen.core in cores(seen.isolated):
        yield ok("real-time", "isolated core", f"core {seen.core}, for the loop alone")
    elif seen.cores < 2:
        yield (failed if is_real else warning)(
            "real-time", "isolated core", "there is only one core", "Use a machine with at least two."
        )
    else:
        yield warning("real-time", "isolated core", f"core {seen.core} is shared with others",
                      f"Add isolcpus={seen.core} to the kernel's command line.")  # fmt: skip


def cores(text: str) -> frozenset[int]:
    """The kernel's list of cores, such as `1,3-5`."""
    found: set[int] = set()
    for part in text.strip().split(","):
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()):
            found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def _granted(report: str) -> list[str]:
    match = re.search(r"granted (.*?); refused", report)
    return [item.strip() for item in match[1].split(",")] if match else []


def _refused(report: str) -> list[str]:
    match = re.search(r"; refused (.*)", report)
    return [item.strip() for item in re.split(r",\s*(?![^()]*\))", match[1])] if match else []


def storage(seen: Storage) -> Iterator[Finding]:
    """Room for jobs, and a file system that keeps them."""
    room = f"{_size(seen.free_mb)} of {_size(seen.total_mb)} free"
    if seen.read_only:
        yield failed("disk", "writable", f"{seen.folder} is read only", "A worn card? `dmesg`; make a backup at once.")
    if seen.free_mb < seen.least_mb:
        yield failed("disk", "room", f"{room}; jobs wait until {seen.least_mb} MiB are",
                     "Remove old jobs (page Disk), or use a larger card.")  # fmt: skip
    elif seen.free_mb < 4 * seen.least_mb:
        yield warning(
            "disk", "room", f"{room}; jobs wait below {seen.least_mb} MiB", "Remove old jobs soon (page Disk)."
        )
    else:
        yield ok("disk", "room", room)
    if seen.free_files_percent < 5:
        yield failed(
            "disk", "files", f"only {seen.free_files_percent:.0f} % of the inodes are free", "Remove old jobs."
        )
    if seen.kind in ("tmpfs", "ramfs"):
        yield warning("disk", "kept", f"{seen.folder} is in memory: jobs are lost when the machine goes off",
                      "Choose a data folder on a disk; on the image: `findmnt /data`.")  # fmt: skip
    elif seen.kind:
        yield ok("disk", "kept", f"on {seen.kind}")


def clock(seen: Clock) -> Iterator[Finding]:
    """Whether times of jobs mean something."""
    if datetime.fromtimestamp(seen.now_s, UTC).year < _YEAR_OF_RELEASE:
        yield failed("clock", "time", f"it says {_day(seen.now_s)}", "Connect it to a network with time, or `date -s`.")
    elif seen.newest_s > seen.now_s + 60:
        yield failed("clock", "time", f"the newest job is of {_day(seen.newest_s)}, after {_day(seen.now_s)}",
                     "The clock went back: a Raspberry Pi has no battery. Connect it to a network with time.")  # fmt: skip
    else:
        yield ok("clock", "time", _day(seen.now_s))
    if seen.synchronized is None:
        yield unknown("clock", "synchronized", "the kernel doesn't tell")
    elif seen.synchronized:
        yield ok("clock", "synchronized", "to a time server")
    else:
        yield warning("clock", "synchronized", "nothing sets it", "`timedatectl set-ntp true`, and a network with NTP.")


def power(seen: Power) -> Iterator[Finding]:
    """A Raspberry Pi's supply, now and since it was switched on, and its temperature."""
    if seen.throttled is None:
        yield unknown("power", "supply", f"{seen.model or 'this machine'} doesn't tell",
                      "On a Raspberry Pi: run as root, with `vcgencmd` installed." if "Raspberry" in seen.model else "")  # fmt: skip
    else:
        yield from _supply(seen.throttled)
    if seen.celsius is not None:
        hot = seen.celsius >= _HOT_C
        found = f"{seen.celsius:.0f} °C"
        yield warning("power", "temperature", found, _THROTTLED[3][2]) if hot else ok("power", "temperature", found)


def _supply(bits: int) -> Iterator[Finding]:
    now = [(what, remedy) for bit, what, remedy in _THROTTLED if bits >> bit & 1]
    before = [(what, remedy) for bit, what, remedy in _THROTTLED if bits >> (bit + 16) & 1]
    if now:
        yield failed("power", "supply", f"{', '.join(what for what, _ in now)} now", now[0][1])
    elif before:
        yield warning(
            "power", "supply", f"{', '.join(what for what, _ in before)} since it was switched on", before[0][1]
        )
    else:
        yield ok("power", "supply", "never under voltage or throttled since it was switched on")


def network(seen: Network, now_s: float, *, appliance_runs: bool) -> Iterator[Finding]:
    """Whether people reach the page."""
    local = seen.address in ("localhost", "::1") or seen.address.startswith("127.")
    if local:
        yield ok("network", "address", f"{seen.address}: only this machine reaches the page")
    elif not seen.addresses:
        yield failed("network", "address", "this machine has no address on any network",
                     "Plug in a cable, or give the Wi-Fi in raas.yaml on the card.")  # fmt: skip
    else:
        yield ok("network", "address", ", ".join(seen.addresses))
        if not seen.has_route:
            yield warning("network", "way out", "no default route: jobs from git can't be fetched",
                          "`ip route`; archives can still be uploaded.")  # fmt: skip
    yield _page(seen, appliance_runs=appliance_runs)
    if seen.scheme == "https":
        yield _certificate(seen, now_s)


def _page(seen: Network, *, appliance_runs: bool) -> Finding:
    where = f"{seen.scheme}://{seen.address}:{seen.port}"
    if seen.answers is not None:
        return ok("network", "page", f"answers at {where}")
    if appliance_runs:
        return failed(
            "network", "page", f"nothing answers at {where}", "`journalctl -u raas-webui`, or logs/webui.log."
        )
    return Finding("network", "page", Verdict.UNKNOWN, "the appliance isn't running", "")


def _certificate(seen: Network, now_s: float) -> Finding:
    if seen.certificate is None:
        return failed("network", "certificate", seen.certificate_problem, "Correct web.tls_cert and web.tls_key.")
    names, ends_s = seen.certificate
    text = f"for {', '.join(names) or 'no name'}, until {_day(ends_s)}"
    if now_s >= ends_s:
        return failed("network", "certificate", f"{text}: it has ended", _RENEW)
    if ends_s - now_s < _SOON_S:
        return warning("network", "certificate", text, _RENEW)
    return ok("network", "certificate", text)


def _day(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _size(mb: int) -> str:
    return f"{mb / _MB_PER_GB:.1f} GiB" if mb >= _MB_PER_GB else f"{mb} MiB"
