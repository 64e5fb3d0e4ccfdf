"""How does a fleet look in a terminal? Renderables, no I/O of their own."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from appliance.cli.view import done as first
from appliance.cli.view import said, state
from appliance.federation.membership import Line
from appliance.fleet_shapes import FleetView, JobLine, MemberView

_SHADES = {"member": "green", "applicant": "yellow", "working": "green", "waiting": "yellow"}


def done(head: str, *more: str) -> RenderableType:
    """A command's good end, and what comes next."""
    return Group(first(head), *(Padding(said(text), (0, 0, 0, 2)) for text in more))


def roll(lines: list[Line], lease_s: float) -> RenderableType:
    """Members and applicants."""
    if not lines:
        return "Nobody yet. On an appliance: [bold]raas fleet join[/]"
    table = _table("member", "state", "fingerprint", "last heard", "roles")
    for line in lines:
        table.add_row(said(line.who), Text(line.state, _SHADES.get(line.state, "red")), said(line.fingerprint),
                      _ago(line.seen_s, lease_s), said(", ".join(line.roles)))  # fmt: skip
    return table


def status(fleet: FleetView) -> RenderableType:
    """Everything that an appliance knows of its fleet."""
    head = Text.assemble(("● ", _SHADES.get(fleet.state, "dim")), said(fleet.sentence))
    parts: list[RenderableType] = [head]
    if fleet.fleet:
        where = f"{fleet.bucket} at {fleet.endpoint or 'AWS'}   key {fleet.fingerprint}   lease {fleet.lease_s:g} s"
        parts.append(said(where, "dim"))
    if fleet.picture is not None:
        picture = fleet.picture
        parts += ["", _members(picture.members, fleet.lease_s)]
        parts += ["", f"{picture.waiting} wait, {picture.held} on a robot, {picture.ended} ended today"]
        parts += [_jobs(picture.jobs)] if picture.jobs else []
        parts += [said(f"{one.who} ({one.fingerprint}) wants to join", "yellow") for one in picture.applicants]
    for complaint in fleet.complaints[:5]:
        parts.append(Text.assemble(("! ", "red"), said(complaint.text)))
    return Group(*parts)


def _members(members: tuple[MemberView, ...], lease_s: float) -> Table:
    table = _table("robot", "member", "kind", "last heard", "")
    for one in members:
        doing = f"drives {one.holding[-6:]}" if one.holding else one.busy or "idle"
        table.add_row(said(one.name), said(one.who), said(f"{one.kind} {one.link}"), _ago(one.silent_s, lease_s),
                      said("expelled" if one.is_out else doing))  # fmt: skip
    return table


def _jobs(jobs: tuple[JobLine, ...]) -> Table:
    table = _table("job", "state", "name", "from", "on")
    for job in jobs:
        shown = (
            state(job.state) if job.state else Text({"open": "waits", "held": "on a robot"}.get(job.phase, job.phase))
        )
        table.add_row(said(job.job[-6:]), shown, said(job.name), said(job.by), said(job.where))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        is_last = head == heads[-1]
        table.add_column(head, no_wrap=not is_last, overflow="fold" if is_last else "ellipsis")
    return table


def _ago(seconds: float | None, lease_s: float) -> Text:
    if seconds is None:
        return Text("never", "dim")
    return Text(f"{seconds:.0f} s ago", "" if seconds < lease_s else "red")
