"""The walls of a cell, tried from inside, in the real job image on the real engine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from appliance.engine import docker_host
from appliance.errors import EngineError
from appliance.running import cell
from appliance.running.cell import Cell, Exit, Fitting, Limits, Spec
from appliance.running.docker_cell import DockerCells
from appliance.running.output import Capture, Printed
from tests.patience import eventually

TAG = f"test{os.getpid():04x}"
LIMITS = Limits(uid=61000, memory_mb=96, pids=32, cpus=1.0, tmp_mb=8, cores=(0,))


@dataclass
class Bench:
    """Makes cells that run a given program."""

    folder: Path
    image: str
    cells: DockerCells
    limits: Limits = LIMITS
    limit_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        self.output = self.folder / "output.log"
        self.source, self.session = self.folder / "source", self.folder / "session"
        self.source.mkdir()
        self.session.mkdir()
        self.capture = Capture(self.output, self.limit_bytes)

    def make(self, program: str) -> Cell:
        """A cell that waits for its word."""
        (self.source / "run.py").write_text(program)
        self.cells.sweep()
        labels = {cell.LABEL: TAG, cell.LABEL_SESSION: "s"}
        return self.cells.create(
            Spec(f"raas-{TAG}", Fitting(self.image), self.source, self.session, labels, self.limits)
        )

    def run(self, program: str, timeout_s: float = 60.0) -> Exit:
        """Run a program to its end."""
        made = self.make(program)
        made.start(self.capture)
        assert made.wait(timeout_s)
        exit_ = made.finish()
        made.remove()
        return exit_

    def ask(self, expression: str) -> object:
        """What an expression is inside, by way of JSON."""
        assert self.run(f"import json, os, socket\nprint(json.dumps({expression}))") == Exit(0, False)
        return json.loads(self.output.read_text())


@pytest.fixture
def bench(tmp_path: Path, image: str) -> Iterator[Bench]:
    cells = DockerCells(docker_host(os.environ), TAG)
    bench = Bench(tmp_path, image, cells)
    yield bench
    bench.capture.close()
    cells.sweep()
    cells.close()


def test_it_has_no_network_but_loopback(bench: Bench) -> None:
    assert bench.ask("sorted(line.split(':')[0].strip() for line in list(open('/proc/net/dev'))[2:])") == ["lo"]


def test_it_runs_as_nobody_special_without_capabilities(bench: Bench) -> None:
    status = bench.ask("dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines())")
    assert isinstance(status, dict)
    assert status["Uid"].split() == status["Gid"].split() == ["61000"] * 4
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Cpus_allowed_list"]) == ("1", "2", "0")


def test_it_can_write_nowhere_but_in_a_small_temporary_folder(bench: Bench) -> None:
    program = """
import json, os
def writable(folder):
    try:
        open(os.path.join(folder, 'x'), 'w').close()
    except OSError:
        return False
    return True
