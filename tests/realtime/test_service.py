"""Three self-tests that fail in a row take the robot out of service, and only a person puts it back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from appliance.realtime.fault_sentences import FAULT_SENTENCES
from appliance.realtime.latch import retirement_latch
from appliance.realtime.service import MOST_FAILURES, Service
from appliance.realtime.telemetry import Fault


def made(path: Path, retired: list[str] | None = None) -> Service:
    said = [] if retired is None else retired
    return Service(retirement_latch(path), lambda: said.append("retired"), FAULT_SENTENCES)


def test_three_failures_in_a_row_retire_the_robot_for_good(tmp_path: Path) -> None:
    retired: list[str] = []

    async def fail() -> None:
        service = made(tmp_path / "retired", retired)
        for _ in range(MOST_FAILURES):
            assert service.retirement is None
            assert "swapped" in await service.fail_test(Fault.DIRECTION)
        assert retired == ["retired"]

    asyncio.run(fail())
    after_a_restart = made(tmp_path / "retired")
    assert after_a_restart.retirement is not None
    assert "direction" in after_a_restart.retirement.why


def test_a_test_that_passes_between_failures_keeps_the_robot_in_service(tmp_path: Path) -> None:
    async def alternate() -> Service:
        service = made(tmp_path / "retired")
        for _ in range(5):
            await service.fail_test(Fault.NEVER_SETTLES)
            await service.fail_test(Fault.STALL)
            service.pass_test()
        return service

    service = asyncio.run(alternate())
    assert service.retirement is None
    assert (service.passed, service.faults["stall"], service.faults["never_settles"]) == (5, 5, 5)


def test_a_person_puts_it_back_and_the_count_starts_anew(tmp_path: Path) -> None:
    async def restored() -> Service:
        service = made(tmp_path / "retired")
        for _ in range(MOST_FAILURES):
            await service.fail_test(Fault.FRICTION)
        await service.restore()
        await service.fail_test(Fault.FRICTION)
        return service

    assert asyncio.run(restored()).retirement is None
    assert made(tmp_path / "retired").retirement is None


def test_each_appearance_of_a_fault_counts_once(tmp_path: Path) -> None:
    service = made(tmp_path / "retired")
    for fault in (Fault.LINK_LOST, Fault.NONE, Fault.STALL, Fault.STALL, Fault.NONE, Fault.STALL, Fault.LINK_LOST):
        service.see(fault)
    assert service.faults == {"stall": 2, "link_lost": 1}


def test_a_loop_that_starts_has_not_lost_the_link_that_it_never_had(tmp_path: Path) -> None:
    service = made(tmp_path / "retired")
    for _ in range(3):
        service.loop_starts()
        service.see(Fault.LINK_LOST)
        service.see(Fault.NONE)
    assert not service.faults


def test_self_tests_are_counted_both_ways(tmp_path: Path) -> None:
    async def tested() -> Service:
        service = made(tmp_path / "retired")
        service.pass_test()
        await service.fail_test(Fault.STALL)
        return service

    service = asyncio.run(tested())
    assert (service.passed, service.failed) == (1, 1)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
def test_every_fault_says_what_to_check_on_the_hardware(fault: Fault) -> None:
    assert FAULT_SENTENCES[fault].endswith(".")
    assert "Check" in FAULT_SENTENCES[fault] or fault in (Fault.DIRECTION, Fault.OUT_OF_SERVICE)
