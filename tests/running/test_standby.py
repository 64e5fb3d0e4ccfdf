"""Whose fault is it that there is no cell? The engine's, and everybody waits; or the job's, and only that one fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import facts
from appliance.errors import EngineError
from appliance.jobs import Reason, State
from appliance.realtime.control import Arm
from appliance.running.output import Capture
from tests.process_cell import ProcessCell
from tests.runner_house import House, nothing_is_left

WORDS = "Docker Engine refused a job's cell: no such thing as a bicycle"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_an_engine_that_refuses_every_cell_holds_the_queue_in_its_own_words(house: House) -> None:
    house.cells.refused["image"] = WORDS
    job_id = house.submit()
    house.start()
    house.until(lambda: house.store.fact(facts.QUEUE_HOLD) == WORDS)
    house.until(lambda: house.store.get(job_id).detail == WORDS)
    job = house.store.get(job_id)
    assert (job.state, job.reason, job.started_at) == (State.QUEUED, Reason.ENGINE_UNAVAILABLE, None)
    house.cells.refused.clear()
    assert house.until_final(job_id).state is State.SUCCEEDED


def test_a_job_whose_own_cell_is_refused_fails_in_the_engines_words_and_the_others_run(house: House) -> None:
    house.cells.refused["bicycle"] = WORDS
    house.start()
    odd, usual = house.submit(image="bicycle"), house.submit()
    job = house.until_final(odd)
    assert (job.state, job.reason, job.started_at) == (State.FAILED, Reason.INTERNAL_ERROR, None)
    assert WORDS in job.detail
    assert house.until_final(usual).state is State.SUCCEEDED
    assert nothing_is_left(house)


def test_a_cell_that_cant_be_started_costs_the_job_nothing_and_the_machine_no_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine vanishes when the robot is armed already, so there is a session whose steps nobody will collect."""

    def start(_cell: ProcessCell, _capture: Capture) -> None:
        raise EngineError("Docker Engine is gone.")

    with monkeypatch.context() as broken:
        broken.setattr(ProcessCell, "start", start)
        job_id = house.submit()
        house.start()
        house.until(lambda: house.store.get(job_id).detail == "Docker Engine is gone.")
        assert Arm in house.guard.requests()
    job = house.until_final(job_id)
    assert (job.state, job.attempt) == (State.SUCCEEDED, 1)
    assert nothing_is_left(house)


def test_a_source_half_moved_into_its_cell_is_prepared_anew(house: House) -> None:
    """run.py goes first, so what a power cut leaves lacks it; what stays in the place of cells is removed."""
    source = house.paths.job("x") / "source"
    source.mkdir(parents=True)
    (source / "part.py").write_text("")
    left = house.paths.job(".cells") / "0123456789abcdef"
    left.mkdir(parents=True)
    (left / "run.py").write_text("")
    house.start()
    house.until(lambda: not left.exists())


def test_the_source_is_whole_in_the_cell_and_where_it_was_before(house: House) -> None:
    house.start()
    program = "import os; print(sorted(os.listdir()), len(open('run.py').read()) > 9)"
    job_id = house.submit(program)
    assert house.until_final(job_id).state is State.SUCCEEDED
    assert (house.paths.attempt(job_id, 1) / "output.log").read_text() == "['run.py'] True\n"
    assert (house.paths.source(job_id) / "run.py").read_text() == program
