"""How much memory does the idle appliance take, and how long until its page? On this machine, booted in namespaces.

    sudo .venv/bin/python -m tests.systemd.figures

Prints the figures of the issue: memory idle without and with Docker Engine, the page of a native boot against a bare boot of
the same root, and `systemd-analyze blame`. Only on a quiet machine do they mean anything.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.systemd.machine import Machine, booted

SERVICES = ("raas-twin", "raas-realtime", "raas-runner", "raas-webui")
ENGINE = ("docker.service", "docker.socket")
#: Proportional set size: pages that several processes share count once.
_PSS = (
    "cat /sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs | while read pid; do cat /proc/$pid/smaps_rollup; done"
)


def memory_mb(machine: Machine, unit: str) -> float:
    """Memory of one service's processes, MB."""
    said = machine.run("sh", "-c", _PSS.format(unit=unit), check=False)
    return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("Pss:")) * 1024 / 1e6


def moment_s(machine: Machine, unit: str, name: str) -> float:
    """One of systemd's own time stamps, s; without a unit the manager's."""
    asked = ["systemctl", "show", f"--property={name}", "--value", *([unit] if unit else [])]
    return int(machine.run(*asked)) / 1e6


@contextmanager
def boot(enable: bool) -> Iterator[Machine]:
    """A machine, with the appliance started at boot or without."""
    with tempfile.TemporaryDirectory() as folder, booted(Path(folder) / "machine", enable=enable) as machine:
        machine.until(lambda: moment_s(machine, "", "FinishTimestampMonotonic") > 0, "the end of the boot", 90.0)
        yield machine


def main() -> int:
    """Measure and print."""
    if os.geteuid() != 0:
        print("A machine of its own needs root; use sudo.", file=sys.stderr)
        return 1
    with boot(enable=False) as machine:
        bare_s = moment_s(machine, "", "FinishTimestampMonotonic") - moment_s(
            machine, "", "UserspaceTimestampMonotonic"
        )
    with boot(enable=True) as machine:
        machine.until_active("raas.target", *SERVICES)
        began_s = moment_s(machine, "", "UserspaceTimestampMonotonic")
        page_s = moment_s(machine, "raas-webui", "ActiveEnterTimestampMonotonic") - began_s
        used = {unit: memory_mb(machine, unit) for unit in (*SERVICES, "docker")}
        blame = machine.run("systemd-analyze", "blame", "--no-pager")
    appliance_mb = sum(used[unit] for unit in SERVICES)
    print(f"load of this machine      {os.getloadavg()[0]:.1f}")
    for unit, mb in used.items():
        print(f"{unit:<25} {mb:.1f} MB")
    print(f"idle, without dockerd     {appliance_mb:.1f} MB")
    print(f"idle, with dockerd        {appliance_mb + used['docker']:.1f} MB")
    print(f"bare boot                 {bare_s:.2f} s")
    print(f"boot until the page       {page_s:.2f} s")
    print(f"ratio                     {page_s / bare_s:.2f}\n\n{blame}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
