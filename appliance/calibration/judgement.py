"""May a fit become the robot's parameters? It is refused if it is worse than the present one, or absurd."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.calibration import fitting, held_out, scoring
from appliance.calibration.fitting import Fit
from appliance.calibration.held_out import HeldOut
from appliance.calibration.recordings import Run, check_kind
from appliance.errors import RaasError
from gym_raas.model import Model
from gym_raas.parameters import Robot

#: More error than this share of the arm's motion means that the model doesn't describe what was recorded.
_WORST_SHARE: Final = 0.25
#: A fit whose error grows so much on what it hasn't seen follows noise.
_OVERFIT: Final = 5.0
_LEAST_MOTION_COUNTS: Final = 10
_TOLERANCE: Final = 1.001


class Refused(RaasError):
    """A fit that must not replace the present parameters; says why, and what to do."""


@dataclass(frozen=True)
class Calibration:
    """A fit with its judgement. `reasons`: why it is refused; empty if it may be used."""

    fit: Fit
    present_rmse_rad: float
    held_out: tuple[HeldOut, ...]
    reasons: tuple[str, ...]

    @property
    def held_out_rmse_rad(self) -> float | None:
        """Error over the parts that the fit didn't see; None if nothing could be left out."""
        return _mean([part.rmse_rad for part in self.held_out]) if self.held_out else None

    @property
    def held_out_present_rad(self) -> float | None:
        """The present parameters' error over the same parts."""
        return _mean([part.present_rad for part in self.held_out]) if self.held_out else None


def calibrate(robot: Robot, runs: Sequence[Run]) -> Calibration:
    """Fit `runs`, predict left-out parts, and judge. Raises Refused if there is nothing to fit."""
    check_kind(robot)
    _check_motion(robot, runs)
    fit = fitting.fit(robot.model, runs)
    scores = [scoring.score_run(robot.model, run) for run in runs]
    samples = sum(score.samples for score in scores)
    present = (sum(score.rmse_rad**2 * score.samples for score in scores) / samples) ** 0.5
    parts = tuple(held_out.judge(robot.model, runs, fit.model))
    return Calibration(fit, present, parts, tuple(_objections(robot, fit, present, parts)))


def _check_motion(robot: Robot, runs: Sequence[Run]) -> None:
    most_rad = max(float(np.ptp(run.angles_rad)) for run in runs)
    if most_rad < _LEAST_MOTION_COUNTS * robot.encoder.rad_per_count:
        raise Refused(
            f"The arm moves by {most_rad:.3f} rad at most in these recordings, which says nothing about it. Record "
            "a swing of half a turn and runs with the motor on."
        )


def _objections(robot: Robot, fit: Fit, present: float, parts: Sequence[HeldOut]) -> list[str]:
    found = _absurd(robot, fit)
    if fit.rmse_rad > present * _TOLERANCE:
        found.append(
            f"the fit's error is {fit.rmse_rad * 1e3:.1f} mrad, the present parameters' {present * 1e3:.1f}: it is worse"
        )
    if parts:
        unseen, before = _mean([part.rmse_rad for part in parts]), _mean([part.present_rad for part in parts])
        if unseen > max(before, _OVERFIT * fit.rmse_rad):
            found.append(
                f"on parts that it hasn't seen a fit errs by {unseen * 1e3:.1f} mrad, the present parameters by "
                f"{before * 1e3:.1f}: the recordings are too short or too alike"
            )
    return found


def _absurd(robot: Robot, fit: Fit) -> list[str]:
    model, found = fit.model, []
    motion = float(
        np.sqrt(np.mean(np.concatenate([np.square(r.run.angles_rad - np.mean(r.run.angles_rad)) for r in fit.runs])))
    )
    if fit.rmse_rad > _WORST_SHARE * motion:
        found.append(
            f"the error of {fit.rmse_rad * 1e3:.0f} mrad is large beside the motion itself ({motion * 1e3:.0f} mrad): "
            "this is no pendulum, or columns or units are wrong"
        )
    for each in dataclasses.fields(Model):
        low, high = each.metadata["range"]
        value = getattr(model, each.name)
        if value >= high or (value <= low and low > 0.0):
            found.append(f"{each.name} = {value:g} lies at the end of what is possible ({low:g} to {high:g})")
    if model.coulomb_rad_s2 >= 0.5 * model.gravity_rad_s2:
        found.append(
            f"coulomb_rad_s2 = {model.coulomb_rad_s2:g} beside gravity_rad_s2 = {model.gravity_rad_s2:g}: the arm would "
            "stick 30 degrees from hanging"
        )
    top = robot.limits.action * robot.pwm.command_per_action
    push = model.gain_rad_s2_per_command * (top - model.dead_zone_command)
    if push <= model.coulomb_rad_s2:
        found.append(f"at the highest command of {top:g} the motor could not move the arm")
    return found


def _mean(errors: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))
