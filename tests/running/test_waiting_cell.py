"""What runs in a cell that waited is an ordinary `python3 run.py`, as far as a program can tell."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.engine import docker_host
from appliance.paths import Paths
from appliance.running import cell
from appliance.running.cell import Exit, Fitting, Limits, Spec
from appliance.running.docker_cell import DockerCells
from appliance.running.enforcement import Enforcement, Leniency
from appliance.running.output import Capture
from appliance.running.standby import Standby
from tests.patience import eventually

TAG = f"waiting{os.getpid():x}"
LIMITS = Limits(uid=61000, memory_mb=256, pids=64, cpus=1.0, tmp_mb=16, cores=(0,))
#: All that a program can see of how it was started, as one JSON line.
LOOK = """
import json, os, sys
own = {name: repr(value).partition(" at 0x")[0] for name, value in globals().items()}
same = sys.modules["__main__"].__dict__ is globals()
print(json.dumps([own, same, sys.argv, sys.orig_argv, sys.path, os.getcwd(), sys.flags[:], __file__, sys.stdin.read(),
    dict(os.environ), "raas_cell" in sys.modules,
    sorted(os.listdir("/proc/self/fd")), [frame.f_code.co_name for frame in sys._current_frames().values()],
    open("/proc/self/cmdline").read(), __import__("gc").isenabled(), __import__("signal").getsignal(15).name]))
"""
SPAWN = """
import multiprocessing, os, sys
def square(number):
    return number * number, "RAAS_CELL" in os.environ, os.getcwd(), __name__
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Lock(), context.Pool(2) as pool:
        print(pool.map(square, [3, 4]))
"""
USUAL = """
import multiprocessing, subprocess
import gym, gym_raas, gymnasium, numpy, scipy.integrate, scipy.linalg, zmq
assert numpy.allclose(scipy.linalg.inv(numpy.eye(3) * 2.0), numpy.eye(3) * 0.5)
assert scipy.integrate.solve_ivp(lambda t, y: -y, [0.0, 1.0], [1.0]).success
near = gymnasium.make("Pendulum-v1")
near.reset(seed=1)
near.step([0.0])
with zmq.Context() as context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
    here.bind("ipc:///tmp/pair")
    there.connect("ipc:///tmp/pair")
    there.send(b"word")
    assert here.recv() == b"word"
multiprocessing.Lock().acquire()
assert subprocess.run("echo out | cat", shell=True, capture_output=True, text=True).stdout == "out\\n"
print("fine")
"""


class Stable:
    """Cells by way of the standby, one after the other."""

    def __init__(self, folder: Path, image: str, proof: bytes) -> None:
        self.paths = Paths(folder / "data", folder / "run", folder / "shm")
        self.cells = DockerCells(docker_host(os.environ), TAG)
        self.fitting = Fitting(image)
        self.limits = Enforcement(self.cells, self.paths, Leniency(is_twin=True, is_wanted=False))
        self.standby = Standby(self.cells, self._spec, self.paths, self.fitting, self.limits)
        told = self.paths.image_packages("x").parent / "limits-proven.json"
        told.parent.mkdir(parents=True)
        told.write_bytes(proof)
        self.ready()
        self.proof = told.read_bytes()
        self.output = folder / "output.log"

    def _spec(self, session: str, source: Path, fitting: Fitting) -> Spec:
        return Spec(
            f"raas-{TAG}-{session}", fitting, source, self.paths.session(int(session, 16)), {cell.LABEL: TAG}, LIMITS
        )

    def ready(self) -> None:
        """Have a cell wait."""
        self.standby.tend(time.monotonic())
        eventually(lambda: self.standby._waiting is not None, 60.0, then=self.standby.problem)

    def run(self, program: str, **files: str) -> Exit:
        """Run a program, with other files beside it, to its end."""
        source = self.paths.job("job") / "source"
        source.mkdir(parents=True)
        for name, content in {"run.py": program, **{f"{name}.py": content for name, content in files.items()}}.items():
            (source / name).write_text(content)
        berth = self.standby.take(self.fitting)
        berth.move_in(source)
        with Capture(self.output, 1 << 20) as capture:
            berth.cell.start(capture)
            assert berth.cell.wait(60.0)
            exit_ = berth.cell.finish()
        self.standby.put_away(berth)
        self.standby.wait_until_gone()
        for path in source.iterdir():
            path.unlink()
        source.rmdir()
        return exit_


@pytest.fixture(scope="module")
def proofs() -> list[bytes]:
    """What the first cell has shown, so that the others needn't."""
    return [b""]


@pytest.fixture
def stable(tmp_path: Path, image: str, proofs: list[bytes]) -> Iterator[Stable]:
    made = Stable(tmp_path, image, proofs[0])
    proofs[0] = made.proof
    yield made
    made.standby.close()
    assert made.cells.sweep() == 0
    made.cells.close()


