"""What came of each injection? One JSON line per injection, so that a run can be cut short, gone on with, and put together.

A class of faults has a bound, the time within which the layer that has to act switches both pins off. What the host's own
stalls took in that window is listed and allowed on top; nothing is dropped.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

#: What scheduling on a shared machine may add to any bound.
SLACK_S = 0.15
_LINE = (
    f"{'fault':<24}{'layer':<30}{'count':>6}{'bound':>9}{'median':>9}{'p99':>9}{'max':>9}{'stalled':>9}{'broken':>8}"
)


@dataclass(frozen=True)
class Promise:
    """A class of faults. bound_s: None where the motor must go on undisturbed; `recovers` only: nothing is promised meanwhile."""

    name: str
    bound_s: float | None
    layer: str
    recovers: bool = False

    @property
    def in_words(self) -> str:
        """Instead of a bound."""
        return "recovers" if self.recovers else "undisturbed"


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and its consequence.

    took_ms: until both pins were off; for the undisturbed, the longest pause between two of the job's actions. stalled_ms: of
    the host in that window. broken: which promise wasn't kept, and how; empty if all were.
    """

    number: int
    fault: str
    load: bool
    took_ms: float = 0.0
    stalled_ms: float = 0.0
    broken: str = ""


def lateness(promise: Promise, took_ms: float, stalled_ms: float) -> str:
    """Empty, or by how much the bound was missed."""
    if promise.bound_s is None:
        return ""
    most_ms = (promise.bound_s + SLACK_S) * 1e3 + stalled_ms
    return "" if took_ms <= most_ms else f"off after {took_ms:.0f} ms, {most_ms:.0f} were allowed"


def append(file: Path, injection: Injection) -> None:
    """Note an injection."""
    with file.open("ab") as out:
        out.write(msgspec.json.encode(injection) + b"\n")


def read(files: Iterable[Path]) -> list[Injection]:
    """All that were noted; a last line that was cut short is left out."""
    lines = [line for file in files if file.exists() for line in file.read_bytes().split(b"\n")[:-1]]
    return [msgspec.json.decode(line, type=Injection) for line in lines]


def report(injections: Sequence[Injection], promises: Sequence[Promise]) -> str:
    """The table, idle and under load, and every exception and stall in words."""
    parts = []
    for load, title in ((False, "without further load"), (True, "under stress-ng")):
        rows = [injection for injection in injections if injection.load is load]
        if rows:
            parts += [f"{len(rows)} injections {title}; times in ms", _LINE, *_table(rows, promises), ""]
    broken = [injection for injection in injections if injection.broken]
    stalled = [f"{injection.fault} {injection.stalled_ms:.0f} ms" for injection in injections if injection.stalled_ms]
    again = sum("again" in injection.broken for injection in broken)
    parts.append(f"on again without a new arm: {again}; broken promises: {len(broken)} of {len(injections)}")
    parts += [f"  {one.number} {one.fault}{' (load)' if one.load else ''}: {one.broken}" for one in broken]
    parts.append(f"the host itself stood still in {len(stalled)} windows: {', '.join(stalled) or 'none'}")
    return "\n".join(parts)


def _table(injections: Sequence[Injection], promises: Sequence[Promise]) -> Iterable[str]:
    for promise in promises:
        rows = [injection for injection in injections if injection.fault == promise.name]
        if not rows:
            continue
        times = sorted(row.took_ms for row in rows)
        p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
        bound = f"{promise.bound_s * 1e3:9.0f}" if promise.bound_s is not None else f"{promise.in_words:>12}"
        figures = "".join(f"{value:>9.1f}" for value in (statistics.median(times), p99, times[-1]))
        if promise.recovers:
            figures = f"{'':>27}"
        stalls, broken = sum(bool(row.stalled_ms) for row in rows), sum(bool(row.broken) for row in rows)
        yield f"{promise.name:<24}{promise.layer:<27}{len(rows):>6}{bound:>12}{figures}{stalls:>9}{broken:>8}"
