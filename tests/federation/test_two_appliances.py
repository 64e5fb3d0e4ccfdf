"""Two whole appliances on twins and one SeaweedFS: jobs go there, run under a lease, and come back, whatever happens between."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from appliance.federation import entries
from appliance.federation.entries import Claim, Done, Outcome
from appliance.federation.requests import Get, List, Put, Status
from appliance.federation.s3_store import PART_BYTES
from appliance.federation.signing import Certificate, Ed25519Signer, Identity, certify
from appliance.jobs import State
from appliance.shapes import JobView
from tests.appliance_process import Appliance, running_appliance
from tests.federation.fleet import FLEET, LEASE_S, Fleet, identities, signer_of
from tests.federation.gate import Gate, gate
from tests.federation.servers import seaweedfs
from tests.patience import eventually
from tests.process_table import processes

PROGRAM = """
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1')
env.reset()
for step in range({steps}):
    env.step(env.action_space.sample())
    if step % 20 == 0:
        print('step', step, flush=True)
env.close()
"""
#: In an entry, what people call the job.
NAME = re.compile(rb'"name":"([^"]*)"')
#: Prints more than one part of an upload.
LARGE = """
import os, sys
for _ in range(12):
    sys.stdout.buffer.write(os.urandom(1 << 20))
"""
PATIENCE_S = 120.0
#: As ten minutes are to a lease of a quarter of an hour.
OUTAGE_S = LEASE_S * 600.0 / 900.0


@dataclass
class Pair:
    """Two members of one fleet; `a` takes no jobs of its own accord."""

    fleet: Fleet
    gate: Gate
    a: Appliance
    b: Appliance

    def submit(self, name: str, steps: int = 100, **fields: str) -> JobView:
        """A job from `a` for the fleet."""
        return self.submit_program(name, PROGRAM.format(steps=steps), **fields)

    def submit_program(self, name: str, program: str, **fields: str) -> JobView:
        """The same with a program of one's own."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "source")
            source.mkdir()
            (source / "run.py").write_text(program)
            archive = shutil.make_archive(str(Path(folder, "source")), "gztar", source)
            return self.a.client.submit_to_fleet(Path(archive), {"name": name, **fields})

    def name_in_fleet(self, name: str) -> str:
        """The job's name in the bucket, once it is there."""

        def found() -> str | None:
            page = self.fleet.store().perform(List(self.fleet.keys.queue))
            for row in page.rows:
                place = self.fleet.keys.parse_slot(row.key)
                body = self.fleet.store().perform(Get(row.key)).body
                if place and place[1] == 0 and f'"name":"{name}"'.encode() in body:
                    return place[0]
            return None

        return eventually(found, what="in the bucket")

    def ends(self) -> dict[str, int]:
        """How often each job in the bucket was committed, by the name that was given to it."""
        store, keys, found, name = self.fleet.store(), self.fleet.keys, dict[str, int](), ""
        after = ""
        while True:
            page = store.perform(List(keys.queue, after))
            for row in page.rows:
                if place := keys.parse_slot(row.key):
                    body = store.perform(Get(row.key)).body
                    if place[1] == 0:
                        name = NAME.search(body)[1].decode()
                    found[name] = found.get(name, 0) + (b'"type":"done"' in body)
            if not page.truncated:
                return found
            after = page.rows[-1].key

    def complaints(self, appliance: Appliance) -> str:
        return " ".join(one.text for one in appliance.client.fleet().complaints)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        where = stack.enter_context(seaweedfs(identities("pi-a", "pi-b", compactor="pi-b")))
        relay = stack.enter_context(gate(where.endpoint))
        fleet = Fleet(replace(where, endpoint=relay.url), folder / "fleet.key")
        fleet.create()
        for name in ("pi-a", "pi-b"):
            fleet.join(folder / name, name)
        fleet.raas(["admit", "pi-b", "--key", str(fleet.key), "--compactor"])
        a, b = (stack.enter_context(running_appliance(folder / name)) for name in ("pi-a", "pi-b"))
        a.client.pause_queue()
        yield Pair(fleet, relay, a, b)


