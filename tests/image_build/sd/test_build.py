"""A build does each step once, goes on where it was cut, and leaves nothing half done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from image_build.process import BuildError
from image_build.sd import build
from image_build.sd.debian import DEBIAN
from image_build.sd.plan import STEPS, Inputs, plan

PLAN = plan(DEBIAN, Inputs(lock=b"", sources=b"", services=b"", job_image=b"", code=b""))
NAMES = [name for name, *_ in STEPS]


class Work:
    """Actions that write what they built on; one of them may break off in the middle."""

    def __init__(self, broken: str = "") -> None:
        self.broken, self.done, self.said = broken, list[str](), list[str]()

    def actions(self) -> Mapping[str, build.Action]:
        def action(name: str) -> build.Action:
            def act(outputs: Mapping[str, Path], partial: Path) -> None:
                partial.write_text(f"{name} on {', '.join(outputs)}")
                if name == self.broken:
                    raise BuildError("no network")
                self.done.append(name)

            return act

        return {name: action(name) for name in NAMES}

    def run(self, cache: Path, until: str = "") -> Path:
        return build.run(PLAN, self.actions(), cache, self.said.append, until=until, clock=lambda: 0.0)


def test_all_steps_are_done_once_and_told(tmp_path: Path) -> None:
    work = Work()
    assert work.run(tmp_path).name == PLAN.step("image").output
    assert work.run(tmp_path).name == PLAN.step("image").output
    assert work.done == NAMES
    assert work.said[0] == f"[1/{len(NAMES)}] packages: fetching and configuring Debian's packages (minutes, emulated)"
    assert work.said[-1].endswith("already done")


def test_a_cut_build_goes_on_where_it_was(tmp_path: Path) -> None:
    broken = Work("python")
    with pytest.raises(BuildError):
        broken.run(tmp_path)
    assert not (tmp_path / PLAN.step("python").output).exists()
    mended = Work()
    mended.run(tmp_path)
    assert mended.done == NAMES[NAMES.index("python") :]
    assert not list(tmp_path.glob("*.partial"))


def test_a_build_may_stop_early(tmp_path: Path) -> None:
    work = Work()
    work.run(tmp_path, until="pigpiod")
    assert work.done == ["packages", "pigpiod"]
    with pytest.raises(BuildError, match="no step 'rot'; there are packages, pigpiod"):
        work.run(tmp_path, until="rot")


def test_a_step_that_makes_nothing_is_an_error(tmp_path: Path) -> None:
    nothing: dict[str, build.Action] = {name: lambda outputs, partial: None for name in NAMES}
    with pytest.raises(BuildError, match="made nothing"):
        build.run(PLAN, nothing, tmp_path, lambda text: None)


def test_old_outputs_are_removed_and_others_stay(tmp_path: Path) -> None:
    Work().run(tmp_path)
    (tmp_path / "packages-0123456789ab.tar").touch()
    (tmp_path / "notes.txt").touch()
    assert build.prune((PLAN,), tmp_path) == ("packages-0123456789ab.tar",)
    assert (tmp_path / "notes.txt").exists()
    assert (tmp_path / PLAN.step("tree").output).exists()
