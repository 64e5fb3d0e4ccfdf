"""Where does an appliance keep its things? All folders, sockets and names, derived from its data folder.

Two appliances on one machine don't meet: every name outside the data folder carries eight hex digits of a hash of
its real path. The runtime folder is short because a Unix socket's path may have only 107 characters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - shared memory, not a temporary file


@dataclass(frozen=True)
class Paths:
    """The places of one appliance. `data` survives, `runtime` goes with the processes, `shm` holds shared memory.

    `shm` is a folder of its own: in /dev/shm itself, which is sticky, one user can't remove what another has made.
    """

    data: Path
    runtime: Path
    shm: Path

    @classmethod
    def of(cls, data: Path, runtime_root: Path = Path("/run/raas")) -> Paths:
        """The places of the appliance whose data folder is `data` (need not exist yet)."""
        data = data.resolve()
        tag = hashlib.sha256(str(data).encode()).hexdigest()[:8]
        return cls(data, runtime_root / tag, _SHARED_MEMORY / f"raas-{tag}")

    @property
    def tag(self) -> str:
        """Short name of this appliance, used in labels and names of shared memory and containers."""
        return self.runtime.name

    @property
    def database(self) -> Path:
        """The SQLite file, in a folder in which all users of the appliance may write: SQLite makes files beside it."""
        return self.data / "db" / "raas.db"

    @property
    def config(self) -> Path:
        """The default configuration file."""
        return self.data / "raas.yaml"

    @property
    def lock(self) -> Path:
        """Held by `raas up` (flock) so that a second one on the same folder is refused."""
        return self.data / "lock"

    @property
    def address(self) -> Path:
        """The page's URL, written by `raas up` while it runs; commands on the same data folder find it there."""
        return self.runtime / "address"

    @property
    def estop_latch(self) -> Path:
        """Exists while an emergency stop is latched; written and synced by the guard only."""
        return self.data / "estop" / "latched"

    @property
    def retirement_latch(self) -> Path:
        """Exists while the robot is out of service; written and synced by the guard only."""
        return self.data / "estop" / "retired"

    @property
    def identity(self) -> Path:
        """The owner's password, tokens and setup code; read and written by the web UI only."""
        return self.data / "identity"

    @property
    def lease(self) -> Path:
        """The key by which remote drivers know this appliance; read by the lease service, and by root."""
        return self.data / "lease"

    @property
    def lease_line(self) -> Path:
        """The lease service's Unix socket; only the runner connects to it."""
        return self.runtime / "lease" / "line.sock"

    @property
    def inbox(self) -> Path:
        """Uploaded archives, one file per job, named by the job's id; written by the web UI."""
        return self.data / "inbox"

    def upload(self, job_id: str) -> Path:
        """The uploaded archive of one job."""
        return self.inbox / job_id

    def job(self, job_id: str) -> Path:
        """Everything the runner keeps of one job."""
        return self.data / "jobs" / job_id

    def source(self, job_id: str) -> Path:
        """The unpacked repository of one job, `run.py` at its root; mounted read-only into the cell."""
        return self.job(job_id) / "source"

    def attempt(self, job_id: str, attempt: int) -> Path:
        """Results of one attempt: report.json (last), result.json, steps.csv, trace.npz, output.log, bundle.zip."""
        return self.job(job_id) / f"attempt-{attempt}"

    def animation(self, job_id: str) -> Path:
        """A job's run as a GIF; there only if somebody asked for it. Written by the runner for the page."""
        return self.job(job_id) / "run.gif"

    def recording(self, job_id: str, attempt: int) -> Path:
        """What the camera saw of one attempt: JPEG after JPEG, and beside it (.csv) when each was taken and where it begins."""
        return self.job(job_id) / f"camera-{attempt}.mjpeg"

    def image_packages(self, image: str) -> Path:
        """What a program finds in a job image: a JSON object of names and versions. Written by the runner for the page."""
        return self.data / "images" / f"{image}.json"

    @property
    def federation(self) -> Path:
        """What the fleet's process keeps: its key, downloads, results of jobs that ran elsewhere."""
        return self.data / "federation"

    def away(self, job_id: str) -> Path:
        """What is known of a job that runs elsewhere, with the same names as in `attempt`."""
        return self.federation / "jobs" / job_id

    @property
    def logs(self) -> Path:
        """Log files of the processes when `raas up` runs them."""
        return self.data / "logs"

    def control(self, right: str) -> Path:
        """The guard's control socket for one right: `stop`, `resume` or `runner`."""
        return self.runtime / "control" / f"{right}.sock"

    def session(self, session: int) -> Path:
        """Folder that is mounted into the cell of one session; the gateway makes the socket in it."""
        return self.runtime / "s" / f"{session:016x}"

    @property
    def live_ring(self) -> Path:
        """Shared memory: the live telemetry ring, written by the loop."""
        return self.shm / "live"

    @property
    def camera_picture(self) -> Path:
        """The camera's newest picture, replaced by each newer one."""
        return self.shm / "camera.jpg"

    def segment(self, session: int) -> Path:
        """Shared memory: records of one session, drained by the runner."""
        return self.shm / f"{session:016x}"
