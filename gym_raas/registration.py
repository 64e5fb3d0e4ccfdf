"""How do gym and gymnasium learn of the environments? As soon as both `gym_raas` and the library are imported.

Importing `gym_raas` imports neither: a program uses one of them, and the appliance's processes, which share wire,
kinds and physics, use none. A library that is there already is told at once; one that comes later is told by a hook
that runs right after its import.

The classic ids live in gym only and the modern ones in gymnasium only: a v1 in gym would make it call v0 out of date.
The three classic arguments make `gym.make` return the bare environment, as old programs expect it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from gym_raas.kinds.known import KINDS


def ids(kind: str, version: int) -> tuple[str, str]:
    """The names of a kind's environment, such as raaspendulum-v1 and RaasPendulum-v1."""
    return f"raas{kind}-v{version}", f"Raas{kind.capitalize()}-v{version}"


def register_classic(gym: Any) -> None:
    """Make the classic ids known to the imported module `gym`."""
    for kind in KINDS:
        for name in ids(kind, 0):
            gym.register(
                id=name,
                entry_point="gym_raas.classic:ClassicRobot",
                kwargs={"kind": kind},
                order_enforce=False,
                disable_env_checker=True,
            )


def register_modern(gymnasium: Any) -> None:
    """Make the modern ids known to the imported module `gymnasium`."""
    for kind in KINDS.values():
        for name in ids(kind.name, 1):
            gymnasium.register(
                id=name,
                entry_point="gym_raas.modern:ModernRobot",
                kwargs={"kind": kind.name},
                vector_entry_point=kind.vector,
                max_episode_steps=kind.task.episode_steps,  # without a limit, learners would wait for an end for ever
            )


_REGISTER: Final[dict[str, Callable[[Any], None]]] = {"gym": register_classic, "gymnasium": register_modern}


class _WhenImported(MetaPathFinder):
    """Finds what the other finders find, and registers once the module has run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of gym or gymnasium, with a registration behind it; None for all else."""
        if fullname not in _REGISTER:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    _run_after(spec.loader, _REGISTER[fullname])
                return spec
        return None


def _run_after(loader: Loader, register: Callable[[Any], None]) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        register(module)

    setattr(loader, "exec_module", exec_module)  # noqa: B010 (the type checker forbids replacing a method)


def announce() -> None:
    """Register in what is imported already, and be there when the rest is."""
    for name, register in _REGISTER.items():
        module = sys.modules.get(name)
        # A library that is being imported at this moment has no `register` yet; it imports nothing of ours.
        if module is not None:
            register(module)
    if not any(isinstance(finder, _WhenImported) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())
