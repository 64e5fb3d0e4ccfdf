"""`python -m tests.realtime.chaos --count 540 --results FILE`: break the robot on purpose, and print what came of it.

A run that was cut short goes on with the same seed and file. `--first` and `--count` take a part of the order that the seed
decides; `--table FILE ...` only puts the results of several parts together.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from appliance.benchmark.realtime import stressed
from tests.realtime.chaos import tally
from tests.realtime.chaos.host_stalls import watched
from tests.realtime.chaos.house_faults import HOUSE
from tests.realtime.chaos.injecting import STAGE, Place, Plan, carry_out

PLACES: dict[str, Place] = {"stage": STAGE, "house": HOUSE}
PROMISES = [promise for place in PLACES.values() for promise in place.promises]


def main() -> int:
    """Exit code 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="tests.realtime.chaos", description=__doc__)
    parser.add_argument("--place", choices=tuple(PLACES), default="stage", help="what is broken (default: stage)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first injection")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--load", action="store_true", help="under stress-ng")
    parser.add_argument("--results", type=Path, default=Path("chaos.jsonl"), help="one JSON line per injection")
    parser.add_argument("--table", type=Path, nargs="+", metavar="FILE", help="only put these results together")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(130))  # and everything that runs is ended on the way out
    if options.table is None:
        numbers = range(options.first, options.first + options.count)
        plan = Plan(PLACES[options.place], options.seed, numbers, options.load, options.results)
        with (
            tempfile.TemporaryDirectory(prefix="raas-") as name,
            watched(Path(name)) as stalls,
            stressed() if options.load else contextlib.nullcontext(),
        ):
            carry_out(plan, Path(name), stalls, lambda text: print(text, flush=True))
    found = tally.read(options.table or [options.results])
    print(f"\n{tally.report(found, PROMISES)}")
    return 1 if any(injection.broken for injection in found) else 0


if __name__ == "__main__":
    sys.exit(main())
