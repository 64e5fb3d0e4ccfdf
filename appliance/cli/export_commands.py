"""The command that makes a data set of recorded jobs, from an appliance or from downloaded bundles."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer

from appliance.cli import reach, view
from appliance.cli.context import Context, reported
from appliance.errors import BadSource, RaasError
from appliance.export import csv_form, episodes, lerobot_form, minari_form
from appliance.export.episodes import Episode, Job


class Form(NamedTuple):
    """How a form is written, what it is called by default, and how it is read back."""

    write: Callable[[Path, Sequence[Episode]], None]
    target: str
    read: str


_FORMS: Final = {
    "csv": Form(csv_form.write, "episodes.csv", ""),
    "lerobot": Form(lerobot_form.write, "lerobot", 'LeRobotDataset("local/raas", root="{target}")'),
    "minari": Form(minari_form.write, "minari", f'MINARI_DATASETS_PATH={{target}}; minari.load_dataset("{minari_form.DATASET}")'),
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(export)


def export(
    context: typer.Context,
    wanted: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB...]", help="Ids, ends of ids, 'last', or bundle.zip files")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="csv, lerobot or minari")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File (csv) or folder to make")] = None,
) -> None:
    """Make one data set of what jobs recorded: a line or frame for each step, cut into episodes at resets."""
    shared: Context = context.obj
    with reported():
        chosen = _FORMS.get(form)
        if chosen is None:
            raise BadSource(f"There is no format '{form}'; choose {', '.join(_FORMS)}.")
        target = output or Path(chosen.target)
        if target.exists():
            raise BadSource(f"{target} is there already; name another place with --output, or remove it.")
        jobs = [_read(shared, each) for each in wanted or ["last"]]
        found = [episode for job in jobs for episode in job.episodes]
        _write(chosen, target, found)
        steps = sum(map(len, found))
        told = {"path": str(target), "jobs": [job.id for job in jobs], "episodes": len(found), "steps": steps}
        said = f"{target}: {len(found)} episodes, {steps} steps"
        hint = f"\n  {chosen.read.format(target=target)}" if chosen.read else ""
        shared.show(told, view.done(said + hint))


def _read(shared: Context, wanted: str) -> Job:
    if Path(wanted).suffix == ".zip":
        return episodes.read(Path(wanted))
    job = reach.find_job(shared.client, wanted)
    with tempfile.TemporaryDirectory() as folder, shared.bar(f"downloading {job.id}") as (progress, bar):
        bundle = Path(folder) / "bundle.zip"
        shared.client.download(job.id, bundle.name, bundle, lambda n, of: progress.update(bar, completed=n, total=of))
        return episodes.read(bundle)


def _write(form: Form, target: Path, found: Sequence[Episode]) -> None:
    """Whole or not at all. Raises RaasError."""
    try:
        with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".raas-export-") as folder:
            made = Path(folder) / "made"
            form.write(made, found)
            shutil.move(made, target)
    except OSError as error:
        raise RaasError(f"{target} can't be written: {error.strerror or error}.") from error
