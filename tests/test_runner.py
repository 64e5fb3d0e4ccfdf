"""The runner against a guard without a robot and cells without walls: what becomes of jobs, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance import facts
from appliance.errors import BadSource, Cancelled, IsolationError
from appliance.intake.preparing import Prepared
from appliance.jobs import Reason, State
from appliance.realtime.control import Arm, Disarm, Settle, Start, Stop
from appliance.running import waiting_room
from appliance.store import Job, Store
from tests.runner_house import SLEEP, STUBBORN, House, nothing_is_left


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.start()
    yield house
    house.close()


def test_a_job_goes_all_the_way_and_leaves_its_results(house: House) -> None:
    job = house.until_final(house.submit())
    assert (job.state, job.exit_code, job.steps, job.missed_steps) == (State.SUCCEEDED, 0, 3, 3)
    assert job.submitted_at <= (job.started_at or 0.0) <= (job.ended_at or 0.0)
    assert (house.paths.attempt(job.id, 1) / "output.log").read_bytes() == b"hello\n"
    assert house.report(job.id).state == "succeeded"
    assert house.guard.requests() == [Settle, Arm, Start, Disarm, Settle], "a self-test before and after"
    assert nothing_is_left(house)


def test_jobs_run_one_after_the_other_in_order(house: House) -> None:
    ids = [house.submit(f"print({number})") for number in range(3)]
    for job_id in ids:
        house.until_final(job_id)
    ends = [house.store.get(job_id).started_at or 0.0 for job_id in ids]
    assert ends == sorted(ends)


def test_the_next_job_is_prepared_while_one_runs(house: House) -> None:
    first, second = house.submit(SLEEP), house.submit()
    house.until_state(first, State.RUNNING)
    house.until(lambda: house.store.get(second).reason is Reason.READY)
    house.store.request_cancel(first, time.time())
    assert house.until_final(second).state is State.SUCCEEDED


def test_the_owner_s_next_job_overtakes_one_that_is_prepared_already_and_nothing_is_done_twice(house: House) -> None:
    prepared: list[str] = []

    def prepare(job: Job, cancelled: Callable[[], bool]) -> Prepared:
        prepared.append(job.id)
        return house.plain_prepare(job, cancelled)

    house.prepare = prepare
    driving, overtaken, chosen = house.submit(SLEEP), house.submit(), house.submit()
    house.until_state(driving, State.RUNNING)
    house.until(lambda: house.store.get(overtaken).reason is Reason.READY)
    house.store.reorder(chosen, 1, time.time())
    house.until(lambda: house.store.get(chosen).reason is Reason.READY)
    assert house.store.get(overtaken).state is State.QUEUED
    house.store.request_cancel(driving, time.time())
    begun = [house.until_final(job_id).started_at or 0.0 for job_id in (chosen, overtaken)]
    assert begun == sorted(begun)
    assert prepared == [driving, overtaken, chosen]


def test_a_second_choice_of_the_owner_s_overtakes_the_first(house: House) -> None:
    driving, first, second = house.submit(SLEEP), house.submit(), house.submit()
    house.until_state(driving, State.RUNNING)
    house.until(lambda: house.store.get(first).reason is Reason.READY)
    house.store.reorder(second, 1, time.time())
    house.until(lambda: house.store.get(second).reason is Reason.READY)
    house.store.reorder(first, 1, time.time())
    house.until(lambda: house.store.get(first).reason is Reason.READY)
    house.store.reorder(second, 2, time.time())
    assert house.store.get(first).reason is Reason.READY, "the second place is behind it"


def test_the_rest_of_the_queue_is_told_that_others_are_before_it(house: House) -> None:
    house.submit(SLEEP)
    house.submit()
    third = house.submit()
    house.until(lambda: house.store.get(third).reason is Reason.BEHIND_OTHERS)


def test_a_program_that_fails_says_with_what(house: House) -> None:
    job = house.until_final(house.submit("raise ValueError('no')"))
    assert (job.state, job.reason, job.exit_code) == (State.FAILED, Reason.EXIT_CODE, 1)
    assert job.detail == "run.py ended with exit code 1: ValueError: no"


def test_the_motor_is_off_at_once_when_the_program_ends(house: House) -> None:
    job_id = house.submit("import time\nprint(time.monotonic())")
    house.until_final(job_id)
    ended_s = float((house.paths.attempt(job_id, 1) / "output.log").read_text())
    disarmed_s = next(at_s for at_s, request in house.guard.log if isinstance(request, Disarm))
    assert disarmed_s - ended_s < 0.5  # the process's own end is most of it; test_docker_cell has the figure


def test_a_broken_source_fails_with_its_message_while_others_run(house: House) -> None:
    def prepare(job: Job, cancelled: Callable[[], bool]) -> Prepared:
        if "broken" in job.source:
            raise BadSource("There is no run.py.")
        return house.plain_prepare(job, cancelled)

    house.prepare = prepare
    running, broken = house.submit(SLEEP), house.submit("broken")
    job = house.until_final(broken)
    assert (job.state, job.reason, job.detail) == (State.FAILED, Reason.BAD_SOURCE, "There is no run.py.")
    house.until(lambda: not house.paths.job(broken).exists())
    assert house.store.get(running).state is not State.FAILED


def test_a_passing_failure_of_preparation_is_tried_again(house: House) -> None:
    tries = []

    def prepare(job: Job, cancelled: Callable[[], bool]) -> Prepared:
        tries.append(job.id)
        if len(tries) == 1:
            raise IsolationError("no namespaces today")
        return house.plain_prepare(job, cancelled)

    house.prepare = prepare
    assert house.until_final(house.submit()).state is State.SUCCEEDED


def test_an_unexpected_failure_of_preparation_ends_the_job_not_the_runner(house: House) -> None:
    house.prepare = lambda job, cancelled: 1 / 0  # type: ignore[assignment,return-value]
    job = house.until_final(house.submit())
    assert (job.state, job.reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    house.prepare = house.plain_prepare
    assert house.until_final(house.submit()).state is State.SUCCEEDED


# --- cancelling ---------------------------------------------------------------------------------------------------


def test_cancelling_while_preparing_gives_up(house: House) -> None:
    def prepare(job: Job, cancelled: Callable[[], bool]) -> Prepared:
        house.until(cancelled)
        raise Cancelled("given up")

    house.prepare = prepare
    job_id = house.submit()
    house.until_state(job_id, State.PREPARING)
    house.store.request_cancel(job_id, time.time())
    assert house.until_final(job_id).reason is Reason.BY_USER


def test_cancelling_while_the_pendulum_settles_never_starts_it(house: House) -> None:
    house.guard.settle_s = 3.0
    job_id = house.submit()
    house.until_state(job_id, State.WAITING_FOR_ROBOT)
    house.store.request_cancel(job_id, time.time())
    assert house.until_final(job_id).state is State.CANCELLED
    assert Arm not in house.guard.requests()
    assert nothing_is_left(house)
    house.until(lambda: not house.paths.job(job_id).exists())


def test_the_upload_of_a_job_that_ended_is_removed_and_that_of_a_waiting_one_is_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.cells.absent = "No engine answers."
    house.paths.inbox.mkdir(parents=True)
    cancelled, waiting = house.submit(), house.submit()
    for job_id in (cancelled, waiting):
        house.paths.upload(job_id).write_text("x")
    house.store.request_cancel(cancelled, time.time())
    house.start()
    house.until(lambda: not house.paths.upload(cancelled).exists())
    assert house.paths.upload(waiting).exists()
    house.close()


def test_cancelling_a_running_job_keeps_its_data(house: House) -> None:
    job_id = house.submit(SLEEP)
    house.until_state(job_id, State.RUNNING)
    house.until(lambda: Start in house.guard.requests())
    house.store.request_cancel(job_id, time.time())
    job = house.until_final(job_id)
    assert (job.state, job.reason, job.steps) == (State.CANCELLED, Reason.BY_USER, 3)
    assert house.report(job_id).state == "cancelled"
    assert nothing_is_left(house)


# --- limits and stops ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [SLEEP, STUBBORN])
def test_at_the_time_limit_the_motor_goes_off_before_the_program_is_asked_to_end(tmp_path: Path, program: str) -> None:
    house = House(tmp_path, limit_s=1.0)
    house.start()
    job_id = house.submit(program)
    job = house.until_final(job_id)
    assert (job.state, job.reason, job.detail) == (
        State.TIMED_OUT,
        Reason.TIME_LIMIT,
        "Stopped at the time limit of 1 s.",
    )
    times = {type(request): at_s for at_s, request in house.guard.log}
    assert 0.9 <= times[Disarm] - times[Start] < 1.4
    assert (job.exit_code == 143) is (program is SLEEP)
    assert (house.paths.attempt(job_id, 1) / "output.log").read_bytes() == b"begun\n"
    assert nothing_is_left(house)
    house.close()


def test_an_emergency_stop_cancels_the_job_and_pauses_the_queue_until_resumed(house: House) -> None:
    running, waiting = house.submit(SLEEP), house.submit()
    house.until_state(running, State.RUNNING)
    house.until(lambda: Start in house.guard.requests())
    house.guard._answer(Stop("ann", "smoke"))
    job = house.until_final(running)
    assert (job.state, job.reason) == (State.CANCELLED, Reason.EMERGENCY_STOP)
    assert "by ann: smoke" in job.detail
    house.until(lambda: house.store.fact(facts.QUEUE_PAUSED) == facts.PAUSED_BY_STOP)
    house.until(lambda: house.store.get(waiting).reason is Reason.QUEUE_PAUSED)
    assert house.store.get(waiting).state is State.QUEUED
    house.guard.resume()
    assert house.until_final(waiting).state is State.SUCCEEDED
    assert house.store.fact(facts.QUEUE_PAUSED) == ""


def test_the_lease_is_refreshed_as_long_as_the_job_runs(house: House) -> None:
    job_id = house.submit("import time; time.sleep(1.5)")
    assert house.until_final(job_id).state is State.SUCCEEDED
    assert house.guard.leases >= 10  # every 0.1 s


# --- interruptions --------------------------------------------------------------------------------------------------


def test_a_robot_fault_gives_one_more_attempt_at_the_front_and_keeps_the_first_ones_data(house: House) -> None:
    job_id, other = house.submit(SLEEP), house.submit(SLEEP)
    house.until(lambda: Start in house.guard.requests())
    house.until(lambda: house.store.get(other).reason is Reason.READY)
    house.guard.break_down("stall")
    house.until_state(job_id, State.QUEUED)
    assert [job.id for job in house.store.queue()] == [job_id, other]
    report = house.report(job_id)
    assert (report.state, report.reason, report.steps) == ("failed", "interrupted", 3)
    house.until(lambda: "fault (stall)" in house.store.fact(facts.QUEUE_HOLD))
    house.guard.resume()
    house.until_state(job_id, State.RUNNING)
    assert house.store.get(job_id).attempt == 2
    house.until(lambda: house.guard.requests().count(Start) == 2)
    house.guard.break_down("stall")
    job = house.until_final(job_id)
    assert (job.state, job.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert house.report(job_id, 2).attempt == 2
    assert house.report(job_id) == report  # bundles never change


def test_a_guard_that_dies_interrupts_and_the_job_waits_for_it(house: House) -> None:
    job_id = house.submit(SLEEP)
    house.until(lambda: Start in house.guard.requests())
    house.guard.close()
    house.until_state(job_id, State.QUEUED)
    assert house.store.get(job_id).reason is Reason.INTERRUPTED
    house.until(lambda: "isn't running" in house.store.fact(facts.QUEUE_HOLD))
    house.guard.open()
    house.guard.session = None
    assert house.until_state(job_id, State.RUNNING).attempt == 2


def test_a_refused_settling_costs_the_job_nothing(house: House) -> None:
    house.guard.refuse[Settle] = "The pendulum never settles."
    job_id = house.submit()
    house.until(lambda: Settle in house.guard.requests())
    house.until_state(job_id, State.QUEUED)
    del house.guard.refuse[Settle]
    job = house.until_final(job_id)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)


def test_a_refused_arming_removes_the_cell_and_costs_nothing(house: House) -> None:
    house.guard.refuse[Arm] = "No memory for a segment."
    job_id = house.submit()
    house.until(lambda: Arm in house.guard.requests())
    house.until_state(job_id, State.QUEUED)
    assert nothing_is_left(house)
    house.guard.refuse.clear()
    assert house.until_final(job_id).attempt == 1


def test_a_job_is_tried_again_even_if_the_engine_took_long_to_answer(house: House) -> None:
    answers = iter(("No engine answers.", waiting_room.RETRY_S + waiting_room.HOLD_AGE_S + 0.5))

    def problem() -> str:
        if Settle not in house.guard.requests():
            return ""
        answer = next(answers, "")
        if isinstance(answer, float):
            house.guard.refuse.clear()
            time.sleep(answer)
            return ""
        return answer

    house.cells.problem = problem  # type: ignore[method-assign]
    house.guard.refuse[Settle] = "The pendulum never settles."
    assert house.until_final(house.submit()).state is State.SUCCEEDED


def test_a_job_that_comes_after_the_owner_s_pause_never_starts_before_the_pause_ends(house: House) -> None:
    house.until(lambda: house.store.fact(facts.RUNNER_HEARTBEAT) is not None)
    house.until_final(house.submit())
    for _ in range(5):
        house.store.set_fact(facts.QUEUE_PAUSED, facts.PAUSED_BY_OWNER, time.time())
        job_id = house.submit()
        house.until(lambda: [job.reason for job in house.store.queue()] == [Reason.QUEUE_PAUSED])
        begun_s = time.time()
        house.store.set_fact(facts.QUEUE_PAUSED, "", time.time())
        assert (house.until_final(job_id).started_at or 0.0) >= begun_s


def test_whoever_sees_that_a_job_failed_sees_the_advice_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[State, str]] = []
    move = Store.move

    def watched(store: Store, job_id: str, state: State, *more: object, **fields: object) -> Job:
        seen.append((state, store.get(job_id).notes))
        return move(store, job_id, state, *more, **fields)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "move", watched)
    house.advice = "Add the line “flask” to requirements.txt."
    job_id = house.submit("import nothing_of_that_name")
    house.until_final(job_id)
    assert (State.FAILED, house.advice) in seen


def test_without_an_engine_jobs_wait_with_the_reason(house: House) -> None:
    house.cells.absent = "No engine answers."
    house.until(lambda: house.store.fact(facts.QUEUE_HOLD) == "No engine answers.")
    job_id = house.submit()
    house.until(lambda: house.store.get(job_id).reason is Reason.ENGINE_UNAVAILABLE)
    assert house.store.get(job_id).detail == "No engine answers."
    house.cells.absent = ""
    assert house.until_final(job_id).state is State.SUCCEEDED


def test_stopping_the_runner_ends_the_job_quickly_and_queues_it_again(house: House) -> None:
    job_id, other = house.submit(STUBBORN), house.submit()
    house.until(lambda: Start in house.guard.requests())
    begun_s = time.monotonic()
    house.stop()
    assert time.monotonic() - begun_s < 3.0
    assert [job.id for job in house.store.queue()] == [job_id, other]
    assert house.store.get(job_id).attempt == 2
    assert house.report(job_id).detail == "The appliance was stopped while it ran."
    assert nothing_is_left(house)


# --- disk ---------------------------------------------------------------------------------------------------------


def test_results_that_cant_be_written_wait_for_room(house: House) -> None:
    job_id = house.submit("import time; time.sleep(1)")
    house.until_state(job_id, State.RUNNING)
    obstacle = house.paths.attempt(job_id, 1) / ("result.json" + ".partial")
    obstacle.mkdir()  # as good as a full disk: the file can't be written
    house.until(lambda: house.store.get(job_id).reason is Reason.DISK_FULL)
    assert house.store.get(job_id).state is State.COLLECTING
    obstacle.rmdir()
    assert house.until_final(job_id).steps == 3


def test_the_heartbeat_is_a_fact(house: House) -> None:
    house.until(lambda: house.store.fact(facts.RUNNER_HEARTBEAT) != "")
    assert abs(float(house.store.fact(facts.RUNNER_HEARTBEAT)) - time.time()) < 10.0
