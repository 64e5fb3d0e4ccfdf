from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.calibration import recordings
from appliance.calibration.recordings import BadRecording

GIVEN = Path(__file__).with_name("recordings")


def swing(samples: int, start_s: float = 0.0) -> str:
    return "".join(f"{start_s + i * 0.01:.2f},{math.sin(i / 9):.6f},{i}\n" for i in range(samples))


def test_a_free_swing_is_one_unpowered_run() -> None:
    (run,) = recordings.read(GIVEN / "free_swing.csv")
    assert (run.powered, run.sideways, len(run.times_s)) == (False, False, 248)
    assert run.angles_rad[0] == pytest.approx(0.314159)


def test_each_command_on_its_side_is_a_run_of_its_own() -> None:
    runs = recordings.read(GIVEN / "driven_sideways.csv")
    assert [run.command for run in runs] == [200, 600, 1000]
    assert all(run.powered and run.sideways and len(run.times_s) == 100 for run in runs)


def test_a_robots_own_recording_says_what_ran_powered_and_when_the_command_changed() -> None:
    lines = [
        f"{'swing' if i < 20 else 'step'},{int(i >= 20)},{i * 0.01},{300 * (i >= 30)},{i / 10},{i}" for i in range(60)
    ]
    swinging, driven = recordings.runs_of("run,powered,t_s,command,angle_rad,counts\n" + "\n".join(lines), "x.csv")
    assert (swinging.powered, driven.powered, driven.sideways) == (False, True, False)
    assert driven.command is None
    assert driven.from_hanging
    assert list(np.unique(driven.commands)) == [0, 300]


@pytest.mark.parametrize("second_start_s", [0.0, 5.0], ids=["back", "pause"])
def test_time_that_falls_back_or_pauses_begins_a_new_run(second_start_s: float) -> None:
    text = "t_s,angle_rad,counts\n" + swing(20) + swing(30, second_start_s)
    assert [len(run.times_s) for run in recordings.runs_of(text, "x.csv")] == [20, 30]


def test_columns_stand_in_any_order_and_others_are_left_alone() -> None:
    text = "angle_rad,note,t_s\n" + "".join(f"{i / 10},x,{i * 0.01}\n" for i in range(12))
    (run,) = recordings.runs_of("\ufeff".removeprefix("\ufeff") + text, "x.csv")
    assert list(run.angles_rad[:3]) == [0.0, 0.1, 0.2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no column t_s"),
        ("time,angle\n1,2\n", "expected is a first line like"),
        ("t_s,angle_rad\n" + "0,0\n" * 3, "holds no run of 8 samples"),
        ("t_s,angle_rad\n0,0\n0.01,left\n", "line 3: angle_rad is 'left'"),
        ("t_s,angle_rad\n0,0\n0.01,nan\n", "line 3: angle_rad is 'nan'"),
        ("t_s,angle_rad\n0,0\ninf,1\n", "line 3: t_s is 'inf'"),
        ("command,t_s,angle_rad\n1e9,0,0\n", "command is '1e9'"),
        ("t_s,angle_rad\n0,0,0\n", "line 2: 3 values given; expected are 2"),
        ("t_s,angle_rad\n" + "0,0\n" * 200_001, "more than 200000 lines"),
        ('t_s,angle_rad\n"' + "x" * 200_000, "field larger"),
    ],
)
def test_what_is_no_recording_is_named_with_file_and_line(text: str, says: str) -> None:
    with pytest.raises(BadRecording, match=r"^x\.csv") as error:
        recordings.runs_of(text, "x.csv")
    assert says in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    for name in ("absent.csv", "noise.csv"):
        with pytest.raises(BadRecording, match="can't be read"):
            recordings.read(tmp_path / name)


@given(st.text(max_size=300))
def test_any_text_is_runs_or_a_clear_refusal(text: str) -> None:
    try:
        runs = recordings.runs_of("t_s,angle_rad\n" + text, "x.csv")
    except BadRecording:
        return
    assert all(len(run.times_s) >= 8 and np.all(np.diff(run.times_s) > 0) for run in runs)