folders = [root for root, _, _ in os.walk('/') if not root.startswith(('/proc', '/sys', '/dev/fd'))]
print(json.dumps(sorted(folder for folder in folders if writable(folder))))
"""
    assert bench.run(program).code == 0
    assert set(json.loads(bench.output.read_text())) == {"/dev/shm", "/tmp"}
    assert not list(bench.source.glob("x"))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("open('/tmp/x', 'wb').write(b'0' * (9 << 20))", "File too large"),
        ("[open(f'/tmp/{n}', 'wb').write(b'0' * (3 << 20)) for n in range(4)]", "No space left"),
        ("[open(f'/tmp/{n}', 'wb').close() for n in range(20000)]", "No space left"),
        ("x = [open('/dev/null') for n in range(2000)]", "Too many open files"),
        (
            "import threading, time\n[threading.Thread(target=time.sleep, args=(9,), daemon=True).start() for n in range(40)]",
            "can't start",
        ),
        ("import os\nos.mkdir('/tmp/x'); os.mkdir('/job/x')", "Read-only file system"),
        ("import os, shutil\nshutil.copy('/bin/busybox', '/tmp/b'); os.execv('/tmp/b', ['true'])", "Permission denied"),
    ],
)
def test_its_means_are_limited(bench: Bench, program: str, message: str) -> None:
    made = bench.make(program)
    made.start(bench.capture)
    if not made.wait(20):
        made.kill()  # threads keep it alive
    made.finish()
    made.remove()
    bench.capture.finish()
    assert message in bench.output.read_text()


def test_more_memory_than_allowed_ends_it_and_is_recognised(bench: Bench) -> None:
    exit_ = bench.run("x = []\nwhile True: x.append(bytearray(1 << 20))")
    assert exit_ == Exit(137, True)


def test_a_fork_bomb_is_held_and_dies_with_the_cell(bench: Bench) -> None:
    made = bench.make("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    made.start(bench.capture)
    assert not made.wait(1.0)
    begun_s = time.monotonic()
    made.kill()
    assert made.finish().code == 137
    made.remove()
    assert time.monotonic() - begun_s < 10.0


def test_the_repository_and_the_robots_folder_are_there_and_read_only(bench: Bench) -> None:
    assert bench.ask("[os.getcwd(), os.listdir(), os.path.isdir('/run/raas-job')]") == ["/job", ["run.py"], True]


def test_an_instant_jobs_output_is_complete_and_in_order(bench: Bench) -> None:
    program = "import os\nfor n in range(50): os.write(1 + n % 2, b'%d\\n' % n)"
    assert bench.run(program).code == 0
    assert bench.output.read_bytes() == b"".join(b"%d\n" % number for number in range(50))


def test_a_line_is_in_the_file_within_a_second_of_being_printed(bench: Bench) -> None:
    made = bench.make("import time\nprint('one')\ntime.sleep(30)")
    made.start(bench.capture)
    eventually(bench.output.read_bytes)
    assert bench.output.read_bytes() == b"one\n"
    made.remove()


def test_a_flood_is_slowed_not_killed_and_costs_no_disk(bench: Bench) -> None:
    made = bench.make("import sys\nwhile True: sys.stdout.write('x' * 4095 + '\\n')")
    made.start(bench.capture)
    assert not made.wait(2.0)
    size_bytes = bench.output.stat().st_size
    assert size_bytes < bench.limit_bytes
    made.kill()
    made.finish()
    made.remove()
    printed = bench.capture.finish()
    assert 2 << 20 < printed.total_bytes < 64 << 20
    assert bench.output.stat().st_size < bench.limit_bytes + 300


def test_the_end_is_seen_long_before_the_engine_tells(bench: Bench) -> None:
    delays_s = []
    for _ in range(3):
        made = bench.make("import os, time\ntime.sleep(1)\nos.write(1, b'%f\\n' % time.time())\nos._exit(0)")
        made.start(bench.capture)
        assert made.wait(20)
        seen_s = time.time()
        made.finish()
        made.remove()
        delays_s.append(seen_s - float(bench.output.read_text().split()[-1]))
    assert min(delays_s) < 0.02  # 2 ms on an idle machine; the output's end takes 40, the engine 50


def test_a_job_that_closes_its_output_goes_on_to_its_end(bench: Bench) -> None:
    begun_s = time.monotonic()
    assert bench.run("import os, sys, time\nos.close(1), os.close(2)\ntime.sleep(2)\nos._exit(3)") == Exit(3, False)
    assert time.monotonic() - begun_s > 2.0


def test_sigterm_reaches_the_program_and_sigkill_ends_a_stubborn_one(bench: Bench) -> None:
    polite = bench.make("import time\ntry: print('up'); time.sleep(30)\nfinally: print('down')")
    polite.start(bench.capture)
    polite.wait(0.5)
    eventually(lambda: b"up" in bench.output.read_bytes())
    polite.terminate()
    assert polite.wait(5)
    assert polite.finish().code == 143
    polite.remove()
    stubborn = bench.make("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready')\ntime.sleep(30)")
    stubborn.start(bench.capture)
    eventually(lambda: b"ready" in bench.output.read_bytes())
    stubborn.terminate()
    assert not stubborn.wait(0.5)
    stubborn.kill()
    assert stubborn.wait(5)
    assert stubborn.finish().code == 137
    stubborn.terminate()  # after the end: silent
    stubborn.remove()
    stubborn.remove()


def test_sweeping_removes_this_appliances_cells_only(bench: Bench) -> None:
    made = bench.make("import time; time.sleep(60)")
    made.start(bench.capture)
    stranger = DockerCells(docker_host(os.environ), TAG + "x")
    assert stranger.sweep() == 0
    assert bench.cells.sweep() == 1
    assert bench.cells.sweep() == 0
    stranger.close()


def test_docker_keeps_no_log_of_its_own(bench: Bench) -> None:
    made = bench.make("print('x')")
    client = docker.DockerClient(docker_host(os.environ))
    settings = client.api.inspect_container(f"raas-{TAG}")["HostConfig"]
    assert (settings["LogConfig"]["Type"], settings["NetworkMode"], settings["OomScoreAdj"]) == ("none", "none", 1000)
    assert settings["Memory"] == settings["MemorySwap"] == 96 << 20
    client.close()
    made.remove()


def test_an_image_that_isnt_there_says_how_to_build_it(bench: Bench) -> None:
    bench.image = "raas-job:none"
    with pytest.raises(EngineError, match="make job-image"):
        bench.make("")


def test_an_engine_that_isnt_there_is_an_error_and_a_problem(tmp_path: Path) -> None:
    cells = DockerCells(f"unix://{tmp_path}/none.sock", TAG)
    assert "doesn't answer" in cells.problem()
    with pytest.raises(EngineError, match="is it running"):
        cells.sweep()


def test_jobs_keep_off_the_loops_core() -> None:
    assert cell.job_cores(range(4), 3) == (0, 1, 2)
    assert cell.job_cores(range(2), 0) == (1,)
    assert cell.job_cores([0], 0) == (0,)


def test_a_cell_never_gets_more_cpu_than_it_has_cores() -> None:
    limits = replace(LIMITS, cpus=4.0, cores=(0, 1))
    spec = Spec("n", Fitting("i"), Path("/a"), Path("/b"), {}, limits)
    assert cell.host_config(spec)["nano_cpus"] == 2_000_000_000


def test_nothing_printed_is_nothing_dropped(bench: Bench) -> None:
    assert bench.run("").code == 0
    assert bench.capture.finish() == Printed(0, 0)
