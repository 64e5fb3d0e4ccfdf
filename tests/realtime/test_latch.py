from __future__ import annotations

from pathlib import Path

import pytest

from appliance.realtime.latch import LatchedStop, retirement_latch, stop_latch

STOP = LatchedStop(who="owner", why="smoke", at=1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "estop" / "latched"


def test_a_stop_is_read_back_by_whoever_comes_later(path: Path) -> None:
    assert stop_latch(path).read() is None
    stop_latch(path).set(STOP)
    assert stop_latch(path).read() == STOP


def test_a_cleared_stop_is_gone_and_clearing_twice_is_no_error(path: Path) -> None:
    latch = stop_latch(path)
    latch.clear()
    latch.set(STOP)
    latch.clear()
    latch.clear()
    assert stop_latch(path).read() is None


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 64, b"{}", b'{"who":"x","why":"y","at":"z"}', b"\xff\xfe", b'{"who":"\xff"}']
)
def test_a_file_that_makes_no_sense_is_a_stop(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    stop = stop_latch(path).read()
    assert stop is not None
    assert "can't be read" in stop.why


def test_a_folder_where_the_file_should_be_is_a_stop(path: Path) -> None:
    path.mkdir(parents=True)
    assert stop_latch(path).read() is not None


def test_a_link_planted_in_the_way_is_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.parent.mkdir()
    path.with_name("latched.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        stop_latch(path).set(STOP)
    assert victim.read_text() == "precious"


def test_a_robot_out_of_service_stays_so_when_its_file_makes_no_sense(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"{")
    retirement = retirement_latch(path).read()
    assert retirement is not None
    assert "can't be read" in retirement.why
