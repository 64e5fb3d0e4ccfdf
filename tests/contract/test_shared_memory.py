"""Live ring and segment: what was written is read, and what is torn or missing is dropped, never invented."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.realtime import telemetry
from appliance.realtime.telemetry import (
    HEADER_BYTES,
    LIVE,
    LIVE_SLOTS,
    STEP,
    TICK,
    LiveRecord,
    LiveRing,
    Segment,
    SegmentSize,
    StepRecord,
    TickRecord,
)  # fmt: skip

SESSION = 0xF00D


def live(number: int) -> LiveRecord:
    return LiveRecord(number, 1, 0, SESSION, 0, 0, -number, 0.5, -0.5, 0.0, 0.0, 0, 0, 0, 0, 1000.0, number, 0, 0, 0)


def step(number: int) -> StepRecord:
    return StepRecord(number, 1, 2, 3, -4, 0.5, -0.5, 1.0, 250.0, 0.25, 0, 0)


def tick(number: int) -> TickRecord:
    return TickRecord(number, -4, 0.5, 250.0, 0, 12, 80)


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    path = tmp_path / "segment"
    Segment.create(path, SESSION, SegmentSize(steps=5, ticks=10))
    return path


def test_there_is_no_ring_before_a_loop_has_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LiveRing(tmp_path / "ring")


def test_a_reader_follows_the_ring_around(tmp_path: Path) -> None:
    writer = LiveRing(tmp_path / "ring", create=True)
    reader = LiveRing(tmp_path / "ring")
    assert reader.newest() is None
    for number in range(1, 3 * LIVE_SLOTS):
        writer.append(live(number))
        assert reader.newest() == (number, live(number))
    records = reader.since(3 * LIVE_SLOTS - 10)
    assert [seq for seq, _ in records] == list(range(3 * LIVE_SLOTS - 9, 3 * LIVE_SLOTS))
    assert len(reader.since(0)) >= LIVE_SLOTS - 2


def test_a_new_writer_starts_the_ring_anew_under_the_readers_feet(tmp_path: Path) -> None:
    LiveRing(tmp_path / "ring", create=True).append(live(1))
    reader = LiveRing(tmp_path / "ring")
    writer = LiveRing(tmp_path / "ring", create=True)
    assert reader.newest() is None
    writer.append(live(7))
    assert reader.newest() == (1, live(7))


def test_readers_cant_write(tmp_path: Path) -> None:
    LiveRing(tmp_path / "ring", create=True)
    with pytest.raises(TypeError):
        LiveRing(tmp_path / "ring").append(live(1))


@given(st.integers(0, LIVE.size - 1), st.integers(1, 255))
@settings(max_examples=200)
def test_a_record_with_any_byte_changed_is_dropped(place: int, change: int) -> None:
    buffer = bytearray(LIVE.size)
    LIVE.pack_into(buffer, 0, 5, live(5))
    assert LIVE.unpack_from(bytes(buffer), 0) == (5, live(5))
    buffer[place] ^= change
    assert LIVE.unpack_from(bytes(buffer), 0) is None


def test_the_newest_record_is_the_one_before_a_torn_one(tmp_path: Path) -> None:
    writer = LiveRing(tmp_path / "ring", create=True)
    writer.append(live(1))
    writer.append(live(2))
    content = bytearray((tmp_path / "ring").read_bytes())
    content[HEADER_BYTES + 2 * LIVE.size + 20] ^= 1
    (tmp_path / "ring").write_bytes(content)
    assert LiveRing(tmp_path / "ring").newest() == (1, live(1))


def test_a_segment_keeps_steps_and_ticks_in_order(segment: Path) -> None:
    writer = Segment(segment, writable=True)
    for number in range(3):
        writer.append_step(step(number))
        writer.append_tick(tick(number))
    reader = Segment(segment, writable=False)
    assert reader.session == SESSION
    assert list(reader.steps()) == [step(0), step(1), step(2)]
    assert list(reader.ticks(after=2)) == [tick(2)]


def test_what_doesnt_fit_is_dropped_and_harms_nothing(segment: Path) -> None:
    writer = Segment(segment, writable=True)
    for number in range(100):
        writer.append_step(step(number))
        writer.append_tick(tick(number))
    reader = Segment(segment, writable=False)
    assert list(reader.steps()) == [step(number) for number in range(5)]
    assert list(reader.ticks()) == [tick(number) for number in range(10)]


@pytest.mark.parametrize(("layout", "start"), [(STEP, HEADER_BYTES), (TICK, HEADER_BYTES + 5 * STEP.size)])
def test_reading_stops_at_a_torn_record(segment: Path, layout: telemetry.Layout[StepRecord], start: int) -> None:
    writer = Segment(segment, writable=True)
    for number in range(4):
        writer.append_step(step(number))
        writer.append_tick(tick(number))
    with segment.open("r+b") as file:
        file.seek(start + 2 * layout.size + layout.size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 255]))
    reader = Segment(segment, writable=False)
    assert sorted([len(list(reader.steps())), len(list(reader.ticks()))]) == [2, 4]


def test_a_segment_is_made_once_allocated_whole_and_for_the_group_alone(segment: Path) -> None:
    status = segment.stat()
    assert status.st_blocks * 512 >= status.st_size == SegmentSize(5, 10).bytes
    assert stat.S_IMODE(status.st_mode) & 0o007 == 0
    with pytest.raises(FileExistsError):
        Segment.create(segment, SESSION, SegmentSize(1, 1))


@pytest.mark.parametrize("content", [b"\0" * HEADER_BYTES, b"RAASSEG1" + b"\xff" * HEADER_BYTES, os.urandom(9000)])
def test_another_file_is_no_segment(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="not a session's segment"):
        Segment(tmp_path / "file", writable=False)


def test_a_segment_holds_the_whole_time_limit_at_every_rate() -> None:
    for limit_s, rate_hz in ((120.0, 1000), (600.0, 2000), (1.0, 100)):
        size = SegmentSize.for_limit(limit_s, rate_hz, 0.05)
        assert size.ticks > limit_s * rate_hz
        assert size.steps > limit_s / 0.05