def cold(stable: Stable, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on cells don't wait before `python3 run.py`, but in another program before it."""
    waiting = "import os; os.read(0, 1); os.dup2(os.open('/dev/null', 0), 0); os.close(3)"
    command = f'unset RAAS_CELL; python3 -c "{waiting}" && exec python3 run.py 2>&1 < /dev/null'
    monkeypatch.setattr(cell, "COMMAND", ("sh", "-c", command))


def test_a_program_sees_no_trace_of_having_waited(stable: Stable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stable.run(LOOK) == Exit(0, False)
    warm = json.loads(stable.output.read_text())
    # gym and gymnasium set these two when they are imported, which here they are.
    assert [warm[9].pop(name) for name in ("SDL_AUDIODRIVER", "PYGAME_HIDE_SUPPORT_PROMPT")] == ["dsp", "hide"]
    cold(stable, monkeypatch)
    assert stable.run(LOOK) == Exit(0, False)
    assert warm == json.loads(stable.output.read_text())
    assert (warm[2], warm[3], warm[5], warm[7]) == (["run.py"], ["python3", "run.py"], "/job", "/job/run.py")


def test_usual_packages_are_there_before_they_are_asked_for(stable: Stable) -> None:
    stable.run("import sys; print({'numpy', 'gym', 'gym_raas', 'gymnasium'} <= set(sys.modules))")
    assert stable.output.read_text() == "True\n"


def test_processes_of_its_own_begin_as_usual(stable: Stable) -> None:
    assert stable.run(SPAWN) == Exit(0, False)
    assert stable.output.read_text() == "[(9, False, '/job', '__mp_main__'), (16, False, '/job', '__mp_main__')]\n"


def test_usual_packages_and_locks_work_under_the_cells_system_calls(stable: Stable) -> None:
    assert stable.run(USUAL) == Exit(0, False), stable.output.read_text()


@pytest.mark.parametrize("name", ["numpy", "random", "gym_raas", "json"])
def test_a_file_of_its_own_is_found_before_the_packages(stable: Stable, name: str) -> None:
    assert stable.run(f"import {name}\nprint({name}.OWN)", **{name: "OWN = 'mine'"}) == Exit(0, False)
    assert stable.output.read_text() == "mine\n"


def test_its_exit_code_its_traceback_and_its_last_words_are_pythons(stable: Stable) -> None:
    assert stable.run("import sys; sys.exit(7)").code == 7
    assert stable.run("raise SystemExit('words')").code == 1
    assert stable.output.read_text() == "words\n"
    assert stable.run("def f():\n    1 / 0\nf()").code == 1
    traceback = stable.output.read_text()
    assert traceback.startswith('Traceback (most recent call last):\n  File "/job/run.py", line 3, in <module>\n')
    assert "raas_cell" not in traceback


def test_a_signal_of_its_own_is_no_signal_of_the_engine(stable: Stable) -> None:
    assert stable.run("import sys; sys.exit(143)") == Exit(143, False, signalled=False)
    assert stable.run("import os; os.kill(os.getpid(), 15)") == Exit(143, False, signalled=False)


def test_no_cell_is_used_twice_and_the_next_one_waits_already(stable: Stable) -> None:
    seen = []
    for _ in range(2):
        stable.ready()
        assert stable.standby._waiting is not None
        seen.append(stable.standby._waiting.session)
        stable.run("import os; open('/tmp/left', 'x')")
    assert len(set(seen)) == 2


def test_a_waiting_cell_that_died_is_replaced(stable: Stable) -> None:
    assert stable.standby._waiting is not None
    stable.standby._waiting.cell.kill()
    assert stable.standby._waiting.cell.wait(5.0)
    assert stable.run("print('ran')") == Exit(0, False)


def test_a_cell_whose_socket_folder_was_replaced_is_not_used(stable: Stable) -> None:
    assert stable.standby._waiting is not None
    first = stable.standby._waiting
    first.spec.session.rename(first.spec.session.with_name("away"))
    first.spec.session.mkdir()
    assert stable.run("print('ran')") == Exit(0, False)
    assert stable.standby._waiting is None


def test_a_cell_ends_with_the_runner_that_kept_it_waiting(stable: Stable) -> None:
    berth = stable.standby.take(stable.fitting)
    berth.cell._stream.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined] # as the kernel does for a killed runner
    assert berth.cell.wait(10.0)
    stable.standby.put_away(berth)
    stable.standby.wait_until_gone()


def test_an_image_that_is_not_there_is_the_engines_refusal(stable: Stable) -> None:
    stable.run("")
    stable.standby._usual = Fitting("raas-job:none")
    stable.standby.tend(time.monotonic())
    eventually(lambda: "make job-image" in stable.standby.problem(), 20.0, then=stable.standby.problem)