def test_a_job_runs_on_the_other_one_is_seen_live_and_its_bundle_comes_home_unchanged(
    pair: Pair, tmp_path: Path
) -> None:
    job = pair.submit("far", steps=140, live="1")
    assert (job.state, job.place) == ("queued", "away")
    running = pair.a.reaches(job.id, State.RUNNING, PATIENCE_S)
    assert "pi-b" in running.sentence
    assert running.started_at is not None
    eventually(lambda: "step 0" in pair.a.log(job.id), what="shown live")
    assert not State(pair.a.client.job(job.id).state).is_final
    done = pair.a.finished(job.id, PATIENCE_S)
    assert (done.state, done.steps, done.has_bundle) == ("succeeded", 140, True)
    (there,) = [one for one in pair.b.client.jobs().jobs if one.name == "far"]
    assert (there.place, there.state, there.submitter) == ("guest", "succeeded", "anonymous@pi-a")
    sums = []
    for appliance, job_id in ((pair.a, job.id), (pair.b, there.id)):
        appliance.client.download(job_id, "bundle.zip", tmp_path / job_id)
        sums.append(hashlib.sha256((tmp_path / job_id).read_bytes()).hexdigest())
    assert sums[0] == sums[1]
    assert pair.a.log(job.id) == pair.b.log(there.id)
    pair.a.client.download(job.id, "result.json", tmp_path / "result.json")


def test_both_pages_show_both_robots_and_the_bucket_has_a_page_of_its_own(pair: Pair) -> None:
    for appliance in (pair.a, pair.b):
        picture = eventually(lambda found=appliance: found.client.fleet().picture, what="a picture")
        assert {member.who for member in picture.members if member.is_alive} == {"pi-a", "pi-b"}
    page = eventually(
        lambda: pair.fleet.store().perform(Get(pair.fleet.keys.site("index.html"))).body, what="a page in the bucket"
    )
    assert b"pi-b" in page
    assert b"<script" not in page


@pytest.mark.slow
def test_a_cancelled_job_ends_where_it_runs(pair: Pair) -> None:
    job = pair.submit("unwanted", steps=450, live="1")
    pair.a.reaches(job.id, State.RUNNING, PATIENCE_S)
    pair.a.client.cancel(job.id)
    assert pair.a.finished(job.id, PATIENCE_S).state == "cancelled"

    def over() -> JobView | None:
        (there,) = [one for one in pair.b.client.jobs().jobs if one.name == "unwanted"]
        return there if State(there.state).is_final else None

    eventually(over, PATIENCE_S, "ended there")


@pytest.mark.slow
def test_without_the_bucket_local_jobs_go_on_and_then_everything_arrives_once(pair: Pair) -> None:
    names = ["before", "between"]
    jobs = [pair.submit("before", steps=150)]
    eventually(lambda: any(one.name == "before" for one in pair.b.client.jobs().jobs), PATIENCE_S, "taken")
    pair.gate.shut()
    jobs.append(pair.submit("between", steps=20))
    local = pair.b.submit({"run.py": "print('mine')"}, "local")
    assert pair.b.finished(local.id, PATIENCE_S).state == "succeeded"
    pair.gate.reopen()
    assert [pair.a.finished(job.id, 2 * PATIENCE_S).state for job in jobs] == ["succeeded"] * 2
    done = [one.name for one in pair.b.client.jobs().jobs if one.state == "succeeded" and one.name in names]
    assert sorted(done) == names


