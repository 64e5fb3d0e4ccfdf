"""A data folder with some history, as an appliance leaves it."""

from __future__ import annotations

import time
from pathlib import Path

from appliance import ulid
from appliance.identity.ownership import Ownership
from appliance.jobs import State
from appliance.paths import Paths
from appliance.store import Job, NewJob, Store

PASSWORD = "correct horse battery"


def furnish(folder: Path) -> Paths:
    """An owner, a job that has ended, one that runs, and one that waits."""
    paths = Paths.of(folder / "data", folder / "run")
    paths.data.mkdir(parents=True)
    (paths.runtime / "control").mkdir(parents=True)
    paths.config.write_text(f"name: lab\nrobot: {{file: {paths.data}/robot.yaml}}\n")
    (paths.data / "robot.yaml").write_text("name: mine\n")
    ownership = Ownership(paths.identity)
    ownership.claim(ownership.setup_code(), PASSWORD)
    store = Store(paths.database)
    done, runs, waits = (_queued(store, paths, name) for name in ("done", "runs", "waits"))
    _drive(store, paths, done)
    store.move(done.id, State.COLLECTING, time.time())
    store.move(done.id, State.SUCCEEDED, time.time(), ended_at=time.time())
    paths.upload(done.id).unlink()
    _drive(store, paths, runs)
    assert store.get(waits.id).state is State.QUEUED
    store.close()
    return paths


def _queued(store: Store, paths: Paths, name: str) -> Job:
    now_s = time.time()
    paths.inbox.mkdir(exist_ok=True)
    job = store.add(NewJob("archive", f"{name}.tar.gz", "anna", name=name), now_s, ulid.new(now_s))
    paths.upload(job.id).write_bytes(f"archive of {name}".encode())
    return job


def _drive(store: Store, paths: Paths, job: Job) -> None:
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING):
        store.move(job.id, state, time.time(), started_at=time.time())
    attempt, source = paths.attempt(job.id, 1), paths.source(job.id) / "a folder"
    attempt.mkdir(parents=True)
    source.mkdir(parents=True)
    (attempt / "output.log").write_text(f"swinging {job.name}\n")
    (attempt / "report.json").write_text("{}")
    (source / "run.py").write_text("print('θ')\n")


def files(paths: Paths) -> dict[str, bytes]:
    """Everything that a restored appliance has, but for the database."""
    found = {}
    for top in ("jobs", "inbox", "identity", "estop", "settings"):
        for path in sorted((paths.data / top).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(paths.data))] = path.read_bytes()
    return found
