"""The table of bad input: what is submitted, how it must end, and what must be gone afterwards.

Data only. A runner over the whole appliance submits each row, waits for the final state, matches `message` against the
job's detail (or the answer to the submission), and asks the host whether everything in `gone` is gone.
Rows with `default_config` run on an appliance whose fetch section is empty; all others on one with `CONFIG`.
"""

from __future__ import annotations

import enum
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.jobs import Reason, State
from tests.servers.git_server import GitServer, git, publish

#: Short limits, so that each row takes seconds.
CONFIG = """
job: {limit_s: 6, grace_s: 1, memory_mb: 128, pids: 32, output_kb: 64}
fetch: {allow_http: true, allow_private: true, timeout_s: 12, max_mb: 8, max_files: 500, max_upload_mb: 8}
"""

GOOD_PROGRAM = "print('hello')\n"


class Gone(enum.Enum):
    """What the host must not have any more, or must have again, when a row is over."""

    PROCESSES = "no process of the job, of git or of an unpacker"
    CONTAINERS = "no container with this appliance's label"
    MOUNTS = "no mount that was not there before"
    FILES = "no source and no temporary file of the job"
    MOTOR = "the motor's pins are off at the twin"
    NEXT_JOB = "a good job that is submitted next succeeds"


ALWAYS = frozenset({Gone.PROCESSES, Gone.CONTAINERS, Gone.MOUNTS, Gone.MOTOR, Gone.NEXT_JOB})
NEVER_RAN = ALWAYS | {Gone.FILES}


@dataclass(frozen=True)
class Git:
    """A repository: its URL, made by `url` from a test's git server."""

    url: Callable[[GitServer], str]
    ref: str = ""


@dataclass(frozen=True)
class Archive:
    """An uploaded file, made by `content`."""

    content: Callable[[], bytes]


@dataclass(frozen=True)
class BadInput:
    """One row. `states`: any of these; none: the submission itself is refused with 400 and no job is made.

    `message` and `log` are regular expressions, searched in the job's detail (or the refusal) and in its log.
    """

    name: str
    submit: Git | Archive
    states: tuple[State, ...]
    reason: Reason
    message: str
    log: str = ""
    gone: frozenset[Gone] = ALWAYS
    default_config: bool = False


def zipped(files: dict[str, str | bytes]) -> Callable[[], bytes]:
    """A zip of `files`, made when asked for."""

    def content() -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return target.getvalue()

    return content


def _linked() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        link = tarfile.TarInfo("data")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("run.py"))
    return target.getvalue()


def _linked_zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("run.py", GOOD_PROGRAM)
        link = zipfile.ZipInfo("data")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return target.getvalue()


def _gz_bomb() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        entry = tarfile.TarInfo("run.py")
        entry.size = 256 << 20
        with open("/dev/zero", "rb") as zeros:
            archive.addfile(entry, zeros)
    return target.getvalue()


def published(
    name: str, files: dict[str, str | bytes], links: dict[str, str] | None = None
) -> Callable[[GitServer], str]:
    """The URL of a repository that is made on the test's server when asked for."""

    def url(server: GitServer) -> str:
        if not (server.folder / name).exists():
            publish(server.folder, name, files, links)
        return server.url(name)

    return url


def _empty(server: GitServer) -> str:
    folder: Path = server.folder / "empty.git"
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "--bare")
    return server.url(folder.name)


def program(source: str) -> Archive:
    """An archive with this run.py and nothing else."""
    return Archive(zipped({"run.py": source}))


def _refused(name: str, url: str, message: str, default_config: bool = False) -> BadInput:
    return BadInput(name, Git(lambda _: url), (), Reason.BAD_SOURCE, message, "", NEVER_RAN, default_config)


def _bad_source(name: str, submit: Git | Archive, message: str, default_config: bool = False) -> BadInput:
    return BadInput(name, submit, (State.FAILED,), Reason.BAD_SOURCE, message, "", NEVER_RAN, default_config)


