"""A run as a GIF: what is in it, what it weighs, when it is drawn, and that a job never waits for it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from appliance import config as configuration
from appliance.errands import book, course, film
from appliance.errands.artist import Artist
from appliance.errands.book import Book
from appliance.errands.course import NoCourse
from appliance.errands.workers import Workers
from appliance.jobs import State
from appliance.shapes import Result
from appliance.store import Store
from tests.patience import eventually
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

BLUE = (10, 108, 140)


def result(times: list[float], angles: list[float]) -> Result:
    obs = [(math.cos(angle), math.sin(angle), 0.0) for angle in angles]
    return Result(times=times, obs=obs, actions=[0.0] * len(times), costs=[], stdout="", failed=False)


def bob(path: Path, frame: int) -> tuple[float, float]:
    """Where the bob is in a frame, from the dial's centre, up and left being positive."""
    with Image.open(path) as animation:
        animation.seek(frame)
        dial = animation.convert("RGB").crop((0, 0, 360, 340))
    found = [
        (x, y) for x in range(0, 360, 2) for y in range(0, 340, 2)
        if max(abs(a - b) for a, b in zip(dial.getpixel((x, y)), BLUE, strict=True)) < 12  # type: ignore[arg-type]
    ]  # fmt: skip
    assert found
    return 180 - sum(x for x, _ in found) / len(found), 170 - sum(y for _, y in found) / len(found)


def test_the_gif_shows_the_pendulum_where_it_was(tmp_path: Path) -> None:
    turning = [math.pi, math.pi, math.pi / 2, math.pi / 2, 0.0, 0.0]
    film.write(result([0.05, 0.5, 1.0, 1.5, 2.0, 2.5], turning), tmp_path / "run.gif")
    for frame, (left, up) in {4: (0, -110), 24: (110, 0), 44: (0, 110)}.items():
        x, y = bob(tmp_path / "run.gif", frame)
        assert abs(x - left) < 12, frame
        assert abs(y - up) < 12, frame
    with Image.open(tmp_path / "run.gif") as animation:
        assert animation.info["loop"] == 0
        animation.seek(getattr(animation, "n_frames", 1) - 1)


@pytest.mark.slow
def test_two_minutes_of_turning_about_stay_light(tmp_path: Path) -> None:
    times = [0.05 * (step + 1) for step in range(2400)]
    film.write(
        result(times, [math.pi + 6 * math.sin(t * 1.7) + 2 * math.sin(t * 5.1) for t in times]), tmp_path / "x.gif"
    )
    assert (tmp_path / "x.gif").stat().st_size <= film.MOST_BYTES


@pytest.mark.parametrize(
    "bad",
    [
        result([], []),
        result([0.1, 0.1], [0.0, 0.0]),
        result([1e9], [0.0]),
        result([0.1], [math.nan]),
        Result(times=[0.1], obs=[(1.0, 0.0)], actions=[0.0], costs=[], stdout="", failed=False),
        Result(times=[0.1, 0.2], obs=[(1.0, 0.0, 0.0)], actions=[0.0], costs=[], stdout="", failed=False),
    ],
)
def test_what_is_no_run_is_refused_with_a_reason(bad: Result, tmp_path: Path) -> None:
    with pytest.raises(NoCourse, match="draw"):
        film.write(bad, tmp_path / "run.gif")


@settings(max_examples=30, deadline=None)
@given(
    some.lists(some.tuples(some.floats(0.01, 2.0), some.floats(-20, 20)), min_size=1, max_size=20), some.floats(-5, 60)
)
def test_a_course_goes_through_its_samples_and_has_a_state_at_any_time(
    steps: list[tuple[float, float]], t_s: float
) -> None:
    times = [sum(span for span, _ in steps[: number + 1]) for number in range(len(steps))]
    run = course.of(result(times, [angle for _, angle in steps]))
    assert math.isfinite(run.at(t_s).angle_rad)
    for time_s, (_, angle) in zip(times, steps, strict=True):
        assert math.cos(run.at(time_s).angle_rad) == pytest.approx(math.cos(angle), abs=1e-6)


# --- asked for, and when ------------------------------------------------------------------------------------


@pytest.fixture
def worked() -> Iterator[tuple[Stage, WebProcess]]:
    with set_stage() as stage, stage.serve() as web:
        stopping = threading.Event()
        threads = Workers(stage.paths, configuration.load(stage.paths.config), stopping).start()
        yield stage, web
        stopping.set()
        for thread in threads:
            thread.join()


def state(web: WebProcess, job_id: str) -> str:
    return str(call(web.port, "GET", f"/api/jobs/{job_id}/animation").json["state"])


