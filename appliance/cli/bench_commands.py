"""Commands that measure this machine: bench realtime."""

from __future__ import annotations

import math
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance import config as configuration
from appliance.benchmark import realtime as realtime_bench
from appliance.benchmark.realtime import Lateness, RealtimeBench
from appliance.cli.context import Context, reported

_BAR_CHARACTERS: Final = 16

bench = typer.Typer(help="Measure this machine.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(bench, name="bench")


@bench.command()
def realtime(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=1.0, max=500.0, help="Length of one run, s")] = 20.0,
    pairs: Annotated[int, typer.Option(min=1, max=100, help="Runs of loop and cyclictest, taken in turn")] = 3,
    load: Annotated[bool, typer.Option(help="While stress-ng loads all cores")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Compare the motor loop's wake-ups with cyclictest's on the same core."""
    shared: Context = context.obj
    with reported():
        with shared.bar("measuring") as (progress, task):
            config = configuration.load(shared.paths.config)
            found = realtime_bench.run(
                config, seconds, pairs, load=load, say=lambda text: progress.update(task, description=text)
            )
        shared.show(found, _rendered(found), json=json)


def _rendered(found: RealtimeBench) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for title in ("wake-up lateness", "p50", "p99", "p99.9", "max"):
        table.add_column(title, justify="left" if title.startswith("w") else "right")
    table.add_row("loop, µs", *_cells(found.loop))
    if found.cyclictest is not None and found.ratio is not None:
        table.add_row("cyclictest, µs", *_cells(found.cyclictest))
        ratio = found.ratio
        table.add_row("ratio", *(f"{part:.2f}" for part in (ratio.p50, ratio.p99, ratio.p999, ratio.max)), style="bold")
    else:
        table.add_row("cyclictest", Text("not installed (rt-tests)", "dim"))
    if found.ratio_95 is not None:
        table.add_row("95 % interval", *(f"{low:.2f}-{high:.2f}" for low, high in found.ratio_95.values()), style="dim")
    cost = found.tick_us
    work = f"work in a tick: {cost.p50:.0f} µs, p99 {cost.p99:.0f}, max {cost.max:.0f}"
    run = f"{found.pairs} x {found.seconds:.0f} s at {found.rate_hz} Hz" + (" under load" if found.load else "")
    bars = _bars(found.loop_histogram, found.cyclictest_histogram)
    means = Text(f"real-time means: {found.means}", "dim")
    return Group(table, Text(), bars, Text(), Text(f"{work}   {run}", "dim"), means, Text(found.verdict, "bold"))


def _bars(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> RenderableType:
    """Both histograms side by side. The length is the logarithm of the share, or what is rare would not be seen."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("late by up to", justify="right")
    columns = [("loop", dict(ours), "cyan")] + ([("cyclictest", dict(theirs), "magenta")] if theirs else [])
    for title, _, _ in columns:
        table.add_column(title, min_width=_BAR_CHARACTERS)
        table.add_column("", justify="right", style="dim", no_wrap=True)
    for bound_us in sorted({bound_us for _, counts, _ in columns for bound_us in counts}):
        cells: list[RenderableType] = [f"{bound_us} µs" if bound_us < 1000 else f"{bound_us / 1000:g} ms"]
        for _, counts, colour in columns:
            count = counts.get(bound_us, 0)
            length = math.log1p(count) / math.log1p(max(counts.values())) * _BAR_CHARACTERS
            cells += [Text("█" * round(length) or ("▏" if count else ""), colour), f"{count:,}" if count else ""]
        table.add_row(*cells)
    return table


def _cells(late: Lateness) -> list[str]:
    return [f"{part:.0f}" for part in (late.p50_us, late.p99_us, late.p999_us, late.max_us)]
