"""How do many pendulums move at once, faster? `gym_raas.physics` itself, compiled with numba (an extra of the package)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from gym_raas import physics
from gym_raas.batch import Floats, Models, Truths, substeps
from gym_raas.errors import MissingExtra
from gym_raas.motor import REFERENCE_COMMAND


def step(
    models: Models, angles: Floats, velocities: Floats, commands: Floats, duration_s: float, top_speed: float
) -> tuple[Floats, Floats, Truths]:
    """As `gym_raas.batch.step`; the first call of a process compiles for some seconds. Raises MissingExtra."""
    after = np.empty_like(angles), np.empty_like(angles), np.empty(len(angles), np.bool_)
    constants = [getattr(models, name) for name in models.__dataclass_fields__]
    kernel()(*constants, angles, velocities, commands, *substeps(duration_s), top_speed, *after)
    return after


@cache
def kernel() -> Callable[..., None]:
    """The compiled loop over all pendulums. Raises MissingExtra without numba."""
    try:
        import numba  # noqa: PLC0415 - an extra that may be missing
    except ImportError as error:
        raise MissingExtra("backend 'numba' needs numba: pip install numba, or take 'numpy'") from error

    compiled: Callable[..., Any] = numba.njit(error_model="numpy")
    # The same code object with compiled functions in the place of plain ones, so that there is one physics only.
    names = vars(physics) | {"crossing_s": compiled(physics.crossing_s)}
    run = compiled(FunctionType(physics.run.__code__, names, "run"))

    def all_of_them(  # type: ignore[no-untyped-def]  # numba finds the types
        gravity, viscous, coulomb, back_emf, brake, gain, dead_zone,
        angles, velocities, commands, number, h, top_speed, new_angles, new_velocities, over_speed,
    ):  # fmt: skip
        for i in range(len(angles)):
            size = abs(commands[i])
            drive = math.copysign(gain[i] * max(size - dead_zone[i], 0.0), commands[i])
            braked = viscous[i] + brake[i]
            damping = viscous[i] + back_emf[i] * math.sqrt(size / REFERENCE_COMMAND) if size else braked
            new_angles[i], new_velocities[i], over_speed[i] = run(
                angles[i], velocities[i], drive, damping, number, h, gravity[i], coulomb[i], braked, top_speed
            )

    kernel: Callable[..., None] = compiled(all_of_them)
    return kernel
