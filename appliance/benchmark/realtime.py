"""Does the loop keep its time on this machine? `raas bench realtime`: the loop beside cyclictest, interleaved.

Only ratios carry over from one machine to another, so each pair of runs shares core, priority and period, and the
figure of a percentile is the median of its ratios over all pairs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from appliance import histogram
from appliance.benchmark import cyclictest
from appliance.benchmark.rig import Rig, running_rig
from appliance.config import Config
from appliance.errors import RaasError
from appliance.realtime.cores import loop_core

#: What the driving program may take until its first step: Python starts slowly under a heavy load.
_START_S: Final = 60.0
#: Alternates the action each step, so that the loop does all its work: PWM, encoder, replies, records.
_DRIVER: Final = """
import sys, time
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1', disable_env_checker=True).unwrapped
end_s, k = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end_s:
    env.step([1.5 if k // 10 % 2 else -1.5])
    k += 1
"""


class Lateness(msgspec.Struct, frozen=True):
    """Percentiles of a time in µs."""

    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Lateness:
        """The percentiles of these samples; at least one."""
        ordered = sorted(samples)
        p50, p99, p999 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99, 0.999))
        return cls(p50, p99, p999, ordered[-1])


class Ratio(msgspec.Struct, frozen=True):
    """Loop over cyclictest, per percentile: median over the pairs."""

    p50: float
    p99: float
    p999: float
    max: float


class TickCost(msgspec.Struct, frozen=True):
    """Work of one tick, µs."""

    p50: float
    p99: float
    max: float


class RealtimeBench(msgspec.Struct, frozen=True, kw_only=True):
    """What `raas bench realtime --json` prints. `cyclictest` and `ratio` are null where it isn't installed.

    ratio_95: interval of each median with at least 95 % confidence, null below six pairs. *_histogram: (upper bound in µs, count).
    means: which real-time means the loop was granted and which not.
    """

    rate_hz: int
    seconds: float
    pairs: int
    load: bool
    loop: Lateness
    cyclictest: Lateness | None
    ratio: Ratio | None
    ratio_95: dict[str, tuple[float, float]] | None
    ratios: list[Ratio]
    loop_histogram: list[tuple[int, int]]
    cyclictest_histogram: list[tuple[int, int]]
    tick_us: TickCost
    missed: int
    means: str
    verdict: str


def run(config: Config, seconds: float, pairs: int, *, load: bool, say: Callable[[str], None]) -> RealtimeBench:
    """Measure `pairs` pairs of `seconds` each. Raises RaasError when the processes don't come up."""
    settings = config.realtime
    core, compare = loop_core(settings.cpu), cyclictest.is_installed()
    runs = _Runs()

    def the_loop() -> None:
        with running_rig() as rig:
            late, work = _measure_loop(rig, seconds)
            runs.means = rig.means()
        runs.late.append(late)
        runs.work += work

    def its_rival() -> None:
        period_us = 1_000_000 // settings.rate_hz
        runs.beside.append(cyclictest.lateness_us(core, settings.priority, period_us, seconds))

    with stressed() if load else contextlib.nullcontext():
        for pair in range(pairs):
            both = [("the loop", the_loop), ("cyclictest", its_rival)] if compare else [("the loop", the_loop)]
            # What changes slowly on the machine meets both alike: every other pair goes the other way round.
            for name, measure in both if pair % 2 == 0 else reversed(both):
                say(f"pair {pair + 1} of {pairs}: {name}")
                measure()
    return _report(config, seconds, runs, load=load)


@dataclasses.dataclass
class _Runs:
    """What was measured: lateness per pair, work of all ticks, lateness of cyclictest per pair, granted means."""

    late: list[list[int]] = dataclasses.field(default_factory=list)
    work: list[int] = dataclasses.field(default_factory=list)
    beside: list[list[int]] = dataclasses.field(default_factory=list)
    means: str = ""


def _measure_loop(rig: Rig, seconds: float) -> tuple[list[int], list[int]]:
    with rig.session(seconds + _START_S, os.getgid()) as drive:
        environment = {**os.environ, "RAAS_ROBOT": drive.address}
        driver = [sys.executable, "-W", "ignore", "-c", _DRIVER, str(seconds)]
        done = subprocess.run(driver, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RaasError(f"The driving program failed: {done.stderr.strip()[-500:]}")
        _, ticks = drive.records()
    return [tick.late_us for tick in ticks], [tick.work_us for tick in ticks]


def _report(config: Config, seconds: float, runs: _Runs, *, load: bool) -> RealtimeBench:
    late, work, beside = runs.late, runs.work, runs.beside
    ours = [sample for pair in late for sample in pair]
    theirs = [sample for pair in beside for sample in pair]
    loop = Lateness.of(ours)
    period_us = 1_000_000 // config.realtime.rate_hz
    missed = sum(sample // period_us for pair in late for sample in pair)
    ratios = [_ratio(Lateness.of(ours), Lateness.of(theirs)) for ours, theirs in zip(late, beside, strict=False)]
    cost = Lateness.of(work)
    return RealtimeBench(
        rate_hz=config.realtime.rate_hz, seconds=seconds, pairs=len(late), load=load, loop=loop,
        cyclictest=Lateness.of(theirs) if theirs else None,
        ratio=_median(ratios) if ratios else None, ratio_95=intervals(ratios), ratios=ratios,
        loop_histogram=histogram.counted(ours), cyclictest_histogram=histogram.counted(theirs),
        tick_us=TickCost(cost.p50_us, cost.p99_us, cost.max_us), missed=missed,
        means=runs.means, verdict=_verdict(loop, period_us, missed, ratios),
    )  # fmt: skip


def _ratio(ours: Lateness, theirs: Lateness) -> Ratio:
    pairs = zip(msgspec.structs.astuple(ours), msgspec.structs.astuple(theirs), strict=True)
    return Ratio(*(round(a / max(b, 1.0), 3) for a, b in pairs))


def _median(ratios: list[Ratio]) -> Ratio:
    columns = zip(*(msgspec.structs.astuple(ratio) for ratio in ratios), strict=True)
    return Ratio(*(round(statistics.median(column), 3) for column in columns))


def intervals(ratios: list[Ratio]) -> dict[str, tuple[float, float]] | None:
    """Where each median lies with at least 95 % confidence, whatever the distribution: between two order statistics."""
    kth = rank(len(ratios))
    if not kth:
        return None
    columns = {name: sorted(getattr(ratio, name) for ratio in ratios) for name in Ratio.__struct_fields__}
    return {name: (column[kth - 1], column[-kth]) for name, column in columns.items()}


def rank(count: int) -> int:
    """The largest k for which the k-th smallest and k-th largest of `count` enclose the median with 95 %; 0 if none does."""
    outside, kth = 0.0, 0
    for below in range(count // 2):
        outside += 2.0 * math.comb(count, below) / 2.0**count
        if outside > 0.05:
            break
        kth = below + 1
    return kth


def _verdict(loop: Lateness, period_us: int, missed: int, ratios: list[Ratio]) -> str:
    """What it means, in words."""
    if loop.p999_us > period_us:
        words = "This machine stalls too often for a real motor: 1 wake-up in 1000 is later than a whole tick."
    elif loop.p99_us > period_us / 2:
        words = "Usable for the twin; for a real motor isolate the loop's core or use a PREEMPT_RT kernel."
    else:
        words = f"The loop keeps its time: 99 of 100 wake-ups are within {loop.p99_us:.0f} µs of a {period_us} µs tick."
    if ratios and _median(ratios).p99 > 1.5:
        words += " cyclictest does clearly better on the same core: look at what else runs there."
    return words + (f" {missed} ticks were missed." if missed else "")


@contextlib.contextmanager
def stressed() -> Iterator[None]:
    """stress-ng on all cores: arithmetic, memory, file metadata, context switches."""
    if shutil.which("stress-ng") is None:
        raise RaasError("--load needs stress-ng; install Debian's package stress-ng.")
    command = ["stress-ng", "--cpu", "2", "--vm", "1", "--vm-bytes", "128M", "--switch", "1", "--timer", "1"]
    with subprocess.Popen([*command, "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as stress:
        time.sleep(1.0)
        try:
            yield
        finally:
            stress.terminate()
