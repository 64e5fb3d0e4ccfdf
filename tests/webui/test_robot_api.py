"""Looking at the robot, stopping and resuming it; health."""

from __future__ import annotations

import msgspec
import pytest

from appliance.realtime.control import Resume, Stop
from appliance.shapes import Health, Motion, RobotView
from tests.patience import eventually
from tests.webui.http_calls import Answer, call, post_json
from tests.webui.stage import Stage, WebProcess


def robot(web: WebProcess) -> RobotView:
    return msgspec.json.decode(call(web.port, "GET", "/api/robot").body, type=RobotView)


def test_the_robot_is_seen_moving_and_says_who_drives(stage: Stage, web: WebProcess) -> None:
    assert robot(web).sentence == "Idle: the motor is off and no job waits."
    job = stage.running("LQR")
    seen = eventually(lambda: (view := robot(web)).job_id == job.id and view.state == "running" and view)
    assert seen.sentence == "“LQR” is driving."
    assert (seen.rate_hz, seen.target_rate_hz, seen.worst_tick_us) == (1000.0, 1000, 212)
    assert eventually(lambda: robot(web).angle_rad != seen.angle_rad)
    assert 0.0 <= robot(web).age_s < 1.0


def test_the_last_seconds_come_in_columns(stage: Stage, web: WebProcess) -> None:
    stage.running("swing")

    def long_enough() -> Motion | None:
        motion = msgspec.json.decode(call(web.port, "GET", "/api/robot/motion").body, type=Motion)
        return motion if len(motion.t_s) > 10 else None

    motion = eventually(long_enough)
    assert len({len(motion.t_s), len(motion.angle_rad), len(motion.velocity_rad_s), len(motion.action)}) == 1
    assert motion.t_s == sorted(motion.t_s)


def test_stop_reaches_the_guard_with_who_and_why(stage: Stage, web: WebProcess) -> None:
    view = post_json(web.port, "/api/robot/stop", {"why": "smoke"}, Cookie="raas_name=anna").json
    assert stage.guard.asked == [Stop(who="anna@127.0.0.1", why="smoke")]
    assert (view["stopped"], view["state"], view["stop_why"]) == (True, "stopped", "smoke")
    assert view["sentence"] == "Emergency stop by anna@127.0.0.1: smoke. The motor stays off until somebody resumes it."


@pytest.mark.parametrize("body", [None, b"", b"nonsense", b'{"why": 7}', b"[]", b" " * 100_000])
def test_stop_stops_whatever_the_body_says(stage: Stage, web: WebProcess, body: bytes | None) -> None:
    assert call(web.port, "POST", "/api/robot/stop", body).json["stopped"]
    assert len(stage.guard.asked) == 1


def test_resume_clears_the_stop(stage: Stage, web: WebProcess) -> None:
    post_json(web.port, "/api/robot/stop", {})
    assert post_json(web.port, "/api/robot/resume", {}).status == 200
    assert stage.guard.asked[-1] == Resume(who="anonymous@127.0.0.1")
    eventually(lambda: not robot(web).stopped)


def test_the_form_of_a_page_without_scripts_stops_and_resumes(stage: Stage, web: WebProcess) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = call(web.port, "POST", "/stop", b"", form)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert b"Emergency stop by" in call(web.port, "GET", "/").body
    call(web.port, "POST", "/resume", b"", form)
    assert [type(request) for request in stage.guard.asked] == [Stop, Resume]


def test_a_stop_that_gets_nowhere_says_what_to_do(stage: Stage, web: WebProcess) -> None:
    stage.paths.control("stop").unlink()
    answer = post_json(web.port, "/api/robot/stop", {})
    assert answer.status == 503
    assert "raas-realtime" in answer.json["message"]
    assert "cut the motor's power" in answer.json["message"]


def test_a_guard_that_hangs_holds_up_nobody_else(stage: Stage, web: WebProcess) -> None:
    stage.guard.hang.set()
    try:
        assert post_json(web.port, "/api/robot/stop", {}).status == 503
        assert call(web.port, "GET", "/api/robot").status == 200
    finally:
        stage.guard.hang.clear()


def health(answer: Answer) -> Health:
    return msgspec.json.decode(answer.body, type=Health)


def test_health_is_ok_when_every_part_is(stage: Stage, web: WebProcess) -> None:
    eventually(lambda: health(call(web.port, "GET", "/healthz")).ok)
    assert call(web.port, "GET", "/healthz").status == 200


def test_health_names_the_part_that_is_missing(stage: Stage, web: WebProcess) -> None:
    stage.robot.close()
    ill = eventually(lambda: (found := health(call(web.port, "GET", "/healthz"))).parts["realtime"] != "ok" and found)
    assert "motor loop" in ill.parts["realtime"]
    stage.store.set_fact("runner_heartbeat", "1000.0", 1000.0)
    answer = call(web.port, "GET", "/healthz")
    assert answer.status == 503
    assert "Is raas-runner running?" in health(answer).parts["runner"]


def test_a_loop_that_comes_back_is_seen_again(stage: Stage, web: WebProcess) -> None:
    stage.robot.close()
    eventually(lambda: robot(web).state == "offline")
    stage.robot = type(stage.robot)(stage.paths, stage.guard)
    stage.robot.start()
    eventually(lambda: robot(web).state == "disarmed")
