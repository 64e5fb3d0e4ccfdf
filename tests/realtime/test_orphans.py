"""A child of the guard that starts after the guard has died: it must not drive a motor that nobody guards."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

CHILDREN = {"loop": ("--gateway-fd", "--guard-fd"), "gateway": ("--loop-fd", "--guard-fd")}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_whose_guard_is_gone_ends_at_once(name: str, tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    ends = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
    (tmp_path / "raas.yaml").write_text("")
    command = [
        sys.executable,
        "-m",
        f"appliance.realtime.{name}",
        "--data",
        tmp_path,
        "--config",
        tmp_path / "raas.yaml",
    ]
    command += ["--runtime-root", tmp_path / "run", "--link", "127.0.0.1:9", "--parent", str(gone.pid)]
    for option, (ours, _) in zip(CHILDREN[name], ends, strict=True):
        command += [option, str(ours.fileno())]
    done = subprocess.run(command, pass_fds=[ours.fileno() for ours, _ in ends], timeout=60, capture_output=True)
    assert done.returncode == 0, done.stderr
    for pair in ends:
        for end in pair:
            end.close()
