"""`make bench`: measure this machine and print a table. `python -m tests.bench NAME ...` takes only some of it.

Every figure stands beside another one of the same run, because only ratios carry over to another machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from appliance.benchmark import realtime
from appliance.config import Config
from gym_raas.physics import SUBSTEP_S
from tests.bench import ends, first_load, loop, many_jobs, simulation, start, steps, substeps, viewers

Row = tuple[str, str, str]
STREAM_JOBS, STREAM_S = 50, 10


def loop_rows() -> Iterator[Row]:
    """Wake-ups of the loop beside cyclictest, and the cost of a tick."""
    found = realtime.run(Config(), 20.0, 6, load=False, say=lambda text: None)
    cost = found.tick_us
    yield "loop wake-up p50 / p99 / p99.9 / max", _us(found.loop), "6 x 20 s, idle"
    if found.cyclictest is not None and found.ratio is not None:
        yield "cyclictest, same core", _us(found.cyclictest), "taken in turn"
        ratio = found.ratio
        yield "ratio p50 / p99 / p99.9", f"{ratio.p50:.2f} / {ratio.p99:.2f} / {ratio.p999:.2f}", "median of pairs"
    yield (
        "work in a tick p50 / p99 / max",
        f"{cost.p50:.0f} / {cost.p99:.0f} / {cost.max:.0f} µs",
        f"{found.missed} ticks missed",
    )


def step_rows() -> Iterator[Row]:
    """Steps against the grid of 50 ms, seen at the twin's pins."""
    found = steps.measure()
    yield (
        "step-time error p50 / p99 / max",
        _ms(found.error_ms),
        f"{found.count} steps, {found.missed} boundaries missed",
    )
    yield "drift of the grid", f"{found.drift_us_per_s:+.1f} µs per s", ""
    yield "env.step to PWM p50 / p99 / max", _ms(found.delay_ms), ""


def simulation_rows() -> Iterator[Row]:
    """Simulated steps per second beside Pendulum-v1."""
    for title, found in (("unwrapped", simulation.unwrapped()), ("as made", simulation.as_made())):
        detail = f"{found.ours_hz:,.0f} against {found.theirs_hz:,.0f} steps/s"
        yield f"simulated env / Pendulum-v1, {title}", f"{found.ratio:.2f}", detail
    for backend in ("numpy", "numba"):
        found = simulation.many(backend)
        detail = f"{found.ours_hz:,.0f} against {found.theirs_hz:,.0f} steps/s"
        yield f"{simulation.MANY} in one, {backend} / Pendulum-v1", f"{found.ratio:.1f}", detail
    beside = simulation.many_and_envpool()
    if beside is not None:
        detail = f"{beside.ours_hz:,.0f} against {beside.theirs_hz:,.0f} steps per core-second"
        yield f"{simulation.MANY} in one, numba / EnvPool's Pendulum", f"{beside.ratio:.1f}", detail
    for point in substeps.curve():
        chosen = ", the default" if point.substep_s == SUBSTEP_S else ""
        title = f"substep {point.substep_s * 1e3:g} ms{chosen}: worst error in 10 s"
        yield title, f"{point.worst_error_rad:.1e} rad", f"physics alone {point.steps_hz:,.0f} steps/s"


def start_rows() -> Iterator[Row]:
    """From POST of an archive to the first action, and from one job to the next."""
    found = start.measure()
    yield (
        "POST to first action, arm at rest",
        f"{found.start_s * 1e3:.0f} ms",
        f"settling apart: {found.settle_s:.2f} s",
    )
    yield "docker run, importing numpy and gym", f"{found.docker_run_s * 1e3:.0f} ms", "same image, same flags"
    yield "ratio", f"{found.ratio:.2f}", f"medians of {start.ROUNDS}"
    idle = start.measure_queue()
    yield (
        "robot idle between queued jobs p50 / max",
        f"{idle.median_s * 1e3:.0f} / {idle.longest_s * 1e3:.0f} ms",
        f"{start.QUEUED} jobs, settling apart: {idle.settle_s:.2f} s",
    )


def stream_rows() -> Iterator[Row]:
    """A stream of jobs of 10 s: how much of the time the robot is driven."""
    found = start.measure_queue(STREAM_JOBS, STREAM_S)
    yield (
        "robot busy, settling and self-test apart",
        f"{found.busy * 100.0:.1f} %",
        f"{STREAM_JOBS} jobs of {STREAM_S} s, settling apart: {found.settle_s:.2f} s",
    )
    yield "idle between two of them p50 / max", f"{found.median_s * 1e3:.0f} / {found.longest_s * 1e3:.0f} ms", ""


