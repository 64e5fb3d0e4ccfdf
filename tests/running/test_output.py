"""What is kept of a job's output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.running import output
from appliance.running.attach import Frames
from appliance.running.output import Capture, Printed

LIMIT_BYTES = 1000


@given(st.lists(st.binary(max_size=400), max_size=30))
def test_output_that_fits_is_kept_byte_for_byte_and_a_flood_keeps_head_and_tail(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("output") / "output.log"
    whole = b"".join(chunks)
    with Capture(path, LIMIT_BYTES) as capture:
        for chunk in chunks:
            capture.feed(chunk)
        printed = capture.finish()
    kept = path.read_bytes()
    assert printed.total_bytes == len(whole)
    assert printed.dropped_bytes == max(0, len(whole) - LIMIT_BYTES)
    if len(whole) <= LIMIT_BYTES:
        assert kept == whole
    else:
        assert kept.startswith(whole[:750])
        assert kept.endswith(whole[-250:])
        assert f"[{printed.dropped_bytes} bytes of output are left out here]".encode() in kept


def test_a_line_is_in_the_file_when_feed_returns(tmp_path: Path) -> None:
    with Capture(tmp_path / "o", LIMIT_BYTES) as capture:
        capture.feed(b"one\n")
        assert (tmp_path / "o").read_bytes() == b"one\n"


def test_a_flood_leaves_a_notice_at_once_and_never_changes_what_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "o"
    with Capture(path, LIMIT_BYTES) as capture:
        capture.feed(b"x" * 5000)
        shown = path.read_bytes()
        assert b"only its last" in shown
        capture.feed(b"y" * 10_000_000)
        assert path.read_bytes() == shown
        assert capture.finish() == Printed(10_005_000, 10_004_000)
    assert path.read_bytes().startswith(shown)
    assert path.stat().st_size < 2 * LIMIT_BYTES


def test_a_full_disk_loses_the_tail_only(tmp_path: Path) -> None:
    with Capture(Path("/dev/full"), LIMIT_BYTES) as capture:
        with pytest.raises(OSError, match="No space"):
            capture.feed(b"x" * 10)
        assert capture.finish().total_bytes == 10


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", ""),
        (b"a\nValueError: x\n\n  \n", "ValueError: x"),
        (b"\x1b[31mred\xff\n", "[31mred�"),
        (b"y" * 9000, "y" * 300),
    ],
)
def test_the_last_line_is_fit_for_people(tmp_path: Path, content: bytes, line: str) -> None:
    (tmp_path / "o").write_bytes(content)
    assert output.last_line(tmp_path / "o") == line


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)), max_size=20), st.integers(1, 60))
def test_frames_are_taken_apart_wherever_the_stream_is_cut(frames: list[tuple[int, bytes]], size: int) -> None:
    stream = b"".join(bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data for kind, data in frames)
    reader = Frames()
    got = b"".join(reader.feed(stream[at : at + size]) for at in range(0, len(stream), size))
    assert got == b"".join(data for _, data in frames)
