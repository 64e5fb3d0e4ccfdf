"""How does a fit become a `robot.yaml`? The robot with its new model and where that came from, as commented YAML."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import yaml

from appliance import durable
from appliance.calibration.judgement import Calibration
from gym_raas.parameters import Robot, robot_from

_HEAD: Final = """\
# A robot: constants of the pendulum model, fitted to recordings of this unit, and how it is built.
# Per unit of inertia, so accelerations stand where torques would. A "command" is the bridge's signed PWM command.
"""
_MEANS: Final = {
    "gravity_rad_s2": "restoring term w2: theta'' = w2 sin(theta) + ...",
    "viscous_per_s": "damping of the free, unpowered pendulum",
    "coulomb_rad_s2": "dry friction: what makes the arm stick near hanging",
    "back_emf_per_s": "extra damping at command 1000; grows with the command's root",
    "brake_per_s": "extra damping while both bridge inputs are low (the bridge brakes)",
    "gain_rad_s2_per_command": "drive beyond the dead zone",
    "dead_zone_command": "commands up to this move nothing",
}


def fitted(robot: Robot, found: Calibration, *, unit: str, date: str, software: str, recordings: list[str]) -> Robot:
    """`robot` with the fit's model and its provenance."""
    told = {each.name: each for each in found.fit.estimates}
    provenance: dict[str, Any] = {
        "date": date,
        "unit": unit,
        "software": software,
        "pwm": f"{robot.pwm.mode} {robot.pwm.frequency_hz} Hz",
        "recordings": recordings,
        "quality": {
            "rmse_rad": round(found.fit.rmse_rad, 5),
            "held_out_rmse_rad": None if found.held_out_rmse_rad is None else round(found.held_out_rmse_rad, 5),
            "before_rmse_rad": round(found.present_rmse_rad, 5),
        },
        "delay_s": None if found.fit.delay_s is None else round(found.fit.delay_s, 5),
        "kept": [each.name for each in dataclasses.fields(robot.model) if each.name not in told]
        + [name for name, each in told.items() if not each.told],
        "parameters": list(told),
        "sd": [_short(each.sd) for each in told.values()],
        "correlation": [[round(float(cell), 3) for cell in row] for row in found.fit.correlation],
    }
    model = dataclasses.replace(
        found.fit.model,
        **{each.name: _short(getattr(found.fit.model, each.name), 6) for each in dataclasses.fields(robot.model)},
    )
    return dataclasses.replace(robot, model=model, fitted=provenance)


def text(robot: Robot) -> str:
    """The file's content; it reads back as the same robot. Raises RobotFileError if the robot isn't legal."""
    content = dataclasses.asdict(robot)
    lines = [
        _HEAD.rstrip(),
        f"schema: {robot.schema}",
        f"kind: {robot.kind}",
        f"name: {json.dumps(robot.name)}",
        "model:",
    ]
    width = max(len(f"{name}: {value}") for name, value in content["model"].items()) + 2
    lines += [f"  {f'{name}: {value}':<{width}}# {_MEANS[name]}" for name, value in content["model"].items()]
    for section in ("encoder", "pwm", "pins", "limits"):
        lines.append(
            f"{section}: {yaml.safe_dump(content[section], default_flow_style=True, sort_keys=False, width=500).strip()}"
        )
    lines.append(yaml.safe_dump({"fitted": robot.fitted}, sort_keys=False, default_flow_style=None, width=110).rstrip())
    done = "\n".join(lines) + "\n"
    robot_from(yaml.safe_load(done), "the fitted robot")
    return done


def write(path: Path, robot: Robot) -> None:
    """Put the robot at `path`, whole or not at all. Raises OSError, RobotFileError."""
    durable.write(path, text(robot).encode())


def _short(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