def end_rows() -> Iterator[Row]:
    """How soon a job is gone that ignores every signal."""
    cancelled, limit = ends.measure()
    stages = ", ".join(f"{count} {stage.replace('_', ' ')}" for stage, count in sorted(cancelled.stages.items()))
    figures = " / ".join(f"{cancelled.percentile(percent):.2f}" for percent in (50.0, 99.0, 100.0))
    yield "cancel to cell gone p50 / p99 / max", f"{figures} s", stages
    yield "motor off after its start", f"{limit.off_s:.3f} s", f"time limit {ends.LIMIT_S:g} s"
    yield "last process gone after its start", f"{limit.gone_s:.2f} s", f"and grace {ends.GRACE_S:g} s"


def tick_rows() -> Iterator[Row]:
    """A tick beside an exchange with pigpiod, the loop's memory, a flood of its job's, and a crowd."""
    found = loop.measure()
    (first, second), flooded = found.quiet, found.flooded
    yield "work in a tick p50 / p99", _pair_us(second.work_us), ""
    yield "one exchange with the twin p50 / p99", _pair_us(found.exchange_us), "same run, same core"
    yield "tick's p99 / exchange's p99", f"{second.work_us[1] / found.exchange_us[1]:.2f}", ""
    faults, grown_kb = first.faults + second.faults, first.grown_kb + second.grown_kb
    yield "page faults, growth of memory while driven", f"{faults}, {grown_kb} kB", f"2 x {loop.SECONDS:.0f} s"
    yield "late p50 / p99, quiet", f"{_pair_us(first.late_us)} and {_pair_us(second.late_us)}", "before and after"
    yield "late p50 / p99, flooded", _pair_us(flooded.late_us), "64 MiB frames and 100,000 small ones in turn"
    yield f"late p50 / p99, {loop.VIEWERS} viewers", _pair_us(found.viewed.late_us), "on the real page"


def viewer_rows() -> Iterator[Row]:
    """Many viewers beside a bare server, and who waits meanwhile."""
    found = viewers.measure()
    seen, bare = found.watched, found.bare
    title = f"CPU with {viewers.VIEWERS} viewers / bare gevent server"
    detail = f"{seen.cpu:.1%} against {bare.cpu:.1%} of a core, {seen.seen.events} events in {viewers.SECONDS:.0f} s"
    yield title, f"{found.ratio:.2f}", detail
    yield "events that a viewer lacks", str(found.dropped), "of all parts, streams that ended included"
    for title, part in (("", found.asked), (f", {viewers.LORIS} slow-loris clients", found.besieged)):
        yield f"stop p99 / max{title}", _longest_ms(part.stops_ms), f"{len(part.stops_ms)} stops"
        yield f"API p99 / max{title}", _longest_ms(part.reads_ms), ", ".join(viewers.READS)


def many_jobs_rows() -> Iterator[Row]:
    """Pages and API over a database with many jobs."""
    for each in many_jobs.measure():
        p50, p95, longest = each.ms
        yield f"{each.address} p50 / p95 / max", f"{p50:.1f} / {p95:.1f} / {longest:.1f} ms", f"{many_jobs.JOBS:,} jobs"


def page_rows() -> Iterator[Row]:
    """The Robot page in a browser that has never seen it."""
    for each in first_load.measure():
        stages = f"{each.interactive_ms:.0f} / {each.scripts_ms:.0f} / {each.live_ms:.0f} ms"
        yield (
            f"page stands / scripts ran / live, {each.size}",
            stages,
            f"medians of {first_load.ROUNDS}; slowest {each.slowest_ms:.0f} ms",
        )


PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "simulation": simulation_rows,
    "steps": step_rows,
    "start": start_rows,
    "stream": stream_rows,
    "ends": end_rows,
    "loop": loop_rows,
    "tick": tick_rows,
    "viewers": viewer_rows,
    "jobs": many_jobs_rows,
    "page": page_rows,
}


def main() -> None:
    """Measure and print part by part."""
    console = Console(highlight=False)
    for name in sys.argv[1:] or list(PARTS):
        with console.status(f"measuring: {name}"):
            rows = list(PARTS[name]())
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for title, figure, note in rows:
            table.add_row(title, f"[bold]{figure}[/]", f"[dim]{note}[/]")
        console.print(f"\n[bold]{name}[/]", table)


def _longest_ms(samples: list[float]) -> str:
    return f"{viewers.p99(samples):.1f} / {max(samples):.1f} ms"


def _us(late: realtime.Lateness) -> str:
    return f"{late.p50_us:.0f} / {late.p99_us:.0f} / {late.p999_us:.0f} / {late.max_us:.0f} µs"


def _pair_us(parts: tuple[float, float]) -> str:
    return f"{parts[0]:.0f} / {parts[1]:.0f} µs"


def _ms(parts: tuple[float, float, float]) -> str:
    return " / ".join(f"{part:.2f}" for part in parts) + " ms"


if __name__ == "__main__":
    main()
