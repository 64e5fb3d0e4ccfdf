"""Large files on bad lines: signs of life go on, a power cut costs a part and not the whole, a dead disk is told."""

from __future__ import annotations

import hashlib
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from appliance.federation.agent import Agent
from appliance.federation.carrier import Carrier
from appliance.federation.desk import Finished
from appliance.federation.driver import drive
from appliance.federation.entries import File, decode
from appliance.federation.joblog import Phase
from appliance.federation.keys import Keys
from appliance.federation.requests import Get, List, Put, Reply, Request, Send, Status
from appliance.federation.s3_store import PART_BYTES, Bucket, S3Store
from appliance.federation.simulation.cast import Cast
from appliance.federation.simulation.member import SimulatedDesk
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from appliance.federation.station import Station
from appliance.federation.timing import Timing
from tests.federation.gate import Gate, gate
from tests.federation.lab import Lab
from tests.federation.servers import REPOSITORY, seaweedfs
from tests.federation.test_planning import first_holder
from tests.patience import eventually

SEND = """
import sys
from appliance.federation.requests import Send
from appliance.federation.s3_store import Bucket, S3Store
endpoint, access, secret, key, path, digest, size = sys.argv[1:]
where = Bucket("robots", endpoint, access_key=access, secret_key=secret)
print(S3Store(where).perform(Send(key, path, digest, int(size))).status.name)
"""
SETTINGS = Settings(run_s=(60.0, 120.0), faults=NO_FAULTS)


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    with seaweedfs() as where:
        yield where


@pytest.fixture
def line(server: Bucket) -> Iterator[Gate]:
    with gate(server.endpoint) as relay:
        yield relay


def test_while_a_file_travels_its_holder_is_alive_and_nobody_robs_it() -> None:
    lab = Lab(SETTINGS)
    lab.members[0].desk.submit(1)
    holder = first_holder(lab)
    under_way(lab, holder, 4 * SETTINGS.timing.lease_s)
    (job,) = lab.logs()
    assert lab.read(job).holder == f"pi{holder}"
    lab.run(900.0)
    assert lab.read(job).phase is Phase.ENDED
    assert [type(entry).__name__ for entry in lab.entries(job)] == ["Spec", "Claim", "Done"]


def under_way(lab: Lab, number: int, seconds: float) -> None:
    """Let time pass while a member's files don't arrive."""
    end_s, seen = lab.now_s + seconds, 0
    while lab.now_s < end_s:
        for member in list(lab.pending):
            for _ in range(60):
                request = lab.pending[member]
                if member == number and isinstance(request, Send):
                    lab.step(member, Reply(Status.UNDER_WAY, 0.0))
                    seen += 1
                else:
                    lab.step(member)
                if lab.pending[member] is request:
                    break
        lab.now_s += 2.0
    assert seen > 100


def test_other_requests_are_answered_while_a_file_travels() -> None:
    arrived = threading.Event()

    def perform(request: Request) -> Reply:
        if isinstance(request, Send):
            assert arrived.wait(30)
        return Reply(Status.OK, 0.0)

    carrier, sending = Carrier(perform, time.monotonic), Send("a", "b", "c", 1)
    assert carrier.perform(sending).status is Status.UNDER_WAY
    assert carrier.perform(Put("heartbeat", b"")).status is Status.OK
    assert carrier.perform(sending).status is Status.UNDER_WAY
    arrived.set()
    eventually(lambda: carrier.perform(sending).status is Status.OK, what="arrived")


def test_a_disk_that_fails_under_a_file_is_told_to_whoever_asks() -> None:
    def perform(_request: Request) -> Reply:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Carrier(perform, time.monotonic).perform(Send("a", "b", "c", 1))


