"""Which facts do all processes share, beside the jobs? Their keys in the table `fact`, and what the values mean."""

from __future__ import annotations

from typing import Final

#: Why no job is started: one of the values below, or '' while the queue runs.
QUEUE_PAUSED: Final = "queue_paused"
#: An emergency stop; the runner sets it and takes it away when the guard has been resumed.
PAUSED_BY_STOP: Final = "emergency_stop"
#: The owner's wish; only whoever set it takes it away.
PAUSED_BY_OWNER: Final = "owner"

#: The job that the owner's page last started to fit the robot. By its id: anybody may name a job alike.
CALIBRATION: Final = "calibration"

#: Seconds since the epoch at which the runner last said that it lives.
RUNNER_HEARTBEAT: Final = "runner_heartbeat"
HEARTBEAT_S: Final = 5.0

#: Why the first job of the queue can't start, as a sentence; '' while it can.
QUEUE_HOLD: Final = "queue_hold"

#: A limit of the job's cell that this machine doesn't enforce, while jobs run nevertheless, as a sentence; '' otherwise.
UNENFORCED: Final = "unenforced"

#: What the fleet's process says of itself and the fleet, JSON for the Fleet page; '' where it never ran.
FLEET_STATUS: Final = "fleet_status"
#: Seconds since the epoch at which somebody last had the Fleet page open.
FLEET_WANTED: Final = "fleet_wanted"

#: Why there is no picture of the camera, as a sentence; '' while there is one, or no camera.
CAMERA: Final = "camera"
