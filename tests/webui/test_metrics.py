"""What Prometheus is told."""

from __future__ import annotations

import re
import time

from appliance.jobs import State
from appliance.realtime.control import Reply
from appliance.realtime.telemetry import Fault
from tests.patience import eventually
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[a-z_]+"\})? -?[0-9.e+-]+')


def test_loop_queue_and_disk_are_told_in_prometheus_format(stage: Stage, web: WebProcess) -> None:
    stage.queued("waits")
    answer = call(web.port, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in lines)
    for line in (
        'raas_jobs{state="queued"} 1.0',
        "raas_loop_rate_hertz 1000.0",
        "raas_loop_worst_tick_seconds 0.000212",
    ):
        assert line in lines
    assert any(line.startswith("raas_disk_free_bytes ") for line in lines)


def test_every_fault_and_self_test_is_told_with_its_count(stage: Stage, web: WebProcess) -> None:
    stage.guard.reply = Reply(faults={"stall": 2, "link_lost": 1}, self_tests_passed=7, self_tests_failed=1)

    def told() -> set[str]:
        return set(call(web.port, "GET", "/metrics").body.decode().splitlines())

    eventually(lambda: 'raas_robot_faults_total{fault="stall"} 2.0' in told(), what="the guard's counts")
    lines = told()
    for fault in set(Fault) - {Fault.NONE, Fault.STALL, Fault.LINK_LOST}:
        assert f'raas_robot_faults_total{{fault="{fault.name.lower()}"}} 0.0' in lines
    assert {
        "# TYPE raas_robot_faults_total counter",
        'raas_robot_self_tests_total{result="passed"} 7.0',
        'raas_robot_self_tests_total{result="failed"} 1.0',
    } <= lines


def test_a_robot_that_drifts_from_its_twin_is_told(stage: Stage, web: WebProcess) -> None:
    def told() -> set[str]:
        return set(call(web.port, "GET", "/metrics").body.decode().splitlines())

    assert not any("raas_twin" in line for line in told())
    for error_rad in (0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.05, 0.05, 0.05, 0.05):
        job = stage.running("swings")
        stage.store.move(job.id, State.COLLECTING, time.time())
        stage.store.move(job.id, State.SUCCEEDED, time.time(), ended_at=time.time(), residual=error_rad)
    assert {
        'raas_twin_error_radians{jobs="newest"} 0.05',
        'raas_twin_error_radians{jobs="before"} 0.02',
        "raas_twin_drifts 1.0",
    } <= told()


def test_a_dead_loop_is_told_as_one(stage: Stage, web: WebProcess) -> None:
    stage.robot.close()
    call(web.port, "GET", "/api/robot")
    eventually(lambda: 'raas_robot_state{state="offline"} 1.0' in call(web.port, "GET", "/metrics").body.decode())
