"""How is a plan carried out? Each step once: into a partial name, then renamed, so that a cut leaves nothing half done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from image_build.process import BuildError
from image_build.sd.plan import Plan, Step

#: Makes a step's output at the path given last; finds the outputs that it builds on by the steps' names.
Action = Callable[[Mapping[str, Path], Path], None]
Clock = Callable[[], float]


def run(
    plan: Plan,
    actions: Mapping[str, Action],
    cache: Path,
    say: Callable[[str], None],
    *,
    until: str = "",
    clock: Clock = time.monotonic,
) -> Path:
    """Do the steps that the cache lacks, and return the last one's output. `until` names the last step to do.

    Raises `BuildError`; what was done before stays in the cache, and the next run goes on after it.
    """
    steps = _chosen(plan, until)
    cache.mkdir(parents=True, exist_ok=True)
    outputs: dict[str, Path] = {}
    for number, step in enumerate(steps, 1):
        outputs[step.name] = cache / step.output
        told = f"[{number}/{len(steps)}] {step.name}: {step.says}"
        if outputs[step.name].exists():
            say(f"{told}: already done")
            continue
        say(told)
        began_s = clock()
        _do(actions[step.name], outputs, outputs[step.name])
        say(f"[{number}/{len(steps)}] {step.name}: done in {clock() - began_s:.0f} s")
    return outputs[steps[-1].name]


def prune(plans: tuple[Plan, ...], cache: Path) -> tuple[str, ...]:
    """Remove outputs that none of the plans has any more; their names."""
    wanted = {step.output for plan in plans for step in plan.steps}
    names = {step.name for plan in plans for step in plan.steps}
    old = [path for path in cache.iterdir() if path.name not in wanted and path.name.rpartition("-")[0] in names]
    for path in old:
        _remove(path)
    return tuple(sorted(path.name for path in old))


def _chosen(plan: Plan, until: str) -> tuple[Step, ...]:
    names = [step.name for step in plan.steps]
    if until and until not in names:
        raise BuildError(f"There is no step {until!r}; there are {', '.join(names)}.")
    return plan.steps[: names.index(until) + 1] if until else plan.steps


def _do(action: Action, outputs: Mapping[str, Path], output: Path) -> None:
    partial = output.with_name(output.name + ".partial")
    _remove(partial)
    action(outputs, partial)
    if not partial.exists():
        raise BuildError(f"The step that makes {output.name} made nothing.")
    partial.rename(output)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
