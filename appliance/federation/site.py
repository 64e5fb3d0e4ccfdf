"""How does the fleet look to somebody who has only a browser? One page without scripts, written into the bucket. Pure.

Everything in it was written by members, so everything is escaped; nothing in it is loaded from anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from appliance.fleet_shapes import JobLine, MemberView, Picture

_WIDTH: Final = 120
_HEIGHT: Final = 28
_STYLE: Final = """
:root{color-scheme:light dark;--ink:#16201f;--quiet:#5c6967;--paper:#f4f5f2;--card:#fff;--line:#dfe3de;--good:#1d7a4c;--bad:#a4262c;--brand:#0a6480}
@media(prefers-color-scheme:dark){:root{--ink:#e8edeb;--quiet:#9aa8a5;--paper:#0c1012;--card:#151b1e;--line:#273034;--good:#5fc794;--bad:#ff8a80;--brand:#58b7d6}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:2rem 1rem}h1{margin:0;font-size:1.9rem}h2{font-size:1.05rem;margin:0 0 .75rem}
.quiet{color:var(--quiet)}.numbers{display:flex;gap:2rem;flex-wrap:wrap;margin:1.25rem 0}.numbers b{display:block;font-size:1.8rem;line-height:1.1}
section{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1.1rem;margin:1rem 0;overflow-x:auto}
table{border-collapse:collapse;width:100%}th{text-align:left;font-weight:500;color:var(--quiet);font-size:.85rem}
td,th{padding:.45rem .9rem .45rem 0;border-bottom:1px solid var(--line);vertical-align:middle}tr:last-child td{border-bottom:0}
.good{color:var(--good)}.bad{color:var(--bad)}polyline{fill:none;stroke:var(--brand);stroke-width:1.5}
"""


def page(fleet: str, picture: Picture) -> str:
    """The whole page."""
    alive = sum(member.is_alive for member in picture.members)
    numbers = {
        "robots awake": alive,
        "jobs wait": picture.waiting,
        "on a robot": picture.held,
        "ended today": picture.ended,
    }
    shown = "".join(f"<div><b>{count}</b><span class=quiet>{name}</span></div>" for name, count in numbers.items())
    made = datetime.fromtimestamp(picture.made_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Fleet {escape(fleet)}</title><style>{_STYLE}</style><main><h1>Fleet {escape(fleet)}</h1>"
        f'<p class="quiet">As of {made}. Real pendulums behind a gym environment, sharing one bucket.</p>'
        f'<div class="numbers">{shown}</div>'
        f"<section><h2>Robots</h2>{_table(('Robot', 'State', 'Kind', 'Tags'), map(_member, picture.members))}</section>"
        f"<section><h2>Latest jobs</h2>{_table(('Job', 'State', 'Where', 'Angle'), map(_job, picture.jobs))}</section>"
        "</main></html>\n"
    )


def sparkline(degrees: tuple[int, ...]) -> str:
    """Points of a polyline that shows the angle over time: upright is above, hanging below."""
    if len(degrees) < 2:
        return ""
    step = _WIDTH / (len(degrees) - 1)
    return " ".join(
        f"{index * step:.1f},{2 + abs(angle) / 180 * (_HEIGHT - 4):.1f}" for index, angle in enumerate(degrees)
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return '<p class="quiet">None yet.</p>'
    return "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + f"</tr>{body}</table>"


def _member(member: MemberView) -> tuple[str, ...]:
    state = '<span class="bad">silent</span>'
    if member.is_alive:
        state = f'<span class="good">{"drives a job" if member.holding else "awake"}</span>'
    kind = f"{member.kind}, {'simulated' if member.link == 'twin' else 'real'}"
    who = f"{escape(member.name or member.who)} <span class=quiet>{escape(member.who)}</span>"
    return who, state, escape(kind), escape(", ".join(member.tags)) or "–"


def _job(job: JobLine) -> tuple[str, ...]:
    state = job.state or {"open": "waits", "held": "on a robot"}.get(job.phase, job.phase)
    shade = "good" if state == "succeeded" else "bad" if state in {"failed", "timed_out"} else "quiet"
    points = sparkline(job.preview_deg)
    plot = (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true"><polyline points="{points}"/></svg>'
        if points
        else ""
    )
    return (
        escape(job.name or job.job[-6:]),
        f'<span class="{shade}">{escape(state.replace("_", " "))}</span>',
        escape(job.where) or "–",
        plot,
    )
