"""A runner in a thread, with a guard without a robot and cells without walls around it."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance import ulid
from appliance.config import Config, JobSection, RealtimeSection, StorageSection
from appliance.intake.preparing import Prepared
from appliance.jobs import State
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.running import results
from appliance.running.cell import Fitting
from appliance.shapes import Report
from appliance.store import Job, NewJob, Store
from appliance.worker import Parts, Runner
from gym_raas.parameters import PACKAGED
from tests.fake_guard import FakeGuard
from tests.patience import eventually
from tests.process_cell import ProcessCells

WAIT_S = 20.0
HELLO = "print('hello')"
SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP


class House:
    """A runner in a thread, with everything around it; time limits are short."""

    def __init__(self, folder: Path, **job: float) -> None:
        self.paths = Paths(folder / "data", Path("/tmp") / f"rt-{ulid.new(time.time())[-8:]}", folder / "shm")
        self.paths.shm.mkdir()
        settings = JobSection(**({"limit_s": 30.0, "grace_s": 0.5} | job))  # type: ignore[arg-type]
        self.config = Config(job=settings, realtime=RealtimeSection(lease_s=0.4), storage=StorageSection(min_free_mb=1))
        self.guard = FakeGuard(self.paths, lease_s=0.4).open()
        self.cells = ProcessCells()
        self.prepare: Callable[[Job, Callable[[], bool]], Prepared] = self.plain_prepare
        self.advice = ""
        self.store = Store(self.paths.database)
        self.thread: threading.Thread | None = None

    def plain_prepare(self, job: Job, cancelled: Callable[[], bool]) -> Prepared:
        """The job's source is its program."""
        source = self.paths.source(job.id)
        source.mkdir(parents=True, exist_ok=True)
        (source / "run.py").write_text(job.source)
        return Prepared("commit", 1, 1)

    def _prepare(self, job: Job, cancelled: Callable[[], bool]) -> Prepared:
        return self.prepare(job, cancelled)  # which a test may have replaced meanwhile

    def start(self) -> None:
        """Start the runner."""
        self.stopping = threading.Event()
        self.crash: BaseException | None = None
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        store = Store(self.paths.database)
        setting = results.Setting("test", "twin", "0", self.config.job.limit_s)
        parts = Parts(
            self.paths, self.config, store, self.cells, self._prepare, "image",
            lambda job: Fitting(job.image if job.image != "standard" else "image"), PACKAGED, setting, Notifier({}), self.stopping,
            advice=lambda _job, _detail: self.advice,
        )  # fmt: skip
        try:
            Runner(parts).serve()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.crash = error
        finally:
            store.close()

    def stop(self) -> None:
        """Stop the runner as SIGTERM does; raises what it died of."""
        assert self.thread is not None
        self.stopping.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()
        if self.crash is not None:
            raise self.crash

    def submit(self, program: str = HELLO, image: str = "standard") -> str:
        """Queue a program; returns the job's id."""
        return self.store.add(NewJob("archive", program, "ann", image=image), time.time()).id

    def until(self, what: Callable[[], bool]) -> None:
        """Wait for it; fails with all jobs shown."""
        eventually(what, WAIT_S, pause_s=0.005, then=self.store.recent)

    def until_state(self, job_id: str, *states: State) -> Job:
        """Wait until it is in one of the states."""
        self.until(lambda: self.store.get(job_id).state in states)
        return self.store.get(job_id)

    def until_final(self, job_id: str) -> Job:
        """Wait until it has ended."""
        self.until(lambda: self.store.get(job_id).state.is_final)
        return self.store.get(job_id)

    def report(self, job_id: str, attempt: int = 1) -> Report:
        """The report of an attempt."""
        path = self.paths.attempt(job_id, attempt) / results.REPORT
        return msgspec.json.decode(path.read_bytes(), type=Report)

    def close(self) -> None:
        """Leave nothing running."""
        if self.thread is not None and self.thread.is_alive():
            self.stop()
        self.guard.close()
        self.cells.sweep()
        self.store.close()
        shutil.rmtree(self.paths.runtime, ignore_errors=True)


def nothing_is_left(house: House) -> bool:
    """Whether cells, session and shared memory are gone."""
    return (
        all(cell.is_removed for cell in house.cells.made if cell.has_run)
        and (house.guard.session is None or house.guard.session.ending != "")
        and not list(house.paths.shm.iterdir())
    )
