"""Steps and ticks as columns, and the loop's punctuality."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.telemetry import StepRecord
from appliance.running import recording
from gym_raas import task
from tests.fake_guard import write_segment


def _step(k: int, received_us: int, sample_us: int) -> StepRecord:
    return StepRecord(k, received_us, received_us + 90, sample_us, 0, 3.0, 0.5, 1.5, 375.0, 9.5, 0, 0)


def test_a_segment_becomes_the_arrays_that_people_download(tmp_path: Path) -> None:
    write_segment(tmp_path / "s", 1, 3)
    found = recording.read(tmp_path / "s")
    result = recording.result(found, "out", failed=False)
    assert result.times == [0.150007, 0.200007, 0.250007]
    assert result.obs[0] == task.observation(3.1, 0.5)
    assert (result.actions, result.costs, result.stdout, result.failed) == ([1.5] * 3, [9.5] * 3, "out", False)
    assert (found.missed, found.return_sum) == (3, -28.5)


def test_the_trace_holds_every_tick_and_the_same_ticks_are_the_same_bytes(tmp_path: Path) -> None:
    write_segment(tmp_path / "s", 1, 3)
    found = recording.read(tmp_path / "s")
    data = recording.trace_npz(found)
    assert data == recording.trace_npz(found)
    trace = np.load(io.BytesIO(data))
    assert list(trace["t_us"][:3]) == [0, 1000, 2000]
    assert {name: len(trace[name]) for name in trace} == dict.fromkeys(recording.EMPTY.ticks.dtype.names or (), 150)


def test_the_table_has_a_line_for_every_step_and_reads_back_exactly(tmp_path: Path) -> None:
    write_segment(tmp_path / "s", 1, 3)
    lines = recording.steps_csv(recording.read(tmp_path / "s")).decode().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    assert [int(row["k"]) for row in rows] == [1, 2, 3]
    assert float(rows[1]["angle_rad"]) == 3.2
    assert float(rows[2]["sample_s"]) == 0.250007


@pytest.mark.parametrize("content", [None, b"", b"nonsense" * 1000])
def test_what_is_no_segment_is_an_empty_recording(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    found = recording.read(tmp_path / "s")
    assert (len(found.steps), len(found.ticks), recording.timing(found)) == (0, 0, None)


@given(st.lists(st.integers(-300, 300), min_size=1, max_size=20), st.integers(0, 10**7))
def test_step_errors_are_distances_from_the_grid(jitter_us: list[int], start_us: int) -> None:
    steps = [
        _step(k, start_us + (k - 1) * 50_000, start_us + k * 50_000 + jitter) for k, jitter in enumerate(jitter_us, 1)
    ]
    assert recording.step_errors_us(steps) == pytest.approx([abs(jitter) for jitter in jitter_us], abs=1e-3)


def test_a_reset_begins_a_new_grid_and_a_skipped_boundary_does_not() -> None:
    steps = [_step(1, 0, 50_000), _step(4, 160_000, 200_005), _step(1, 987_654, 1_037_654), _step(2, 0, 1_087_660)]
    assert recording.step_errors_us(steps) == pytest.approx([0, 5, 0, 6], abs=1e-3)


def test_timing_tells_how_late_the_loop_woke(tmp_path: Path) -> None:
    write_segment(tmp_path / "s", 1, 3)
    timing = recording.timing(recording.read(tmp_path / "s"))
    assert timing is not None
    assert (timing.ticks, timing.late_us["p99"], timing.work_us["max"]) == (150, 40.0, 80.0)
    assert timing.step_error_us["max"] == pytest.approx(7.0)
