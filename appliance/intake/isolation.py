"""How does the appliance let git and unpackers loose on what strangers send? In a child that has nothing to lose.

What holds at each level (the best one that this machine permits is found once, by trying; `level()` says which):

    what is cut off            root                          user (namespaces)            limits (no namespaces)
    -------------------------  ----------------------------  ---------------------------  ------------------------
    user id                    fetch.uid, throw-away         the appliance's, mapped      fetch.uid if root
    host's files               own root: /usr and devices    the same                     by permission only
                               null, zero, urandom, read-
                               only; for archives nothing
    writing                    one tmpfs, bytes and inodes   the same                     a watched folder, RLIMIT
    network                    empty; git reaches one        the same                     git is told to use the
                               checked address by a relay                                 relay; nothing forces it
    other processes            own PID and IPC namespace     the same                     by permission only
    capabilities, set-uid      none, no_new_privs            the same                     the same
    memory, CPU, files         prlimit and a deadline        the same (not per user)      the same
    end                        the kernel kills all          the same                     the process group is killed

A container would cut off no more and costs a hundred times as much to start (400 ms against 5), and the door through
which git leaves would still be needed. There is no system-call filter: the child runs Debian's git and zlib.

The child is a fresh Python, because forking a program with threads is unsafe. One may be started before there is
anything to do (`ahead`): it waits for its order, and has touched nothing of a stranger's until then. What comes back is
a folder, as a descriptor (the mount that it lies in is seen by nobody), and a few words; both are hostile. See `tree`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from appliance.errors import BadSource, Cancelled, IsolationError
from appliance.intake import tree
from appliance.intake.confined import PACKET_BYTES
from appliance.intake.namespaces import SCRATCH, Limits

Level = Literal["root", "user", "limits"]
_log = logging.getLogger(__name__)
_PACKAGE_ROOT: Final = str(Path(__file__).resolve().parents[2])
_POLL_S: Final = 0.05
_WATCH_EVERY: Final = 4  # polls between two looks at a folder that no kernel caps
_ENDING_S: Final = 5.0
_WORDS_BYTES: Final = 8192


@dataclass(frozen=True)
class Room:
    """What a child sees and may do: host folders shown read-only, files copied in, and one server (`egress.Wanted`)."""

    uid: int
    limits: Limits
    show: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    egress: dict[str, Any] | None = None
    stdin: int = -1


@dataclass(frozen=True)
class Child:
    """A child that waits for its order, and our end of its channel."""

    task: str
    process: subprocess.Popen[bytes]
    channel: socket.socket

    @property
    def is_sound(self) -> bool:
        """Whether it still waits."""
        return self.process.poll() is None

    def end(self) -> None:
        """Leave nothing of it; idempotent."""
        if self.process.stderr is not None and not self.process.stderr.closed:
            _end(self, Outcome())
        self.channel.close()


@dataclass
class Outcome:
    """What came of a task. `out_of`: bytes, space, memory or time; `network`: why no connection was made.

    `answer` and `refused` were said by the child: text to be shown, nothing to be relied upon.
    """

    scratch: int = -1
    answer: dict[str, Any] | None = None
    refused: str = ""
    out_of: str = ""
    network: str = ""
    died: str = ""
    cannot: str = ""
    stage: str = ""
    words: str = ""


@functools.cache
def level() -> Level:
    """The best level that works here, found by trying; a second call costs nothing. Raises IsolationError."""
    choices: tuple[Level, ...] = ("root", "user") if os.geteuid() == 0 else ("user",)
    room = Room(uid=65534, limits=Limits(seconds=10, scratch_bytes=1 << 20, scratch_files=64))
    for choice in choices:
        with run("appliance.intake.trial", {}, room, at=choice) as outcome:
            if outcome.answer is not None:
                _log.info("strangers' sources are handled at isolation level %s", choice)
                return choice
            if outcome.out_of:  # too busy to tell: better later than at a lower level
                raise IsolationError(
                    "No confined child could be made in time. Try again when the machine is less busy."
                )
            _log.info("isolation level %s isn't possible here: %s", choice, outcome.cannot or outcome.words)
    _log.warning("strangers' sources are handled without namespaces: run as root, or permit user namespaces")
    return "limits"


@contextlib.contextmanager
def run(
    task: str,
    order: dict[str, Any],
    room: Room,
    cancelled: Callable[[], bool] = lambda: False,
    at: Level | None = None,
    child: Child | None = None,
) -> Iterator[Outcome]:
    """Run the module `task` in a confined child and yield what came of it; the scratch folder lasts as long.

    `child`: one of this task's that was started before; it is used up whatever happens. Raises BadSource with the child's
    own words if it refused, Cancelled, and IsolationError if no worker could begin.
    """
    with contextlib.ExitStack() as stack:
        child = child or start(task)
        stack.callback(child.end)
        chosen: Level = at or level()
        folder = stack.enter_context(_watched_folder(room.uid)) if chosen == "limits" else ""
        outcome = Outcome()
        stack.callback(_close, outcome)
        try:
            words = json.dumps({**order, **_described(room), "level": chosen, "folder": folder}).encode()
            socket.send_fds(child.channel, [words], [room.stdin] if room.stdin >= 0 else [])
            _listen(child.channel, outcome, room.limits, cancelled, folder)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it died before it had read its order; what it said on stderr tells why
        finally:
            _end(child, outcome)
        if outcome.refused:
            raise BadSource(outcome.refused)
        if outcome.scratch < 0 and not outcome.out_of and not at:
            raise IsolationError(f"No confined child could be made for {task}. {outcome.cannot or outcome.words}")
        if outcome.words:
            _log.warning("the worker of %s broke: %s", task, outcome.words)
        if outcome.answer is None and not (outcome.out_of or outcome.died):
            # It began, so the submission may well have done this: to try again would let it block the queue.
            outcome.died = "an unexpected error"
        yield outcome


def inside(folder: int, name: str) -> int:
    """A descriptor of the folder `name` in a folder that a worker filled. Raises BadSource if there is none."""
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise BadSource("What was unpacked isn't there. Submit an ordinary archive or repository.") from error


def _described(room: Room) -> dict[str, Any]:
    return {
        "uid": room.uid,
        "limits": asdict(room.limits),
        "show": room.show,
        "files": room.files,
        "egress": room.egress,
    }


def start(task: str) -> Child:
    """Start a child; it dies with the thread that calls this."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-s", "-S", "-P", "-m", task, str(theirs.fileno()), str(os.getpid())]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            env={"PYTHONPATH": _PACKAGE_ROOT, "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
    return Child(task, process, ours)


def _listen(
    channel: socket.socket, outcome: Outcome, limits: Limits, cancelled: Callable[[], bool], folder: str
) -> None:
    """Collect packets until the child closes the channel, runs out of time, fills its folder, or is cancelled."""
    deadline_s = time.monotonic() + limits.seconds
    polls = 0
    while True:
        if cancelled():
            raise Cancelled("The job was cancelled while its source was prepared.")
        if time.monotonic() > deadline_s:
            outcome.out_of = "time"
            return
        polls += 1
        if folder and polls % _WATCH_EVERY == 0 and _is_over(folder, limits):
            outcome.out_of = "space"
            return
        if select.select([channel], [], [], _POLL_S)[0] and not _take(channel, outcome):
            return


def _take(channel: socket.socket, outcome: Outcome) -> bool:
    """Read one packet into `outcome`; False at the end. Only the first descriptor is kept, and only one."""
    if outcome.scratch < 0:
        packet, descriptors, _, _ = socket.recv_fds(channel, PACKET_BYTES, 1)
        if descriptors:
            outcome.scratch = descriptors[0]
    else:
        packet = channel.recv(PACKET_BYTES)
    if not packet:
        return False
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(packet)
        for key in ("refused", "out_of", "network", "died", "cannot", "stage"):
            if (
                isinstance(said, dict)
                and isinstance(said.get(key), str)
                and (key == "stage" or not getattr(outcome, key))
            ):
                setattr(outcome, key, tree.plain(said[key], 2000, lines=True))
        if isinstance(said, dict) and isinstance(said.get("answer"), dict):
            outcome.answer = said["answer"]
    return True


def _end(child: Child, outcome: Outcome) -> None:
    """Kill what is left of the child and wait until nobody of its family holds the channel any more."""
    process, channel = child.process, child.channel
    if process.returncode is None:  # else its number may be another one's by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    channel.settimeout(_ENDING_S)
    with contextlib.suppress(OSError):
        while channel.recv(PACKET_BYTES):
            pass
    assert process.stderr is not None
    with process.stderr as said:
        os.set_blocking(said.fileno(), False)
        outcome.words = tree.plain((said.read(_WORDS_BYTES) or b"").decode(errors="replace"), _WORDS_BYTES, lines=True)


def _close(outcome: Outcome) -> None:
    if outcome.scratch >= 0:
        os.close(outcome.scratch)


@contextlib.contextmanager
def _watched_folder(uid: int) -> Iterator[str]:
    """A folder on disk for machines where no tmpfs can be mounted. Only a killed appliance leaves one behind."""
    folder = tempfile.mkdtemp(prefix="raas-scratch-")
    try:
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):  # then the child can't change its user either
                os.chown(folder, uid, uid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_over(folder: str, limits: Limits) -> bool:
    files = size = 0
    for base, folders, names in os.walk(folder):
        files += len(folders) + len(names)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(base, name)).st_size
        if files > limits.scratch_files or size > limits.scratch_bytes:
            return True
    return False


__all__ = ["SCRATCH", "Child", "Level", "Limits", "Outcome", "Room", "inside", "level", "run", "start"]
