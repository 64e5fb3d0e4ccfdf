"""Commands about jobs: submit, jobs, job, log, cancel, results. All of them speak HTTP only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from appliance import terminal
from appliance.cli import reach, view
from appliance.cli.context import Context, Exit, reported
from appliance.client import packed
from appliance.errors import BadSource, Conflict
from appliance.fleet_shapes import SubmitGitToFleet
from appliance.jobs import State
from appliance.shapes import JobView

_POLL_S = 0.25
_FILES = {"bundle": "bundle.zip", "json": "result.json", "csv": "steps.csv", "gif": "run.gif"}
_DRAWING_POLL_S = 1.0

JobId = Annotated[
    str, typer.Argument(metavar="JOB", help="A job's id, the end of it (4 characters or more), or 'last'")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (submit, jobs, job, log, cancel, results):
        app.command()(command)


def submit(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A folder, a zip or tar file, or a git URL (https://...)")],
    ref: Annotated[str, typer.Option(help="Branch, tag or commit of a git repository")] = "",
    name: Annotated[str, typer.Option(help="What to call the job")] = "",
    image: Annotated[str, typer.Option(help="Job image (see [bold]raas images[/]); default: the usual one")] = "",
    preflight: Annotated[bool, typer.Option("--preflight", help="Try it on the simulation first")] = False,
    board: Annotated[str, typer.Option(help="Name on the leaderboard, if it does the standard task")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the log until the job has ended")] = False,
    fleet: Annotated[bool, typer.Option("--fleet", help="On whichever robot of the fleet is idle")] = False,
) -> None:
    """Queue a repository that has [bold]run.py[/] at its root."""
    shared: Context = context.obj
    with reported():
        if fleet:
            queued = to_fleet(shared, source, ref, name, {"live": "1"} if follow else {})
        elif reach.is_git(source):
            queued = shared.client.submit_git(source, ref, name, image, preflight, board)
        else:
            queued = _upload(shared, source, name, image, preflight, board)
        show_queued(shared, queued, follow=follow)


def to_fleet(shared: Context, source: str, ref: str, name: str, wish: dict[str, str]) -> JobView:
    """Queue a folder, archive or repository for the fleet; wish: further fields of the form. Raises RaasError."""
    if reach.is_git(source):
        counts = int(wish.get("counts_per_turn", "0"))
        given = SubmitGitToFleet(git_url=source, ref=ref, name=name, tags=wish.get("tags", ""), counts_per_turn=counts,
                                 urgent="urgent" in wish, live="live" in wish)  # fmt: skip
        return shared.client.submit_git_to_fleet(given)

    def send(archive: Path, called: str, progress: Callable[[int, int], None]) -> JobView:
        return shared.client.submit_to_fleet(archive, {"name": called, **wish}, progress)

    return _send(shared, source, name, send)


def show_queued(shared: Context, queued: JobView, *, follow: bool) -> None:
    """Say that a job was queued, or show it until it has ended."""
    if not follow:
        shared.show(queued, view.done(f"queued {queued.id}  {queued.sentence}"))
        return
    ended = follow_to_the_end(shared, queued)
    shared.show(ended, view.job_card(ended))
    if ended.state != State.SUCCEEDED:
        raise typer.Exit(Exit.JOB_FAILED)


def jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first")] = 20,
) -> None:
    """List the newest jobs."""
    shared: Context = context.obj
    with reported():
        page = shared.client.jobs(limit)
        empty = "No jobs yet. Submit one: [bold]raas submit FOLDER[/]"
        shared.show(page.jobs, view.job_table(page.jobs) if page.jobs else empty)


def job(context: typer.Context, wanted: JobId) -> None:
    """Show one job."""
    shared: Context = context.obj
    with reported():
        found = reach.find_job(shared.client, wanted)
        shared.show(found, view.job_card(found))


def log(
    context: typer.Context,
    wanted: JobId = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended")] = False,
) -> None:
    """Print what a job has printed."""
    shared: Context = context.obj
    with reported():
        found = reach.find_job(shared.client, wanted)
        if follow:
            follow_to_the_end(shared, found)
        else:
            _write(shared.client.log(found.id))


def cancel(context: typer.Context, wanted: JobId) -> None:
    """Cancel a job at any stage; its record stays."""
    shared: Context = context.obj
    with reported():
        ended = shared.client.cancel(reach.find_job(shared.client, wanted).id)
        shared.show(ended, view.done(ended.sentence))


def results(
    context: typer.Context,
    wanted: JobId = "last",
    form: Annotated[str, typer.Option("--format", help="bundle (zip), json, csv or gif")] = "bundle",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write to")] = None,
) -> None:
    """Download a job's data."""
    shared: Context = context.obj
    with reported():
        if form not in _FILES:
            raise BadSource(f"There is no format '{form}'; choose bundle, json, csv or gif.")
        found = reach.find_job(shared.client, wanted)
        name = f"{found.id}-{_FILES[form]}"
        target = output or Path(name)
        target = target / name if target.is_dir() else target
        if form == "gif":
            _drawn(shared, found.id)
        with shared.bar("downloading") as (progress, task):
            shared.client.download(
                found.id, _FILES[form], target, lambda n, of: progress.update(task, completed=n, total=of)
            )
        shared.show({"path": str(target)}, view.done(str(target)))


