"""Who knows the ids, and when: each in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(program: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    "imports", ["import gym, gym_raas", "import gym_raas, gym", "import gym_raas; import gym.envs as gym"]
)
def test_gym_knows_the_classic_ids_in_any_order(imports: str) -> None:
    done = run(f"{imports}\nfor name in ('raaspendulum-v0', 'RaasPendulum-v0'): print(gym.make(name).reset().shape)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(3,)\n(3,)\n"


@pytest.mark.parametrize("imports", ["import gymnasium, gym_raas", "import gym_raas, gymnasium"])
def test_gymnasium_knows_the_modern_ids_in_any_order(imports: str) -> None:
    done = run(f"{imports}\nprint(gymnasium.make('RaasPendulum-v1').reset()[0].shape)")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(3,)\n"
    assert done.stderr == ""


def test_importing_the_package_imports_neither_library_nor_numpy() -> None:
    done = run("import sys, gym_raas, gym_raas.wire, gym_raas.task, gym_raas.physics, gym_raas.actuator\n"
               "print([name for name in ('gym', 'gymnasium', 'numpy', 'zmq') if name in sys.modules])")  # fmt: skip
    assert done.stdout == "[]\n", done.stderr


def test_classic_programs_hear_nothing_of_newer_versions() -> None:
    done = run("import gym_notices.notices as n; n.notices.clear()\n"
               "import gym, gym_raas, gymnasium\ngym.make('raaspendulum-v0').step([0.0])")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_looking_for_gym_without_importing_it_does_no_harm() -> None:
    done = run(
        "import gym_raas, importlib.util\nimportlib.util.find_spec('gym')\nimport gym\ngym.spec('raaspendulum-v0')"
    )
    assert done.returncode == 0, done.stderr


def test_a_program_without_the_libraries_still_imports_the_package() -> None:
    done = run(
        "import sys\nsys.modules['gym'] = sys.modules['gymnasium'] = None\nimport gym_raas\nprint(gym_raas.load_robot().name)"
    )
    assert done.stdout == "packaged\n", done.stderr
