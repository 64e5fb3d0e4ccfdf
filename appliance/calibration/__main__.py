"""`python -m appliance.calibration BUNDLE`: fit a job's bundle in a process of its own, for the web page; JSON on stdout."""

from __future__ import annotations

import datetime as dt
import sys
from importlib import metadata
from pathlib import Path

import msgspec

from appliance.calibration import judgement, report, robot_file, session
from appliance.calibration.answer import Answer
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
    errors = f"{found.fit.rmse_rad * 1e3:.1f} mrad, before {found.present_rmse_rad * 1e3:.1f} mrad"
    unseen = found.held_out_rmse_rad
    said = f"Open-loop error {errors}" + (f", on parts unseen {unseen * 1e3:.1f} mrad" if unseen is not None else "")
    return Answer(
        reasons=list(found.reasons),
        said=said + ".",
        body=report.body(robot, found),
        robot_yaml="" if found.reasons else robot_file.text(fitted),
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(answer(Path(sys.argv[1]))))
