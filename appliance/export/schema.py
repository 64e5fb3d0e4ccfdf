"""What does one recorded step hold? The columns of every export; docs/data.md tells them to people, and a test compares."""

from __future__ import annotations

from typing import Final, NamedTuple


class Column(NamedTuple):
    """`type` is numpy's name of it, or 'text'; `means` is for people."""

    name: str
    type: str
    unit: str
    means: str


#: One row is one step; rows stand in order of time. "Before" is what the program knew when it chose its action.
COLUMNS: Final = (
    Column("job", "text", "", "the job's id"),
    Column("episode", "int64", "", "counts from 0 through the export; a new one begins at each reset"),
    Column("step", "int64", "", "counts from 0 in the episode"),
    Column("k", "int64", "", "index of the 50 ms boundary at which the step ended, from the reset"),
    Column("received_s", "float64", "s", "when the action reached the motor loop, since `run.py` started"),
    Column("acted_s", "float64", "s", "when the bridge first had it"),
    Column("sample_s", "float64", "s", "when the state after the step was sampled"),
    Column("counts", "int64", "counts", "raw encoder before the step, 0 hanging"),
    Column("cos_angle", "float64", "", "observation before the step; angle 0 is upright"),
    Column("sin_angle", "float64", "", "observation before the step"),
    Column("velocity_rad_s", "float64", "rad/s", "observation before the step, clipped to the space"),
    Column("action", "float64", "", "as the program sent it, not clipped"),
    Column("applied_duty", "float64", "", "what the bridge got at first, -1 to 1: limited, rounded to PWM steps"),
    Column("reward", "float64", "", "of this step: minus the cost of the state before it"),
    Column("next_counts", "int64", "counts", "raw encoder after the step, at `sample_s`"),
    Column("next_cos_angle", "float64", "", "observation after the step"),
    Column("next_sin_angle", "float64", "", "observation after the step"),
    Column("next_velocity_rad_s", "float64", "rad/s", "observation after the step, clipped to the space"),
    Column("skipped", "int64", "", "boundaries that passed unused directly before this step"),
    Column("flags", "int64", "", "sum of the step's flags, see [researcher.md](researcher.md)"),
    Column("terminated", "bool", "", "always false: the task has no final state"),
    Column("truncated", "bool", "", "true in an episode's last step: a reset or the job's end cut it"),
    Column("seed", "int64", "", "of the episode's start; empty on a robot, where nothing is drawn"),
    Column("parameter_hash", "text", "", "of the robot's parameters, as in `report.json`"),
)
NAMES: Final = tuple(column.name for column in COLUMNS)
#: The observation before and after a step.
OBSERVATION: Final = ("cos_angle", "sin_angle", "velocity_rad_s")
NEXT_OBSERVATION: Final = tuple(f"next_{name}" for name in OBSERVATION)