@pytest.mark.slow
def test_forged_replayed_and_misplaced_entries_are_refused_and_reported(pair: Pair) -> None:
    assert pair.a.finished(pair.submit("earlier", steps=20).id, PATIENCE_S).steps == 20
    old = pair.name_in_fleet("earlier")
    pair.b.client.pause_queue()
    job = pair.submit("attacked", steps=20)
    name = pair.name_in_fleet("attacked")
    store, keys = pair.fleet.store(), pair.fleet.keys
    spec = store.perform(Get(keys.slot(name, 0))).body
    stranger = Ed25519Signer(b"s" * 32)
    forged = Identity(stranger, certify(stranger, Certificate(FLEET, "pi-b", stranger.public, 1e12)), "pi-b")
    claim = Claim(fleet=FLEET, job=name, slot=1, prev=entries.digest(spec), by="pi-b", nonce="1")
    assert store.perform(Put(keys.slot(name, 1), forged.seal(claim, odd=False), create=True)).status is Status.OK
    replayed = store.perform(Get(keys.slot(old, 2))).body  # a whole, honest end, of another job
    assert store.perform(Put(keys.slot(name, 2), replayed, create=True)).status is Status.OK
    member = signer_of(pair.a.paths.data)
    certificate = store.perform(Get(keys.member("pi-a"))).body
    ending = Done(fleet=FLEET, job=name, slot=3, prev=entries.digest(replayed), by="pi-a", nonce="2", token=1,
                  outcome=Outcome("succeeded"))  # fmt: skip
    sealed = Identity(member.signer, certificate, "pi-a").seal(ending, odd=True)
    assert store.perform(Put(keys.slot(name, 3), sealed, create=True)).status is Status.OK
    pair.b.client.resume_queue()
    assert pair.a.finished(job.id, 2 * PATIENCE_S).steps == 20
    said = eventually(lambda: pair.complaints(pair.b) if "slot 3" in pair.complaints(pair.b) else "", what="reported")
    assert "slot 1 was refused: its author's certificate was not made by this fleet's operator" in said
    assert "slot 2 was refused: it was written for another job" in said
    assert "slot 3 was refused: nobody holds the job" in said


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_a_long_time_without_the_bucket_in_the_middle_of_a_hundred_jobs(pair: Pair) -> None:
    names = [f"one of many {number}" for number in range(100)]
    jobs = [pair.submit(name, steps=5) for name in names]

    def back() -> int:
        return sum(State(job.state).is_final for job in pair.a.client.jobs(200).jobs if job.name in names)

    eventually(lambda: back() >= 30, 1800.0, "some are back", pause_s=1.0)
    pair.gate.shut()
    own = [pair.b.submit({"run.py": "print('mine')"}, "local") for _ in range(3)]
    time.sleep(OUTAGE_S)
    assert [pair.b.finished(job.id, PATIENCE_S).state for job in own] == ["succeeded"] * 3
    pair.gate.reopen()
    assert [pair.a.finished(job.id, 1800.0).state for job in jobs] == ["succeeded"] * len(jobs)
    ends = pair.ends()
    assert {name: ends[name] for name in names} == dict.fromkeys(names, 1), "each was committed once"
    pair.a.client.download(jobs[-1].id, "bundle.zip", pair.fleet.key.parent / "last.zip")


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_a_power_cut_in_the_middle_of_an_upload_costs_no_result(pair: Pair, tmp_path: Path) -> None:
    job = pair.submit_program("large", LARGE)
    eventually(lambda: any(one.name == "large" for one in pair.b.client.jobs().jobs), PATIENCE_S, "taken")
    before = pair.gate.sent_bytes
    pair.gate.allowance_bytes = before + PART_BYTES + PART_BYTES // 4
    stuck = pair.gate.allowance_bytes - 3 * PART_BYTES // 16
    eventually(lambda: pair.gate.sent_bytes > stuck, 2 * PATIENCE_S, "a part is there, and the line dead")
    (process,) = [one for one in processes(str(pair.b.paths.runtime.parent)) if "appliance.federation" in one.command]
    os.kill(process.pid, signal.SIGKILL)
    pair.gate.allowance_bytes = float("inf")
    assert pair.a.finished(job.id, 3 * PATIENCE_S).state == "succeeded"
    (there,) = [one for one in pair.b.client.jobs().jobs if one.name == "large"]
    sums = set()
    for appliance, job_id in ((pair.a, job.id), (pair.b, there.id)):
        appliance.client.download(job_id, "bundle.zip", tmp_path / job_id)
        sums.add(hashlib.sha256((tmp_path / job_id).read_bytes()).hexdigest())
    assert len(sums) == 1
    assert pair.ends()["large"] == 1


def test_a_member_cannot_write_in_anothers_folder_nor_admit_itself(pair: Pair) -> None:
    thief = Fleet(replace(pair.fleet.where, access_key="key-pi-a", secret_key="secret-pi-a"), pair.fleet.key).store()
    keys = pair.fleet.keys
    for key in (keys.heartbeat("pi-b"), keys.charter, keys.revoked, keys.site("index.html"), "f/other/bell"):
        assert thief.perform(Put(key, b"mine")).status is Status.DENIED
    thief.close()


def test_everybody_can_simulate_a_robot_of_the_fleet(pair: Pair) -> None:
    where = pair.fleet.where
    program = (
        "import gymnasium, gym_raas\n"
        "for robot in ('s3://robots/f/lab/pi/pi-b', 's3://robots/f/lab/pi/nobody'):\n"
        "    env = gymnasium.make('raaspendulum-v1', robot=robot)\n"
        "    env.reset(seed=1)\n"
        "    print(env.step([1.0])[1])\n"
    )
    environment = os.environ | {
        "AWS_ENDPOINT_URL_S3": where.endpoint, "AWS_ACCESS_KEY_ID": where.access_key, "AWS_SECRET_ACCESS_KEY": where.secret_key,
    }  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)
    assert float(done.stdout) < 0
    assert "there is no such robot" in done.stderr