SOURCES = (
    _bad_source("no run.py", Archive(zipped({"main.py": "", "src/x.py": ""})), r"no run\.py at its top \(found: main\.py, src/\)"),
    _bad_source("no run.py in git", Git(published("norun.git", {"main.py": ""})), r"no run\.py at its top \(found: main\.py\)"),
    _bad_source("an empty run.py", program("\n"), r"run\.py is empty"),
    _bad_source("a syntax error", program("def f(:\n    pass\n"), r"run\.py, line 1: invalid syntax .*\n.*def f\(:\n *\^"),
    _bad_source("a syntax error in git", Git(published("syntax.git", {"run.py": "x = = 1\n"})), r"run\.py, line 1: invalid syntax"),
    _bad_source("a compiler's nightmare", program("x = " + "(" * 50_000 + ")" * 50_000), r"run\.py.*nested"),
    _bad_source("packages that aren't there", Archive(zipped({"run.py": GOOD_PROGRAM, "requirements.txt": "numpy\nraas-no-such-package>=2\n"})),
                r"raas-no-such-package"),
    _bad_source("requirements from a URL", Archive(zipped({"run.py": GOOD_PROGRAM, "requirements.txt": "git+https://a.example/b\n"})),
                r"requirements\.txt, line 1: .*URLs"),
    _bad_source("no archive at all", Archive(GOOD_PROGRAM.encode), r"neither zip nor tar"),
    _bad_source("a broken zip", Archive(lambda: zipped({"run.py": GOOD_PROGRAM * 99})()[:-30]), r"broken or cut off"),
    _bad_source("a broken tar.gz", Archive(lambda: _linked()[:-20]), r"broken or cut off|link"),
    _bad_source("a zip bomb", Archive(zipped({"run.py": bytes(256 << 20)})), r"larger than 8 MiB"),
    _bad_source("a tar.gz bomb", Archive(_gz_bomb), r"larger than 8 MiB"),
    _bad_source("ten thousand files", Archive(zipped({"run.py": GOOD_PROGRAM, **{f"f{n}": "" for n in range(10_000)}})), r"more than 500 files"),
    _bad_source("../ in an archive", Archive(zipped({"run.py": GOOD_PROGRAM, "../../evil": "x"})), r"leads outside of it"),
    _bad_source("an absolute name in an archive", Archive(zipped({"run.py": GOOD_PROGRAM, "/tmp/evil": "x"})), r"absolute name"),
    _bad_source("a link in a tar.gz", Archive(_linked), r"has a link in it, “data”"),
    _bad_source("a link in a zip", Archive(_linked_zip), r"has a link in it, “data”"),
    _bad_source("a repository that doesn't exist", Git(lambda server: server.url("nothing.git")), r"no repository at .*nothing\.git"),
    _bad_source("a repository that needs a password", Git(lambda server: server.url("x.git", "private")), r"needs a password"),
    _bad_source("an empty repository", Git(_empty), r"empty"),
    _bad_source("a branch that doesn't exist", Git(published("good.git", {"run.py": GOOD_PROGRAM}), "nope"), r"no branch, tag or commit “nope”"),
    _bad_source("a huge repository", Git(published("huge.git", {"run.py": GOOD_PROGRAM, "data": os.urandom(9 << 20)})), r"larger than 8 MiB"),
    _bad_source("a repository that redirects", Git(lambda server: server.url("good.git", "moved")), r"redirects"),
    _bad_source("a server that never ends", Git(lambda server: server.url("good.git", "slow")), r"within 12 s"),
    _bad_source("a run.py that is a link", Git(published("linked.git", {"main.py": ""}, {"run.py": "main.py"})), r"symbolic link"),
    _bad_source("a name that doesn't resolve", Git(lambda _: "https://no-such-host.invalid/a.git"), r"can't be resolved"),
    _bad_source("a private address", Git(lambda _: "https://127.0.0.1:9/a.git"), r"fetch\.allow_private", default_config=True),
    _bad_source("a private address as a number", Git(lambda _: "https://2130706433/a.git"), r"fetch\.allow_private", default_config=True),
    _refused("plain http", "http://example.org/a.git", r"fetch\.allow_http", default_config=True),
    _refused("a file:// URL", "file:///etc", r"https"),
    _refused("an ext:: URL", "ext::touch%20/tmp/evil", r"https"),
    _refused("an ssh URL", "ssh://git@example.org/a.git", r"https"),
    _refused("a path", "/etc", r"https"),
    _refused("an option as URL", "--upload-pack=touch", r"-"),
    _refused("a password in the URL", "https://me:secret@example.org/a.git", r"password"),
)  # fmt: skip

# Ends without tidying up: that would touch, and so copy, all that the processes share, and end for want of memory.
_FORK = """import os
try:
    while True: os.fork()
except OSError as error:
    print(error, flush=True)
    os._exit(1)
"""
_DRIVE = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nenv.reset()\n"

PROGRAMS = (
    BadInput("crashes", program("raise RuntimeError('broken gear')\n"), (State.FAILED,), Reason.EXIT_CODE,
             r"exit code 1: RuntimeError: broken gear", r"Traceback[\s\S]*broken gear"),
    BadInput("can't import", program("import nonexistent_package\n"), (State.FAILED,), Reason.EXIT_CODE,
             r"ModuleNotFoundError: No module named 'nonexistent_package'"),
    BadInput("never calls the environment", program("print('nothing to do')\n"), (State.SUCCEEDED,), Reason.NONE, r"^$", r"nothing to do"),
    BadInput("never ends", program("import time\nwhile True: time.sleep(1)\n"), (State.TIMED_OUT,), Reason.TIME_LIMIT, r"time limit of 6 s"),
    BadInput("never ends and ignores SIGTERM",
             program("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n"),
             (State.TIMED_OUT,), Reason.TIME_LIMIT, r"time limit of 6 s"),
    BadInput("drives without end", program(_DRIVE + "while True: env.step([2.0])\n"), (State.TIMED_OUT,), Reason.TIME_LIMIT, r"time limit of 6 s"),
    BadInput("floods stdout", program("import sys\nfor n in range(400): sys.stdout.write('spam ' * 20000)\nprint('the end')\n"),
             (State.SUCCEEDED, State.TIMED_OUT), Reason.NONE, r"", r"spam"),
    BadInput("forks without end", program(_FORK), (State.FAILED, State.TIMED_OUT), Reason.EXIT_CODE, r".",
             r"BlockingIOError|Resource temporarily unavailable"),
    BadInput("leaves orphans", program("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\nprint('parent out')\n"),
             (State.SUCCEEDED,), Reason.NONE, r"", r"parent out"),
    BadInput("uses all memory", program("held = []\nwhile True: held.append(bytearray(10 << 20))\n"), (State.FAILED,), Reason.OUT_OF_MEMORY,
             r"more than the 128 MiB of memory"),
    BadInput("exits while the motor runs", program(_DRIVE + "for _ in range(10): env.step([2.0])\nimport os; os._exit(0)\n"),
             (State.SUCCEEDED,), Reason.NONE, r""),
    BadInput("is killed while the motor runs",
             program(_DRIVE + "for _ in range(10): env.step([2.0])\nimport os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"),
             (State.FAILED,), Reason.EXIT_CODE, r"SIGKILL"),
    BadInput("steps with what is no number", program(_DRIVE + "env.step([float('nan')])\n"), (State.FAILED,), Reason.EXIT_CODE, r"."),
)  # fmt: skip
