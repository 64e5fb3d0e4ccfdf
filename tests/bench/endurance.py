"""Does the loop last? Job after job: its memory, page faults, garbage collections, and false trips of the dead-man.

`python -m tests.bench.endurance --seconds 3600` drives an idle machine's robot for an hour, `--load` under stress-ng on all
cores. The dead-man has the budget that a real robot has by default, on the twin, too, so a trip is always a false one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from appliance.benchmark.realtime import stressed
from appliance.benchmark.rig import Rig, running_rig
from appliance.errors import RobotError
from appliance.realtime import control
from appliance.realtime.control import GuardClient
from tests.bench.loop import DRIVER
from tests.bench.process_memory import Memory
from tests.patience import eventually
from tests.realtime.chaos.host_stalls import HostStalls, watched

DEAD_MAN_S = 0.1
JOB_S = 110.0
SINCE = "since its start: "
#: A job's first seconds touch what no job has touched before.
_WARM_S = 5.0


@dataclass(frozen=True)
class Look:
    """The loop while a job drives; faults: since that job's first seconds. stalled_ms: the host's longest stall meanwhile."""

    at_s: float
    memory: Memory
    faults: int
    worst_late_us: int
    stalled_ms: float


@dataclass
class Endured:
    """What has been seen so far; refusals: why a job could not start or go on."""

    looks: list[Look] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    loops: set[int] = field(default_factory=set)
    said: str = ""


def endure(rig: Rig, seconds: float, stalls: HostStalls, console: Console) -> Endured:
    """Drive for so long; a fault is counted and resumed, as a person would."""
    found, begin_s = Endured(), time.monotonic()
    while (gone_s := time.monotonic() - begin_s) < seconds:
        job_ns = time.monotonic_ns()
        try:
            look = _job(rig, begin_s, min(JOB_S, max(_WARM_S * 2.0, seconds - gone_s)), stalls)
            found.looks.append(look)
            console.print(_row(look), highlight=False, soft_wrap=True)
        except RobotError as error:
            stalled_ms = stalls.longest_ms(job_ns, time.monotonic_ns())
            found.refusals[str(error)] += 1
            console.print(f"{gone_s:>8.0f} s  {error}; host's longest stall {stalled_ms:.0f} ms", soft_wrap=True)
        found.loops.add(rig.loop_pid())
        found.faults = _resumed(rig)
    os.kill(rig.loop_pid(), signal.SIGTERM)  # its last line tells of garbage collections
    found.said = eventually(lambda: _last_words(rig), what="the loop's last words")
    return found


def _job(rig: Rig, begin_s: float, seconds: float, stalls: HostStalls) -> Look:
    begin_ns = time.monotonic_ns()
    with rig.session(seconds + 30.0, os.getgid()) as drive:
        driver = [sys.executable, "-W", "ignore", "-c", DRIVER, str(seconds)]
        job = subprocess.Popen(driver, env={**os.environ, "RAAS_ROBOT": drive.address}, stderr=subprocess.DEVNULL)
        time.sleep(_WARM_S)
        before = Memory.of(rig.loop_pid())
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(seconds - _WARM_S - 1.0)
        memory, at_s = Memory.of(rig.loop_pid()), time.monotonic() - begin_s
        ended = job.wait()
        _, ticks = drive.records()
    if ended != 0:
        raise RobotError(f"the job ended with {ended}")
    late_us, stalled_ms = max(tick.late_us for tick in ticks), stalls.longest_ms(begin_ns, time.monotonic_ns())
    return Look(at_s, memory, memory.faults - before.faults, late_us, stalled_ms)


def _resumed(rig: Rig) -> Counter[str]:
    """All faults so far; the newest is resumed, as soon as a guard on a busy machine answers, and has a loop again."""

    def ask() -> control.Reply | None:
        with contextlib.suppress(RobotError), GuardClient(rig.paths.control("resume")) as guard:
            guard.ask(control.Resume("the bench"))
            said = guard.ask(control.Status())
            return said if said.loop_alive else None
        return None

    return Counter(eventually(ask, 120.0, "the guard and its loop").faults)


def _last_words(rig: Rig) -> str:
    _, since, said = rig.guard_log.read_text().rpartition(SINCE)
    return said.partition("\n")[0] if since else ""


def _row(look: Look) -> str:
    memory = look.memory
    return (
        f"{look.at_s:>8.0f} s {memory.resident_kb:>8} kB resident {memory.locked_kb:>8} kB locked"
        f"{look.faults:>6} page faults   worst wake-up {look.worst_late_us / 1e3:.1f} ms late"
        f"   host's longest stall {look.stalled_ms:.0f} ms"
    )


def _summary(found: Endured) -> str:
    first, last = found.looks[0].memory, found.looks[-1].memory
    faults = sum(look.faults for look in found.looks)
    trips = found.faults["link_slow"]
    others = {name: count for name, count in found.faults.items() if name != "link_slow"}
    grown = f"{last.resident_kb - first.resident_kb} kB resident, {last.locked_kb - first.locked_kb} kB locked"
    lines = (
        f"{len(found.looks)} jobs in {found.looks[-1].at_s:.0f} s, {len(found.loops)} process(es) of the loop",
        f"growth from the first job to the last: {grown}",
        f"page faults while jobs drove: {faults}; the loop {SINCE}{found.said}",
        f"false trips of the dead-man ({DEAD_MAN_S:g} s): {trips}; other faults: {others or 'none'}",
        f"refusals: {dict(found.refusals) or 'none'}",
    )
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="tests.bench.endurance", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--load", action="store_true", help="under stress-ng")
    options = parser.parse_args()
    console = Console()
    with (
        stressed() if options.load else contextlib.nullcontext(),
        running_rig(f"realtime: {{dead_man_s: {DEAD_MAN_S}}}\n") as rig,
        tempfile.TemporaryDirectory(prefix="raas-") as folder,
        watched(Path(folder)) as stalls,
    ):
        found = endure(rig, options.seconds, stalls, console)
    console.print(_summary(found), highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
