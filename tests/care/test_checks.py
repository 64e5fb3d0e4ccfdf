"""Each row of the diagnosis, from a snapshot: what is wrong is said with what to do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.care.doctor import diagnose
from appliance.care.finding import Finding, Verdict
from appliance.care.machine_checks import cores
from appliance.care.snapshot import (
    Camera,
    Clock,
    Database,
    Engine,
    Network,
    Pin,
    Power,
    Proof,
    RealTime,
    Right,
    Robot,
    Service,
    Settings,
    Snapshot,
    Storage,
)

NOW_S = 1_790_000_000.0
ALL = {"memory": True, "swap": True, "pids": True, "cpu_quota": True, "cpuset": True}
REPORT = "real-time: granted core 3, FIFO priority 80, locked memory, exact timers, no sleep states; refused nothing"
WELL = Snapshot(
    settings=Settings(robot_file="robot.yaml", is_fitted=True, is_real=True),
    robot=Robot(
        "127.0.0.1:8888",
        79,
        (Pin(13, 1, 0), Pin(19, 1, 0)),
        (Pin(14, 0, 1), Pin(15, 0, 0)),
        runs=True,
        state="disarmed",
    ),
    real_time=RealTime(REPORT, True, 3, 4, "3", "performance", False),
    storage=Storage("/data", 20_000, 30_000, 200, 90.0, "ext4"),
    clock=Clock(NOW_S, True, NOW_S - 60),
    power=Power("Raspberry Pi 4", 0, 55.0),
    network=Network("0.0.0.0", 8080, ("192.168.1.7",), True, 200),
    database=Database("/data/db/raas.db", 1, 1, "", 5),
    camera=Camera(0.2, ""),
    rights=(Right("/data/identity", 0o40700, 0o007, "the password"),),
    services=(Service("raas-runner.service", "active"),),
    engine=Engine("unix:///run/docker.sock", "", "20.10", ALL, True),
    proof=Proof("2026-11-01", ("memory", "processes")),
)


def wrong(**changed: Any) -> list[Finding]:
    """What a well appliance has to say when one thing is different."""
    parts = {name: replace(getattr(WELL, name), **fields) for name, fields in changed.items()}
    return [found for found in diagnose(replace(WELL, **parts)).findings if found.verdict is not Verdict.OK]


def test_a_well_appliance_has_nothing_to_say() -> None:
    diagnosis = diagnose(WELL)
    assert wrong() == []
    assert diagnosis.ok
    assert diagnosis.summary == "Everything works."


FAILURES = [
    ({"settings": {"problem": "raas.yaml: there is no key 'nme'"}}, "nme", "raas config"),
    ({"settings": {"robot_problem": "robot.yaml: pins missing"}}, "pins missing", "calibrate"),
    ({"robot": {"version": None}}, "nothing answers", "systemctl start pigpiod"),
    ({"robot": {"encoder_pins": (Pin(14, 4, 1), Pin(15, 0, 0))}}, "GPIO 14", "enable_uart=0"),
    ({"robot": {"motor_pins": (Pin(13, 1, 1), Pin(19, 1, 0))}}, "GPIO 13 is high", "motor-off"),
    ({"robot": {"loop_alive": False}}, "doesn't tick", "journalctl"),
    ({"robot": {"fault": "lost_edges", "state": "fault"}}, "lost edges", "raas resume"),
    ({"robot": {"gateway_alive": False}}, "can't reach", "journalctl"),
    ({"robot": {"runs": False, "guard_problem": "refused"}}, "refused", "journalctl"),
    ({"real_time": {"report": REPORT.replace("FIFO priority 80, ", "").replace("nothing", "FIFO priority 80 (Operation not permitted)")}},
     "Operation not permitted", "LimitRTPRIO"),
    ({"real_time": {"report": REPORT.replace("locked memory, ", "").replace("nothing", "locked memory (Cannot allocate memory)")}},
     "Cannot allocate", "LimitMEMLOCK"),
    ({"engine": {"problem": "no engine answers"}}, "no engine", "systemctl start docker"),
    ({"engine": {"limits": ALL | {"memory": False}}}, "ignored", "cgroup_enable=memory"),
    ({"engine": {"limits": ALL | {"pids": False}}}, "ignored", "CONFIG_CGROUP_PIDS"),
    ({"proof": {"problem": "memory: 600 MiB were taken of 512"}}, "600 MiB", "Do not run"),
    ({"database": {"problem": "it is damaged: row 3"}}, "damaged", "raas restore"),
    ({"database": {"schema": 9}}, "newer version", "Update"),
    ({"services": ()}, "", ""),
    ({"camera": {"age_s": 60.0, "said": "The camera at 192.0.2.9 has ended its stream."}}, "no picture", "192.0.2.9"),
    ({"storage": {"free_mb": 100}}, "jobs wait until 200 MiB", "Disk"),
    ({"storage": {"read_only": True}}, "read only", "backup"),
    ({"storage": {"free_files_percent": 1.0}}, "inodes", "Remove"),
    ({"clock": {"now_s": 86_400.0}}, "1970-01-02", "date -s"),
    ({"clock": {"newest_s": NOW_S + 3600}}, "after", "no battery"),
    ({"power": {"throttled": 0x1}}, "under-voltage now", "official supply"),
    ({"network": {"addresses": ()}}, "no address", "Wi-Fi"),
    ({"network": {"answers": None}}, "nothing answers", "webui"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "found", "remedy"), [case for case in FAILURES if case[1]])
def test_a_failure_is_said_with_its_remedy(changed: dict[str, Any], found: str, remedy: str) -> None:
    failures = [finding for finding in wrong(**changed) if finding.verdict is Verdict.FAILED]
    assert any(found in failure.found and remedy in failure.remedy for failure in failures), failures


@pytest.mark.parametrize(
    ("changed", "found", "remedy"),
    [
        ({"settings": {"is_fitted": False}}, "not fitted", "Calibrate"),
        ({"settings": {"robot_left_out": "that file has changed since"}}, "changed since", "Calibrate again"),
        ({"robot": {"version": 71}}, "version 71", "78"),
        ({"robot": {"stopped_by": "anna", "state": "stopped"}}, "latched by anna", "raas resume"),
        ({"robot": {"faults": (("stall", 1),)}}, "seen once", "12 V"),
        ({"robot": {"faults": (("link_slow", 3),)}}, "seen 3 times", "power supply"),
        ({"robot": {"self_tests": (5, 1)}}, "1 of 6 failed", "faults"),
        ({"real_time": {"isolated": ""}}, "core 3 is shared", "isolcpus=3"),
        ({"real_time": {"governor": "ondemand"}}, "ondemand", "performance"),
        ({"engine": {"limits": ALL | {"swap": False}}}, "ignored", "swapaccount=1"),
        ({"engine": {"has_image": False}}, "not there", "make job-image"),
        ({"storage": {"kind": "tmpfs"}}, "in memory", "disk"),
        ({"storage": {"free_mb": 700}}, "700 MiB", "soon"),
        ({"clock": {"synchronized": False}}, "nothing sets it", "set-ntp"),
        ({"power": {"throttled": 0x50000}}, "under-voltage, throttled since", "supply"),
        ({"power": {"celsius": 84.2}}, "84 °C", "Cool"),
        ({"network": {"has_route": False}}, "no default route", "ip route"),
    ],
)
def test_what_could_be_better_fails_nothing(changed: dict[str, Any], found: str, remedy: str) -> None:
    (row,) = wrong(**changed)
    assert row.verdict is Verdict.WARNING
    assert found in row.found
    assert remedy in row.remedy


def test_a_robot_that_drifts_from_its_twin_is_named_and_one_odd_job_is_not() -> None:
    (found,) = wrong(database={"residuals": (0.05, 0.06, 0.05, 0.04, 0.05) + (0.02,) * 10})
    assert (found.verdict, found.check) == (Verdict.WARNING, "twin")
    assert "50 mrad in the newest jobs, 20 mrad before" in found.found
    assert wrong(database={"residuals": (0.3, 0.02, 0.02, 0.02, 0.02) + (0.02,) * 10}) == []
    assert wrong(database={"residuals": (0.3, 0.02)}) == []


def test_a_twin_does_without_real_time_means() -> None:
    rows = wrong(
        settings={"is_real": False}, real_time={"report": "real-time: granted nothing; refused FIFO priority 80 (x)"}
    )
    assert {row.verdict for row in rows} == {Verdict.WARNING, Verdict.UNKNOWN}


def test_a_moving_motors_pins_may_be_high() -> None:
    assert wrong(robot={"motor_pins": (Pin(13, 1, 1), Pin(19, 1, 0)), "state": "armed"}) == []


def test_an_appliance_that_is_off_is_no_failure_of_a_twin() -> None:
    changed = {"settings": {"is_real": False}, "robot": {"runs": False, "version": None, "state": ""}}
    rows = wrong(**changed, network={"answers": None})
    assert {row.verdict for row in rows} == {Verdict.UNKNOWN}


def test_units_that_failed_and_open_secrets_are_named() -> None:
    broken = replace(WELL, services=(Service("raas-runner.service", "failed"),))
    assert any("raas-runner" in row.remedy for row in diagnose(broken).findings if row.verdict is Verdict.FAILED)
    exposed = replace(WELL, rights=(Right("/etc/raas/credentials", 0o40755, 0o077, "the keys"),))
    (row,) = [row for row in diagnose(exposed).findings if row.verdict is Verdict.FAILED]
    assert row.remedy == "chmod 0700 /etc/raas/credentials"


def test_who_may_not_reach_docker_says_so() -> None:
    (row,) = [row for row in diagnose(replace(WELL, engine=None)).findings if row.check == "engine"]
    assert row.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("text", "expected"), [("", set()), ("3", {3}), ("1,3-5", {1, 3, 4, 5}), ("nohz,2\n", {2})])
def test_lists_of_cores_are_read(text: str, expected: set[int]) -> None:
    assert cores(text) == expected


@given(st.integers(0, 2**20 - 1), st.text(max_size=40))
def test_no_word_of_firmware_or_kernel_breaks_it(bits: int, text: str) -> None:
    seen = replace(WELL, power=Power("x", bits, None), real_time=replace(WELL.real_time, report=text, isolated=text))
    diagnosis = diagnose(seen)
    assert all(row.remedy for row in diagnosis.findings if row.verdict in (Verdict.FAILED, Verdict.WARNING))
