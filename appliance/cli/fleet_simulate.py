"""The command `raas fleet simulate`: does a fleet keep its promises when everything goes wrong?"""

from __future__ import annotations

import gc
import time
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from appliance.cli.context import Context, Exit, reported
from appliance.federation.s3_store import Bucket
from appliance.federation.simulation.endpoint import play_on
from appliance.federation.simulation.play import play
from appliance.federation.simulation.report import Report
from appliance.federation.simulation.settings import Faults, Prices, Settings

#: From here on signatures are simulated too, or the simulation measures nothing but them.
_QUICK_FROM = 5000


def simulate(
    context: typer.Context,
    appliances: Annotated[int, typer.Option(min=1, max=100_000, help="How many appliances")] = 50,
    jobs: Annotated[int, typer.Option(min=0, max=10_000_000, help="How many jobs")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run")] = 1,
    load: Annotated[
        float, typer.Option(min=0.01, max=3.0, help="Share of all appliances' time that jobs ask for")
    ] = 0.8,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Jobs that are submitted at a time")] = 10,
    killed: Annotated[float, typer.Option(min=0, max=0.9, help="Share that dies while holding a job")] = 0.1,
    paused: Annotated[float, typer.Option(min=0, max=0.9, help="Share that stops in a job and comes back late")] = 0.1,
    cut_off: Annotated[float, typer.Option(min=0, max=0.9, help="Share that loses the network for a while")] = 0.1,
    lost: Annotated[float, typer.Option(min=0, max=0.5, help="Share of requests or replies that get lost")] = 0.03,
    slow: Annotated[float, typer.Option(min=0, max=0.5, help="Share of writes that arrive late")] = 0.002,
    drift: Annotated[float, typer.Option(min=0, max=0.2, help="How wrong local clocks run, at most")] = 0.02,
    price_put: Annotated[float, typer.Option(help="USD per 1000 PUT or LIST")] = 0.005,
    price_get: Annotated[float, typer.Option(help="USD per 1000 GET")] = 0.0004,
    endpoint: Annotated[str, typer.Option(help="A real S3 endpoint instead of the model (small runs)")] = "",
    bucket: Annotated[str, typer.Option(help="Bucket at the endpoint")] = "",
    access_key: Annotated[str, typer.Option(envvar="AWS_ACCESS_KEY_ID", help="Its credentials")] = "",
    secret_key: Annotated[str, typer.Option(envvar="AWS_SECRET_ACCESS_KEY", help="Its credentials")] = "",
) -> None:
    """Run the real planning code with simulated appliances, break things, and check that nothing is lost or done twice.

    Exit status 1 if an invariant was violated.
    """
    shared: Context = context.obj
    with reported():
        settings = Settings(
            appliances=appliances, jobs=jobs, seed=seed, load=load, batch=batch,
            quick_signatures=not endpoint and jobs > _QUICK_FROM,
            faults=Faults(killed, paused, cut_off, lost, slow, drift),
            prices=Prices(price_put / 1000, price_get / 1000),
        )  # fmt: skip
        began_s = time.monotonic()
        gc.disable()  # millions of objects that are all in use: looking for circles takes a third of the time
        if endpoint:
            report = play_on(Bucket(bucket, endpoint, access_key=access_key, secret_key=secret_key), settings)
        else:
            report = play(settings)
        report = msgspec.structs.replace(report, took_s=time.monotonic() - began_s)
        shared.show(report, _shown(report))
        if report.violations:
            raise typer.Exit(Exit.FAILED)


def _shown(report: Report) -> Table:
    """The report for a person."""
    grid = Table.grid(padding=(0, 2))
    good = not report.violations
    latency = "  ".join(f"{name} {seconds:.0f} s" for name, seconds in report.pick_up_s.items())
    events = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(report.events.items()))
    rows = {
        "jobs": f"{report.jobs} on {report.appliances} appliances, {report.store}",
        "commits": f"{report.commits}   doubles {report.doubles}   lost {report.lost}",
        "claims": f"{report.claims}   taken over {report.steals}   given up {report.given_up}",
        "stale holders": f"{report.stale_holders}, of which {report.stale_holders_refused} finished too late and were refused",
        "what happened": events,
        "requests": f"{report.requests_per_job:.1f} per job, polling included;  {report.cost_per_job_usd * 1000:.3f} USD per 1000 jobs",
        "idle appliance": f"{report.cost_per_appliance_day_usd:.5f} USD a day",
        "pick-up": latency,
        "time": f"{report.simulated_h:.1f} h in {report.took_s:.0f} s",
    }
    for name, text in rows.items():
        grid.add_row(Text(name, "dim"), text)
    for text in report.violations:
        grid.add_row(Text("✗", "red"), Text(text, "red"))
    grid.add_row(
        Text("✓" if good else "✗", "green" if good else "red"), "every job ended exactly once" if good else "violated"
    )
    return grid
