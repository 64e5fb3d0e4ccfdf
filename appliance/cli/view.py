"""How do jobs and the robot look in a terminal? Renderables, no I/O of their own.

Texts from elsewhere go through `said`: as plain strings they would be read as rich's markup, and by the terminal.
"""

from __future__ import annotations

import datetime as dt

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from appliance import terminal
from appliance.shapes import DeliveryView, Health, HookView, ImageView, JobView, Leaderboard, TokenView

_COLOURS = {
    "queued": "cyan",
    "preparing": "cyan",
    "waiting_for_robot": "cyan",
    "running": "bold blue",
    "collecting": "blue",
    "succeeded": "green",
    "failed": "red",
    "timed_out": "yellow",
    "cancelled": "dim",
}


def state(name: str) -> Text:
    """A job's state in its colour."""
    return Text(name.replace("_", " "), style=_COLOURS.get(name, ""))


def said(text: str, style: str = "") -> Text:
    """What somebody else has written, as it is but for what a terminal would obey."""
    return Text(terminal.line(text), style)


def done(text: str) -> Text:
    """A command's good end."""
    return Text.assemble(("✓", "green"), " ", said(text))


def moment(at_s: float | None) -> str:
    """A wall-clock time in the terminal's zone, short."""
    if at_s is None:
        return "-"
    return dt.datetime.fromtimestamp(at_s, dt.UTC).astimezone().strftime("%d %b %H:%M:%S")


def day(at_s: float | None) -> str:
    """The same for what lies months away."""
    return "-" if at_s is None else dt.datetime.fromtimestamp(at_s, dt.UTC).astimezone().strftime("%d %b %Y %H:%M")


def standings(found: Leaderboard) -> Table:
    """One line per name."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("rank", "name", "return", "twin", "robot", "when"):
        table.add_column(title, justify="right" if title in ("rank", "return", "twin") else "left", no_wrap=True)
    for each in found.entries:
        twin = "-" if each.twin_return is None else f"{each.twin_return:.1f}"
        when = Text(day(each.at))
        table.add_row(str(each.rank), said(each.name), f"{each.mean_return:.1f}", twin, said(each.robot), when)
    return table


def job_table(jobs: list[JobView]) -> Table:
    """One line per job."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("job", "state", "name", "steps", "submitted", ""):
        table.add_column(title, overflow="fold" if title == "" else "ellipsis", no_wrap=title != "")
    for job in jobs:
        steps = "" if job.steps is None else f"{job.steps}"
        table.add_row(
            job.id,
            state(job.state),
            said(job.name or job.source),
            steps,
            moment(job.submitted_at),
            said(job.sentence, "dim"),
        )
    return table


def job_card(job: JobView) -> RenderableType:
    """Everything about one job."""
    rows = {
        "source": f"{job.source} {job.ref}".strip(),
        "commit": job.commit_id[:12],
        "submitter": job.submitter,
        "submitted": moment(job.submitted_at),
        "started": moment(job.started_at),
        "ended": moment(job.ended_at),
        "image": job.image,
        "attempt": str(job.attempt),
        "exit code": "" if job.exit_code is None else str(job.exit_code),
        "steps": "" if job.steps is None else f"{job.steps} ({job.missed_steps or 0} boundaries missed)",
    }
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for key, value in rows.items():
        if value and value != "-":
            grid.add_row(key, said(value))
    title = Text.assemble(said(job.name or job.id, "bold"), "  ", state(job.state))
    notes = [said(note, "dim") for note in job.notes]
    return Group(title, said(job.sentence), *notes, Padding(grid, (1, 0, 0, 0)))


def image_list(images: list[ImageView]) -> RenderableType:
    """Each image with what is in it."""
    blocks: list[RenderableType] = []
    for image in images:
        grid = Table.grid(padding=(0, 2))
        for package, version in image.packages.items():
            grid.add_row(said(package), said(version, "dim"))
        blocks += [Text(image.name, "bold"), Padding(grid, (0, 0, 1, 2))]
    return Group(*blocks)


def token_table(tokens: list[TokenView]) -> Table:
    """One line per token."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("name", "may", "made", "until"):
        table.add_column(title)
    for token in tokens:
        may = "do everything" if token.right == "owner" else "submit jobs"
        until = (
            Text("has ended", "red") if token.ended else Text("no end" if token.ends_at is None else day(token.ends_at))
        )
        table.add_row(said(token.name), may, day(token.made_at), until)
    return table


def hook_table(hooks: list[HookView]) -> Table:
    """One line per webhook, its address whole."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True)
    table.add_column("address", overflow="fold")
    table.add_column("since")
    for hook in hooks:
        table.add_row(said(hook.id), said(hook.url), day(hook.made_at))
    return table


def delivery_table(deliveries: list[DeliveryView]) -> Table:
    """One line per delivery, the newest first."""
    table = Table(title="Last deliveries", title_style="dim", title_justify="left", box=None, pad_edge=False)
    table.show_header = False
    colours = {"delivered": "green", "given_up": "red", "waiting": "cyan"}
    for each in deliveries:
        what = f"job {each.job_id}" if each.job_id else "test"
        state = Text(each.state.replace("_", " "), colours[each.state])
        table.add_row(moment(each.made_at), said(each.host), said(what), state, said(each.said))
    return table


def health_table(health: Health) -> Table:
    """One line per part."""
    grid = Table.grid(padding=(0, 2))
    for part, words in health.parts.items():
        fine = words.startswith("ok")
        grid.add_row(
            Text("✓" if fine else "✗", "green" if fine else "red"), said(part), said(words, "dim" if fine else "red")
        )
    return grid
