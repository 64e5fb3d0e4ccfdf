"""Do queue, cells and services work, and is what is secret kept so? Pure checks of Docker, database, units and rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.care.finding import Finding, failed, ok, unknown, warning
from appliance.care.snapshot import Database, Engine, Proof, Right, Service

#: What Docker Engine says that it can limit, and what a cell needs it for.
_LIMITS: Final = (
    ("memory", "memory", "cgroup_enable=memory on the kernel's command line; Raspberry Pi OS leaves it out."),
    ("swap", "swap", "swapaccount=1 on the kernel's command line, or no swap at all."),
    ("pids", "processes", "Use a kernel with the pids controller (CONFIG_CGROUP_PIDS)."),
    ("cpu_quota", "CPU time", "Use a kernel with CONFIG_CFS_BANDWIDTH."),
    ("cpuset", "cores", "Use a kernel with the cpuset controller (CONFIG_CPUSETS)."),
)


def engine(seen: Engine | None) -> Iterator[Finding]:
    """Docker Engine, what it can limit, and whether limits were seen to hold."""
    if seen is None:
        yield unknown(
            "docker", "engine", "not looked at: only the runner reaches Docker", "`raas doctor` as root tells."
        )
        return
    if seen.problem:
        yield failed("docker", "engine", seen.problem, "`make setup` installs it; `systemctl start docker` starts it.")
        return
    yield ok("docker", "engine", f"version {seen.version} at {seen.host}")
    missing = [(name, remedy) for key, name, remedy in _LIMITS if not seen.limits.get(key, False)]
    for name, remedy in missing:
        bad = warning if name == "swap" else failed
        yield bad("docker", f"limit of {name}", "ignored by this kernel: a job could take the whole machine", remedy)
    if not missing:
        yield ok("docker", "limits", "memory, swap, processes, CPU time and cores can be limited")
    if seen.has_image:
        yield ok("docker", "job image", "there")
    else:
        yield warning(
            "docker", "job image", "not there for the present sources", "`make job-image`; `raas up` makes it too."
        )


def limits(seen: Proof | None) -> Iterator[Finding]:
    """Whether the cell's limits were seen to hold: tried by the runner before the first job of each boot."""
    if seen is None:
        yield unknown("docker", "limits proven", "not tried yet: the runner does before the first job")
    elif seen.problem:
        yield failed("docker", "limits proven", seen.problem, "Do not run strangers' jobs until they hold.")
    else:
        yield ok("docker", "limits proven", f"{', '.join(seen.held)}: exceeded on {seen.day}, and they held")


def database(seen: Database) -> Iterator[Finding]:
    """Whether the jobs can be read."""
    remedy = "Stop the appliance, then `raas restore BACKUP --replace`; the damaged file is put aside, not removed."
    if seen.problem:
        yield failed("database", "jobs", seen.problem, remedy)
    elif seen.schema < 0:
        yield unknown("database", "jobs", f"{seen.path} isn't there yet; the first start makes it")
    elif seen.schema > seen.newest_schema:
        yield failed("database", "schema", f"{seen.schema}, made by a newer version (this one knows {seen.newest_schema})",
                     "Update the software.")  # fmt: skip
    else:
        old = f", brought up to {seen.newest_schema} at the next start" if seen.schema < seen.newest_schema else ""
        yield ok("database", "jobs", f"{seen.jobs} jobs, whole; schema {seen.schema}{old}")


def services(seen: tuple[Service, ...]) -> Iterator[Finding]:
    """Units of systemd; nothing where systemd doesn't run them."""
    broken = [service for service in seen if service.active in ("failed", "activating", "deactivating")]
    for service in broken:
        yield failed("services", service.name, service.active, f"`journalctl -u {service.name}` tells why.")
    if seen and not broken:
        running = [service.name for service in seen if service.active == "active"]
        yield (
            ok("services", "units", f"{len(running)} run, none has failed")
            if running
            else unknown("services", "units", "none runs", "`systemctl start raas.target`")
        )


def rights(seen: tuple[Right, ...]) -> Iterator[Finding]:
    """Files that others could read or change though they mustn't."""
    open_ones = [right for right in seen if right.mode & right.forbidden]
    for right in open_ones:
        yield failed("rights", right.path, f"mode {right.mode & 0o7777:04o}: {right.why}",
                     f"chmod {right.mode & 0o7777 & ~right.forbidden:04o} {right.path}")  # fmt: skip
    if seen and not open_ones:
        yield ok("rights", "secrets", "closed to others")
