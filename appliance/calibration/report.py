"""What does a person read after a calibration? One HTML file that needs nothing else: curves, constants, judgement."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

import numpy as np

from appliance.calibration.fitting import Estimate, RunFit
from appliance.calibration.judgement import Calibration
from appliance.calibration.recordings import Series
from gym_raas.parameters import Robot

_WIDTH: Final = 640
_HEIGHT: Final = 190
_MARGIN: Final = 58
_MOST_POINTS: Final = 900
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #1d2530 }
@media (prefers-color-scheme: dark) { body { background: #14181e; color: #dbe2ea } }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem } table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #8884 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums } figure { margin: 1.2rem 0 } svg { width: 100%; height: auto }
svg text { fill: currentColor; font-size: 11px } .measured { fill: #e07b39 } .fitted { fill: none; stroke: #2a7de1; stroke-width: 1.6 }
.error { fill: none; stroke: #8a94a0; stroke-width: 1 } .axis { stroke: #8886 } .bad { color: #c0392b } .good { color: #27864a }
.dim { opacity: .65 } .wide { overflow-x: auto }
"""


def html(robot: Robot, found: Calibration) -> str:
    """The whole page."""
    unseen = found.held_out_rmse_rad
    head = (
        f"<h1>Calibration of {escape(robot.name)}</h1>{_verdict(found)}"
        f"<p>Open-loop error <b>{found.fit.rmse_rad * 1e3:.1f} mrad</b>; the present parameters: "
        f"{found.present_rmse_rad * 1e3:.1f} mrad."
        + (f" On parts that a fit hasn't seen: <b>{unseen * 1e3:.1f} mrad</b>." if unseen is not None else "")
        + "</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Calibration of {escape(robot.name)}</title><style>{_STYLE}</style></head><body>"
        f"{head}{body(robot, found)}</body></html>\n"
    )


def body(robot: Robot, found: Calibration) -> str:
    """Constants, curves and left-out parts, as HTML without head and style."""
    parts = [
        "<h2>Constants</h2>",
        _constants(robot, found),
        *(f"<p>{escape(line)}</p>" for line in not_told(found)),
        "<h2>Measured and fitted</h2>",
        '<p class="dim">Dots: measured. Line: the fitted twin, open loop. Grey below: their difference, magnified.</p>',
        *(figure(each) for each in found.fit.runs),
        *_held_out(found),
    ]
    return "\n".join(parts)


def not_told(found: Calibration) -> list[str]:
    """What the data don't say, as sentences."""
    lines = [
        f"{first} and {second} can't be told apart here (correlation {share:+.2f}): only their combination counts."
        for first, second, share in found.fit.alike
    ]
    kept = [each.name for each in found.fit.estimates if not each.told]
    if kept:
        lines.append(f"The recordings say little about {', '.join(kept)}: near the present value.")
    return lines


def _verdict(found: Calibration) -> str:
    if not found.reasons:
        return '<p class="good">✓ This fit may be used.</p>'
    return "".join(f'<p class="bad">✗ Refused: {escape(reason)}.</p>' for reason in found.reasons)


def _constants(robot: Robot, found: Calibration) -> str:
    rows = "".join(
        f'<tr><td>{escape(each.name)}</td><td class="n">{getattr(robot.model, each.name, 0.0):.4g}</td>'
        f'<td class="n"><b>{each.value:.4g}</b></td><td class="n">{_change(robot, each)}</td><td class="n">{each.low:.4g} … {each.high:.4g}</td>'
        f"<td>{'' if each.told else 'not told'}</td></tr>"
        for each in found.fit.estimates
    )
    head = '<tr><th>constant</th><th class="n">present</th><th class="n">fitted</th><th class="n">change</th><th class="n">95 % interval</th><th></th></tr>'
    return f'<div class="wide"><table>{head}{rows}</table></div>'


def _change(robot: Robot, each: Estimate) -> str:
    present = getattr(robot.model, each.name, 0.0)
    change = each.value / present - 1.0 if present else 0.0
    return f"{change:+.1%}" if abs(change) >= 0.0005 else ""


def _held_out(found: Calibration) -> list[str]:
    if not found.held_out:
        return []
    rows = "".join(
        f'<tr><td>{escape(part.name)}</td><td class="n">{part.rmse_rad * 1e3:.1f}</td>'
        f'<td class="n">{part.present_rad * 1e3:.1f}</td></tr>'
        for part in found.held_out
    )
    head = '<tr><th>left out</th><th class="n">error of a fit to the rest, mrad</th><th class="n">of the present parameters</th></tr>'
    return ["<h2>Parts that the fit didn't see</h2>", f'<div class="wide"><table>{head}{rows}</table></div>']


def figure(shown: RunFit) -> str:
    """One run: measured dots, fitted line, their difference below; an SVG with a caption."""
    run = shown.run
    thin = slice(None, None, max(1, len(run.times_s) // _MOST_POINTS))
    times_s, measured, fitted = run.times_s[thin], run.angles_rad[thin], shown.predicted_rad[thin]
    low, high = float(min(measured.min(), fitted.min())), float(max(measured.max(), fitted.max()))
    x = _scaled(times_s, float(times_s[0]), float(times_s[-1]), _MARGIN, _WIDTH - 4)
    dots = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.7"/>'
        for a, b in zip(x, _scaled(measured, high, low, 6, _HEIGHT - 60), strict=True)
    )
    error = fitted - measured
    most = float(np.max(np.abs(error))) or 1e-9
    caption = f"{run.name}: {_kind(shown)}, {shown.rmse_rad * 1e3:.1f} mrad"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(caption)}">'
        f'<text x="0" y="12">{high:.2f}</text><text x="0" y="{_HEIGHT - 60}">{low:.2f} rad</text>'
        f'<g class="measured">{dots}</g>{_line("fitted", x, _scaled(fitted, high, low, 6, _HEIGHT - 60))}'
        f'<line class="axis" x1="{_MARGIN}" x2="{_WIDTH}" y1="{_HEIGHT - 30}" y2="{_HEIGHT - 30}"/>'
        f"{_line('error', x, _scaled(error, most, -most, _HEIGHT - 48, _HEIGHT - 12))}"
        f'<text x="0" y="{_HEIGHT - 26}">±{most * 1e3:.0f} mrad</text>'
        f'<text x="{_WIDTH - 4}" y="{_HEIGHT}" text-anchor="end">{times_s[-1] - times_s[0]:.1f} s</text>'
        f"</svg><figcaption>{escape(caption)}</figcaption></figure>"
    )


def _kind(shown: RunFit) -> str:
    run = shown.run
    if not run.powered:
        return "free swing, motor unpowered"
    what = f"command {run.command:g}" if run.command is not None else "changing commands"
    return f"{what}, {'on its side' if run.sideways else 'hanging'}"


def _scaled(values: Series, start: float, end: float, low: float, high: float) -> Series:
    return low + (values - start) / ((end - start) or 1.0) * (high - low)


def _line(name: str, x: Sequence[float] | Series, y: Sequence[float] | Series) -> str:
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    return f'<polyline class="{name}" points="{points}"/>'
