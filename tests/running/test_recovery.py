"""What a restarted runner makes of what a killed one left, at every point of a job's way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.jobs import Reason, State
from appliance.realtime.control import Arm, Disarm
from appliance.running import record, results
from appliance.running.record import Record
from tests.fake_guard import write_segment
from tests.runner_house import SLEEP, House, nothing_is_left

SESSION = "00000000000000aa"
NUMBER = int(SESSION, 16)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def _caught(house: House, state: State) -> str:
    """A job in `state`, with what a killed runner leaves on disk and in memory."""
    job_id = house.submit()
    house.store.claim(time.time())
    house.plain_prepare(house.store.get(job_id), lambda: False)
    if state is State.PREPARING:
        return job_id
    house.store.move(job_id, State.WAITING_FOR_ROBOT, time.time())
    folder = house.paths.attempt(job_id, 1)
    folder.mkdir()
    (folder / "output.log").write_text("half\n")
    (folder / ("result.json" + ".partial")).write_text("{")
    record.save(house.paths, job_id, Record(session=SESSION, attempt=1, started_at=1.0), sync=False)
    write_segment(house.paths.segment(NUMBER), NUMBER, 5)
    for next_state in (State.RUNNING, State.COLLECTING):
        if state is not State.WAITING_FOR_ROBOT:
            house.store.move(job_id, next_state, time.time())
        if state is next_state:
            break
    return job_id


@pytest.mark.parametrize("state", [State.PREPARING, State.WAITING_FOR_ROBOT])
def test_caught_before_running_a_job_simply_runs(house: House, state: State) -> None:
    job_id = _caught(house, state)
    house.start()
    job = house.until_final(job_id)
    assert (job.state, job.attempt, job.steps) == (State.SUCCEEDED, 1, 3)
    assert nothing_is_left(house)


def test_caught_running_the_first_attempts_data_are_complete_and_the_second_succeeds(house: House) -> None:
    job_id = _caught(house, State.RUNNING)
    other = house.submit()
    house.start()
    job = house.until_final(job_id)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    report = house.report(job_id, 1)
    assert (report.state, report.reason, report.steps, report.output_bytes) == ("failed", "interrupted", 5, 5)
    assert not list(house.paths.attempt(job_id, 1).glob("*.partial"))
    assert (house.store.get(job_id).started_at or 0.0) < (house.until_final(other).started_at or 0.0)


def test_caught_running_twice_a_job_fails(house: House) -> None:
    job_id = _caught(house, State.RUNNING)
    house.store.put_back(job_id, time.time(), Reason.INTERRUPTED, attempt=2)
    house.store.claim(time.time())
    for state in (State.WAITING_FOR_ROBOT, State.RUNNING):
        house.store.move(job_id, state, time.time())
    house.start()
    job = house.until_final(job_id)
    assert (job.state, job.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert house.report(job_id, 2).steps == 0


def test_caught_running_after_a_power_cut_there_is_a_report_without_steps(house: House) -> None:
    job_id = _caught(house, State.RUNNING)
    house.paths.segment(NUMBER).unlink()
    house.start()
    assert house.until_final(job_id).attempt == 2
    assert (house.report(job_id, 1).steps, house.report(job_id, 1).timing) == (0, None)


def test_caught_running_a_job_that_was_to_be_cancelled_is(house: House) -> None:
    job_id = _caught(house, State.RUNNING)
    house.store.request_cancel(job_id, time.time())
    house.start()
    job = house.until_final(job_id)
    assert (job.state, job.steps) == (State.CANCELLED, 5)


def test_caught_collecting_with_a_verdict_it_isnt_run_again(house: House) -> None:
    job_id = _caught(house, State.COLLECTING)
    verdict = Record(session=SESSION, attempt=1, started_at=1.0, ended_at=2.0, state="succeeded", exit_code=0)
    record.save(house.paths, job_id, verdict, sync=True)
    house.start()
    job = house.until_final(job_id)
    assert (job.state, job.attempt, job.steps, job.ended_at) == (State.SUCCEEDED, 1, 5, 2.0)
    assert Arm not in house.guard.requests()


def test_caught_between_report_and_final_state_the_report_stands(house: House) -> None:
    job_id = _caught(house, State.COLLECTING)
    verdict = Record(session=SESSION, attempt=1, started_at=1.0, ended_at=2.0, state="succeeded", exit_code=0)
    record.save(house.paths, job_id, verdict, sync=True)
    house.start()
    house.until_final(job_id)
    house.stop()
    report = (house.paths.attempt(job_id, 1) / results.REPORT).read_bytes()
    # As if the last transaction had never happened; the segment is gone by then.
    house.store._db.execute("UPDATE job SET state = 'collecting' WHERE id = ?", (job_id,))
    record.save(house.paths, job_id, verdict, sync=True)
    house.start()
    assert house.until_final(job_id).steps == 5
    assert (house.paths.attempt(job_id, 1) / results.REPORT).read_bytes() == report


def test_left_over_cells_go_before_the_robot_is_looked_at_and_sessions_end(house: House) -> None:
    house.guard._answer(Arm(SESSION, "x", 9.0, 0))
    write_segment(house.paths.segment(7), 7, 1)
    house.paths.live_ring.write_text("keep")
    house.start()
    house.until(lambda: Disarm in house.guard.requests())
    house.until(lambda: [entry.name for entry in house.paths.shm.iterdir()] == [house.paths.live_ring.name])
    assert house.cells.sweeps >= 1, "once by the recovery; whoever keeps a cell waiting sweeps as well"


def test_a_hostile_record_leads_nowhere(house: House) -> None:
    job_id = _caught(house, State.RUNNING)
    record.path(house.paths, job_id, 1).write_text('{"session": "../../../etc/passwd", "attempt": 1}')
    house.start()
    assert house.until_final(job_id).attempt == 2
    assert house.report(job_id, 1).steps == 0


def test_a_runner_killed_again_and_again_loses_nothing(house: House) -> None:
    ids = [house.submit(SLEEP), house.submit(), house.submit()]
    for _ in range(3):
        house.start()
        house.until_state(ids[0], State.RUNNING, State.FAILED)
        house.stop()
    house.start()
    assert house.until_final(ids[0]).reason is Reason.INTERRUPTED
    assert [house.until_final(job_id).state for job_id in ids[1:]] == [State.SUCCEEDED] * 2
