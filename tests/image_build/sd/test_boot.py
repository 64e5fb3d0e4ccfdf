"""The built image boots, does a job, and loses nothing when the plug is pulled. Minutes to hours, in an emulator.

One machine for all tests of this module, in their order: what one leaves on the card, the next one finds.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.client import Refused, Unreachable
from appliance.jobs import State
from appliance.shapes import JobView, Report
from image_build import sd_image
from image_build.sd import contents
from image_build.sd.debian import DEBIAN
from tests.image_build.sd import emulator
from tests.image_build.sd.emulator import Card, Emulator
from tests.patience import eventually
from tests.submissions import tar_of

pytestmark = pytest.mark.timeout(4 * 3600)
STEPS = 20
DRIVE = f"""import gym, gym_raas
env = gym.make("raaspendulum-v0")
env.reset()
for step in range({STEPS}):
    env.step([1.0])
print("done")
"""
SHORT = "import time\nprint('begun', flush=True)\ntime.sleep(5)\nprint('done')\n"
#: On a slow emulator; the first job waits until the image that it runs in is loaded.
JOB_S = 1800.0
CUTS_SEED = 7
#: Jobs that wait at a time while the plug is pulled.
STREAM = 3


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The image, built as far as it isn't, on a new card with an owner's file, switched on."""
    if missing := emulator.missing_programs():
        pytest.fail(f"{', '.join(missing)} not installed; `make test-image` installs what is needed")
    (image,) = sd_image.make(sd_image.plan_of(DEBIAN)).glob("*.img")
    folder = tmp_path_factory.mktemp("card")
    machine = Emulator(Card(image, folder / "card.img"), DEBIAN, folder)
    machine.card.put("raas.yaml", emulator.setup(machine.public_key) + "unknown_key: 1\n")
    began_s = time.monotonic()
    machine.start()
    try:
        machine.until_page()
        print(f"page after {time.monotonic() - began_s:.0f} s")
        yield machine
    finally:
        machine.cut()


def submitted(machine: Emulator, folder: Path, program: str) -> JobView:
    archive = folder / "job.tar.gz"
    archive.write_bytes(tar_of({"run.py": program}))
    return machine.client().submit_archive(archive)


def finished(machine: Emulator, job_id: str) -> JobView:
    def ended() -> JobView | None:
        try:
            job = machine.client().job(job_id)
        except (Unreachable, Refused):
            return None
        return job if State(job.state).is_final else None

    return eventually(ended, JOB_S, f"the end of {job_id}", pause_s=2.0, then=machine.last_words)


@pytest.mark.image
def test_the_owners_file_is_applied_and_its_secrets_are_gone(machine: Emulator) -> None:
    status = machine.card.read("raas-status.txt").decode()
    assert "http://raas-test.local:8080" in status
    assert "unknown_key" in status, "a mistake costs one key, and is explained"
    assert "raas.yaml" not in machine.card.names()
    for name in machine.card.names():
        if name.startswith("raas"):
            assert emulator.PASSWORD.encode() not in machine.card.read(name)
    assert machine.ssh("hostname").strip() == "raas-test"


@pytest.mark.image
def test_the_machine_is_as_the_plan_says(machine: Emulator) -> None:
    assert machine.ssh("cat /sys/kernel/realtime").strip() == "1"
    assert "ro," in machine.ssh("findmnt --noheadings --output=OPTIONS /")
    assert machine.ssh("findmnt --noheadings --output=FSTYPE,LABEL /data").split() == ["ext4", "data"]
    size_bytes = int(machine.ssh("findmnt --bytes --noheadings --output=SIZE /data"))
    assert size_bytes > 8_000_000_000, "it has grown over the card"
    for _, path in contents.PERSISTENT:
        assert "/data" in machine.ssh(f"findmnt --noheadings --output=TARGET --target {path}") or machine.ssh(
            f"findmnt --noheadings --output=SOURCE --mountpoint {path}"
        )
    assert "zram0" in machine.ssh("swapon --show=NAME --noheadings")
    assert machine.ssh("ls -d /run/log/journal")
    assert "no" in machine.ssh("test -d /var/log/journal || echo no")
    assert machine.ssh("cat /proc/cmdline").count("ttyAMA0") == 1, "the emulator's own"
    active = machine.ssh("systemctl is-active avahi-daemon NetworkManager systemd-timesyncd raas-network")
    assert active.split() == ["active"] * 4
    assert machine.ssh("test -s /etc/machine-id && wc -c < /etc/machine-id").strip() == "33"


@pytest.mark.image
def test_a_job_is_done_and_its_bundle_is_whole(machine: Emulator, tmp_path: Path) -> None:
    job = finished(machine, submitted(machine, tmp_path, DRIVE).id)
    assert job.state == "succeeded", f"{job.sentence}\n{machine.client().log(job.id).decode()}"
    assert job.steps == STEPS
    machine.client().download(job.id, "bundle.zip", tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert bundle.testzip() is None
        files = {Path(name).name: bundle.read(name) for name in bundle.namelist()}
    report = msgspec.json.decode(files["report.json"], type=Report)
    assert {"result.json", "steps.csv", "trace.npz", "output.log"} <= set(report.files)
    for name, digest in report.files.items():
        assert hashlib.sha256(files[Path(name).name]).hexdigest() == digest, name


@pytest.mark.image
def test_nothing_has_failed(machine: Emulator) -> None:
    assert machine.ssh("systemctl list-units --failed --plain --no-legend") == ""
    assert all(said == "ok" for said in machine.client().health().parts.values())


def pull_the_plug(machine: Emulator, times: int, folder: Path) -> None:
    """Cut the power at random moments in a stream of jobs; afterwards every accepted job has ended as it should."""
    moments, accepted = random.Random(CUTS_SEED), list[str]()
    for number in range(times):
        until_s = time.monotonic() + moments.uniform(0.0, 60.0)
        while time.monotonic() < until_s:
            if len(accepted) < STREAM * (number + 1):
                accepted.append(submitted(machine, folder, SHORT).id)
            time.sleep(0.2)
        machine.cut()
        assert machine.card.data_complaints(folder) == ""
        machine.start()
        machine.until_page()
        known = {job.id for job in machine.client().jobs().jobs}
        assert set(accepted) <= known, f"cut {number + 1} lost accepted jobs"
    began = re.findall(r"(\S+) running$", machine.console.read_text(errors="replace"), re.MULTILINE)
    for job_id in accepted:
        job = finished(machine, job_id)
        assert job.state in ("succeeded", "failed"), job.sentence
        if job.state == "failed":
            assert job.reason == "interrupted", job.sentence
        assert began.count(job_id) <= job.attempt, f"{job_id} ran more often than it says"
    assert machine.ssh("systemctl list-units --failed --plain --no-legend") == ""


@pytest.mark.image
def test_three_power_cuts_lose_nothing_and_run_nothing_twice_unmarked(machine: Emulator, tmp_path: Path) -> None:
    pull_the_plug(machine, 3, tmp_path)


@pytest.mark.chaos
def test_twenty_power_cuts_lose_nothing_and_run_nothing_twice_unmarked(machine: Emulator, tmp_path: Path) -> None:
    pull_the_plug(machine, 20, tmp_path)
