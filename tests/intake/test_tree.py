"""The walker that takes over what a confined child has written, and text for people."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadSource
from appliance.intake import tree
from appliance.intake.tree import Budget


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "run.py").write_text("x")
    return folder


def copied(source: Path, max_bytes: int = 1 << 20, max_files: int = 50) -> Path:
    target = source.parent / "target"
    descriptor = os.open(source, os.O_RDONLY)
    try:
        tree.copy(descriptor, target, Budget(max_bytes, max_files))
    finally:
        os.close(descriptor)
    return target


def refusal(source: Path, **limits: int) -> str:
    with pytest.raises(BadSource) as refused:
        copied(source, **limits)
    return str(refused.value)


def test_files_and_folders_are_copied_with_modes_of_our_own(source: Path) -> None:
    (source / "a" / "b").mkdir(parents=True, mode=0o700)
    (source / "a" / "tool").write_text("#!/bin/sh")
    (source / "a" / "tool").chmod(0o6711)
    (source / "a" / "closed").write_bytes(bytes(3 << 18))
    (source / "a" / "closed").chmod(0o400)
    target = copied(source)
    modes = {str(path.relative_to(target)): oct(path.stat().st_mode & 0o7777) for path in target.rglob("*")}
    assert modes == {"run.py": "0o644", "a": "0o755", "a/b": "0o755", "a/tool": "0o755", "a/closed": "0o644"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert (target / "a" / "closed").read_bytes() == bytes(3 << 18)


@pytest.mark.parametrize("kind", ["file link", "folder link", "dangling link", "hard link", "fifo", "socket"])
def test_nothing_is_followed_or_waited_for(
    source: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("owner's")
    odd = source / "odd"
    match kind:
        case "file link":
            odd.symlink_to(secret / "key")
        case "folder link":
            odd.symlink_to(secret, target_is_directory=True)
        case "dangling link":
            odd.symlink_to("nowhere")
        case "hard link":
            odd.hardlink_to(secret / "key")
        case "fifo":
            os.mkfifo(odd)
        case "socket":
            monkeypatch.chdir(source)  # a socket's path may not be long
            socket.socket(socket.AF_UNIX).bind("odd")
    assert "“odd”" in refusal(source)


def test_sizes_and_counts_are_capped(source: Path) -> None:
    (source / "big").write_bytes(bytes(2 << 20))
    assert "larger than 1 MiB" in refusal(source)


def test_many_files_are_too_many(source: Path) -> None:
    for number in range(60):
        (source / f"f{number}").touch()
    assert "more than 50 files" in refusal(source)


def test_deep_nesting_ends(source: Path) -> None:
    (source / "/".join("d" * 80)).mkdir(parents=True)
    assert "nested deeper" in refusal(source, max_files=100)


@pytest.mark.parametrize("name", [b"a\x1bb", b"a\nb", b"\xff", b"a\\b", "a\u202eb".encode()])
def test_odd_names_are_refused_and_shown_harmlessly(source: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/" + name)).touch()
    message = refusal(source)
    assert "Rename it" in message
    assert not set("\x1b\n\u202e\udcff") & set(message)


@given(st.text(), st.integers(1, 50))
def test_plain_text_is_short_and_can_paint_nothing(text: str, longest: int) -> None:
    shown = tree.plain(text, longest, lines=True)
    assert len(shown) <= longest
    assert all(
        character == "\n" or character.isprintable() or character.isspace() or ord(character) > 0x7F
        for character in shown
    )
    shown.encode()