def test_an_upload_that_a_power_cut_ended_goes_on_where_it_was(server: Bucket, line: Gate, tmp_path: Path) -> None:
    path, digest, size = a_file(tmp_path, 3 * PART_BYTES)
    key = f"f/lab/pi/pi1/r/{digest}"
    line.allowance_bytes = PART_BYTES + PART_BYTES // 2
    arguments = [line.url, server.access_key, server.secret_key, key, str(path), digest, str(size)]
    process = subprocess.Popen([sys.executable, "-c", SEND, *arguments], cwd=REPOSITORY)
    client = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name=server.region, aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key, config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    eventually(
        lambda: len(parts(client, server.bucket, key)) == 1, 120.0, "one part there", then=lambda: line.sent_bytes
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    before, line.allowance_bytes = line.sent_bytes, float("inf")
    done = subprocess.run([sys.executable, "-c", SEND, *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.stdout.strip() == "OK", done.stderr
    assert line.sent_bytes - before < 2.6 * PART_BYTES, "the part that was there isn't sent again"
    assert hashlib.sha256(client.get_object(Bucket=server.bucket, Key=key)["Body"].read()).hexdigest() == digest
    assert not client.list_multipart_uploads(Bucket=server.bucket).get("Uploads")


def parts(client: object, bucket: str, key: str) -> list[object]:
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", ()):  # type: ignore[attr-defined]
        if upload["Key"] == key:
            return client.list_parts(Bucket=bucket, Key=key, UploadId=upload["UploadId"]).get("Parts", [])  # type: ignore[attr-defined, no-any-return]
    return []


def a_file(folder: Path, size_bytes: int) -> tuple[Path, str, int]:
    path, body = folder / "bundle.zip", secrets.token_bytes(size_bytes)
    path.write_bytes(body)
    return path, hashlib.sha256(body).hexdigest(), size_bytes


class Desk(SimulatedDesk):
    """A desk whose results are one real file."""

    file: tuple[File, str]

    def finished(self) -> Finished | None:
        finished = super().finished()
        return finished and Finished(finished.outcome, finished.detail, (self.file,))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_slow_line_holds_up_no_heartbeat(server: Bucket, line: Gate, tmp_path: Path) -> None:
    """A bundle of two parts takes longer than a lease; its holder keeps the job, and it is committed once."""
    path, digest, size = a_file(tmp_path, 2 * PART_BYTES)
    timing = Timing().scaled(24.0 / Timing().lease_s)
    line.rate = size / (1.5 * timing.lease_s)
    settings = replace(SETTINGS, run_s=(0.1, 0.1), timing=timing)
    cast = Cast(random.Random(1), fleet=f"slow-{secrets.token_hex(4)}")
    desk, over = Desk(settings, random.Random(1)), threading.Event()
    desk.file = (File("bundle.zip", digest, size), str(path))
    desk.submit(1)
    keys = Keys(cast.fleet)
    station = Station(cast.member("pi1"), cast.roster(), keys, timing, desk, random.Random(1))

    def clock() -> float:
        desk.now_s = time.monotonic()
        return desk.now_s

    far = S3Store(replace(server, endpoint=line.url, timeout_s=5.0))
    life = (Agent(station).life(), Carrier(far.perform, time.monotonic).perform, clock, over.wait, over.is_set)
    thread = threading.Thread(target=drive, args=life)
    thread.start()
    near, ages = S3Store(server), list[float]()
    try:
        deadline_s = time.monotonic() + 200.0
        while not desk.committed and time.monotonic() < deadline_s:
            beat = near.perform(Get(keys.heartbeat("pi1")))
            ages.append(beat.date_s - beat.written_s if beat.status is Status.OK else 0.0)
            time.sleep(0.5)
    finally:
        over.set()
        thread.join()
        far.close()
    assert desk.committed, desk.complaints
    assert max(ages) < timing.lease_s, "nobody may rob it"
    rows = near.perform(List(keys.queue)).rows
    slots = [near.perform(Get(row.key)).body for row in rows if row.key.rpartition("/")[2].isdigit()]
    assert [type(decode(cast.roster().open(slot)[0])).__name__ for slot in slots] == ["Spec", "Claim", "Done"]
    near.close()
