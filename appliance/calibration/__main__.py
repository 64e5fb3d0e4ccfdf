"""`python -m appliance.calibration BUNDLE`: fit a job's bundle in a process of its own, for the web page; JSON on stdout."""

from __future__ import annotations

import datetime as dt
import sys
from importlib import metadata
from pathlib import Path

import msgspec

from appliance.calibration import judgement, report, robot_file, session
from appliance.calibration.answer import Answer, Compared
from appliance.calibration.judgement import Calibration
from appliance.errors import RaasError


def answer(bundle: Path) -> Answer:
    """Fit and judge."""
    try:
        robot, runs = session.read_bundle(bundle)
        found = judgement.calibrate(robot, runs)
    except RaasError as error:
        return Answer(problem=str(error))
    date, software = dt.datetime.now(dt.UTC).date().isoformat(), metadata.version("raas-appliance")
    fitted = robot_file.fitted(
        robot, found, unit=robot.name, date=date, software=software, recordings=[f"job {bundle.parent.parent.name}"]
    )
    return Answer(
        reasons=list(found.reasons),
        errors=_errors(found),
        over=robot.parameter_hash,
        body=report.body(robot, found),
        robot_yaml="" if found.reasons else robot_file.text(fitted),
    )


def _errors(found: Calibration) -> list[Compared]:
    errors = [Compared("Open-loop error", _mrad(found.present_rmse_rad), _mrad(found.fit.rmse_rad))]
    if found.held_out_rmse_rad is not None and found.held_out_present_rad is not None:
        unseen = "On parts that a fit hasn't seen"
        errors.append(Compared(unseen, _mrad(found.held_out_present_rad), _mrad(found.held_out_rmse_rad)))
    return errors


def _mrad(error_rad: float) -> str:
    return f"{error_rad * 1e3:.1f} mrad"


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(answer(Path(sys.argv[1]))))