def test_a_gif_that_was_asked_for_is_at_its_link(worked: tuple[Stage, WebProcess]) -> None:
    stage, web = worked
    job = stage.finish(stage.running("swings"), steps=20)
    assert state(web, job.id) == "none"
    assert call(web.port, "GET", f"/jobs/{job.id}/run.gif").status == 404
    assert call(web.port, "POST", f"/api/jobs/{job.id}/animation").status == 202
    eventually(lambda: state(web, job.id) == "ready", 120, what="the GIF")
    answer = call(web.port, "GET", f"/jobs/{job.id}/run.gif")
    assert answer.headers["content-type"] == "image/gif"
    assert answer.body.startswith(b"GIF89a")
    assert call(web.port, "POST", f"/api/jobs/{job.id}/animation").json["state"] == "ready"


def test_nothing_is_drawn_while_a_job_has_the_robot_and_it_says_so(worked: tuple[Stage, WebProcess]) -> None:
    stage, web = worked
    done = stage.finish(stage.running("first"), steps=20)
    stage.running("second")
    answer = call(web.port, "POST", f"/api/jobs/{done.id}/animation").json
    assert (answer["state"], answer["sentence"]) == ("waiting", "It will be ready when the robot is idle.")
    time.sleep(0.3)
    assert state(web, done.id) == "waiting"


def test_a_drawing_makes_way_for_a_job_and_waits_again() -> None:
    with set_stage() as stage:
        done = stage.finish(stage.running("long"), steps=2400)
        opened, store = Book(stage.paths.database), Store(stage.paths.database)
        opened.ask(book.DRAW, done.id, time.time(), 0.0, 5)
        artist = Artist(stage.paths, configuration.Config().storage, store, lambda: False)
        job = stage.queued("next")
        threading.Timer(1.0, _prepare, (stage.paths.database, job.id)).start()
        begun_s = time.monotonic()
        assert not artist.turn(opened)
        assert time.monotonic() - begun_s < 30
        errand = opened.find(book.DRAW, done.id)
        assert errand is not None
        assert (errand.begun_at, errand.done_at) == (None, None)
        assert not list(stage.paths.job(done.id).glob("run*"))
        store.close()
        opened.close()


def _prepare(database: Path, job_id: str) -> None:
    rows = Store(database)
    for following in (State.PREPARING, State.WAITING_FOR_ROBOT):
        rows.move(job_id, following, time.time())
    rows.close()


def test_old_drawings_make_room_for_new_ones() -> None:
    with set_stage() as stage:
        stage.store.set_fact("x", "y", time.time())
        old = stage.finish(stage.running("old"), steps=5)
        stage.paths.animation(old.id).write_bytes(bytes(2 << 20))
        new = stage.finish(stage.running("new"), steps=5)
        opened, store = Book(stage.paths.database), Store(stage.paths.database)
        opened.ask(book.DRAW, new.id, time.time(), 0.0, 5)
        storage = configuration.parse("storage: {animations_mb: 1}", "test").storage
        assert Artist(stage.paths, storage, store, lambda: False).turn(opened)
        assert stage.paths.animation(new.id).exists()
        assert not stage.paths.animation(old.id).exists()
        store.close()
        opened.close()


@pytest.mark.parametrize("subject", ["../../etc", "01ARZ3NDEKTSV4RRFFQ69G5FAV", ""])
def test_a_strangers_row_draws_nothing(subject: str) -> None:
    with set_stage() as stage:
        opened, store = Book(stage.paths.database), Store(stage.paths.database)
        opened.ask(book.DRAW, subject, time.time(), 0.0, 5)
        assert Artist(stage.paths, configuration.Config().storage, store, lambda: False).turn(opened)
        errand = opened.find(book.DRAW, subject)
        assert errand is not None
        assert '"ok":false' in errand.answer
        store.close()
        opened.close()


def test_another_kind_of_robot_is_not_drawn_as_a_pendulum() -> None:
    with set_stage() as stage:
        job = stage.finish(stage.running("rolls"), steps=5)
        report = stage.paths.attempt(job.id, 1) / "report.json"
        report.write_text(report.read_text().replace('"robot_kind":"pendulum"', '"robot_kind":"cart"'))
        opened, store = Book(stage.paths.database), Store(stage.paths.database)
        opened.ask(book.DRAW, job.id, time.time(), 0.0, 5)
        assert Artist(stage.paths, configuration.Config().storage, store, lambda: False).turn(opened)
        errand = opened.find(book.DRAW, job.id)
        assert errand is not None
        assert "Only a pendulum's runs are drawn" in errand.answer
        store.close()
        opened.close()


def test_a_run_without_data_cant_be_asked_for() -> None:
    with set_stage() as stage, stage.serve() as web:
        job = stage.running("still runs")
        assert call(web.port, "POST", f"/api/jobs/{job.id}/animation").status == 409
