"""The figures of `raas bench realtime`, apart from the machine that they are measured on."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from appliance.benchmark.realtime import Ratio, intervals, rank
from appliance.cli.app import app

KEYS = {"rate_hz", "seconds", "loop", "cyclictest", "ratio", "tick_us", "missed", "verdict", "ratio_95", "means"}


def ratios(*p50: float) -> list[Ratio]:
    return [Ratio(value, 1.0, 1.0, 1.0) for value in p50]


@pytest.mark.parametrize(("count", "wanted"), [(1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (12, 3), (20, 6)])
def test_the_ranks_of_the_interval_are_those_of_the_tables(count: int, wanted: int) -> None:
    """Source: tables of the sign test at 5 %, such as in any book on non-parametric statistics."""
    assert rank(count) == wanted


def test_six_pairs_give_an_interval_from_the_least_to_the_largest_and_fewer_give_none() -> None:
    assert intervals(ratios(1.0, 1.1, 1.2, 1.3, 1.4)) is None
    found = intervals(ratios(1.3, 1.0, 1.2, 1.5, 1.1, 1.4))
    assert found is not None
    assert found["p50"] == (1.0, 1.5)


def test_the_command_prints_one_object_with_everything_that_was_promised() -> None:
    done = CliRunner().invoke(app, ["bench", "realtime", "--seconds", "1", "--pairs", "1", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found.keys() >= KEYS
    assert found["loop"].keys() == {"p50_us", "p99_us", "p999_us", "max_us"}
    assert found["tick_us"].keys() == {"p50", "p99", "max"}
    assert sum(count for _, count in found["loop_histogram"]) >= 900
    if shutil.which("cyclictest"):
        assert found["cyclictest"].keys() == found["loop"].keys()
        assert found["ratio"].keys() == {"p50", "p99", "p999", "max"}