def _drawn(shared: Context, job_id: str) -> None:
    """Have a run drawn, and wait for it. Raises Conflict with the reason where it can't be."""
    found = shared.client.animation(job_id, ask=True)
    with shared.bar("drawing") as (progress, task):
        while found.state in ("waiting", "drawing"):
            progress.update(task, note=found.sentence)
            time.sleep(_DRAWING_POLL_S)
            found = shared.client.animation(job_id)
    if found.state != "ready":
        raise Conflict(found.sentence)


def _upload(shared: Context, source: str, name: str, image: str, preflight: bool, board: str) -> JobView:
    def send(archive: Path, called: str, progress: Callable[[int, int], None]) -> JobView:
        return shared.client.submit_archive(archive, called, progress, image, preflight, board)

    return _send(shared, source, name, send)


def _send(
    shared: Context, source: str, name: str, send: Callable[[Path, str, Callable[[int, int], None]], JobView]
) -> JobView:
    path = Path(source)
    if not path.exists():
        raise BadSource(f"There is no {source}. Give a folder, a zip or tar file, or a git URL.")
    if path.is_dir() and not (path / "run.py").is_file():
        raise BadSource(f"{source} has no run.py. The program that the robot runs must be called run.py.")
    archive = packed(path) if path.is_dir() else path
    try:
        with shared.bar("uploading") as (progress, task):
            return send(
                archive, name or path.resolve().name, lambda n, of: progress.update(task, completed=n, total=of)
            )
    finally:
        if archive != path:
            archive.unlink()


def follow_to_the_end(shared: Context, found: JobView, *, quiet: bool = False) -> JobView:
    """Print the log as it grows (unless `quiet`), with a progress bar under it, until the job has ended."""
    shown = 0
    with shared.bar("waiting") as (progress, task):
        while True:
            found = shared.client.job(found.id)
            chunk = shared.client.log(found.id, shown) if found.log_bytes > shown else b""
            shown += len(chunk)
            if chunk and not shared.json and not quiet:
                _print(progress, chunk)
            _advance(progress, task, found)
            if State(found.state).is_final and found.log_bytes <= shown:
                return found
            time.sleep(_POLL_S)


def _print(progress: Progress, chunk: bytes) -> None:
    """Above the bar; where there is none, the log itself is the output."""
    if progress.disable:
        _write(chunk)
    else:
        text = terminal.output(chunk.decode(errors="replace"))
        progress.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)


def _write(chunk: bytes) -> None:
    """To standard output: into a file as it is, onto a terminal without what a terminal would obey."""
    text = chunk.decode(errors="replace")
    sys.stdout.write(terminal.output(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _advance(progress: Progress, task: TaskID, job: JobView) -> None:
    if job.state == State.RUNNING and job.started_at is not None and job.eta_s is not None:
        progress.update(
            task,
            description="running",
            total=job.limit_s,
            completed=job.limit_s - job.eta_s,
            note=f"of {job.limit_s:.0f} s",
        )
    else:
        progress.update(task, description=job.state.replace("_", " "), note=terminal.line(job.sentence))
