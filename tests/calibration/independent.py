"""A pendulum by MuJoCo, which shares nothing with the package: recordings as a real unit would give them.

Angles are whole counts, samples come from a loop whose sleep jitters (so its clock walks) but which notes nominal times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np

from gym_raas.model import Model

SAMPLE_S = 0.01
_ARM_M, _MASS_KG = 0.5, 1.0
_XML = """
<mujoco>
  <option timestep="{step_s}" gravity="0 0 {gravity}" integrator="{integrator}" solver="Newton" tolerance="1e-12"/>
  <worldbody><body>
    <joint name="hinge" type="hinge" axis="0 1 0" frictionloss="{friction}" damping="{damping}"
           solreffriction="0.0004 1" solimpfriction="0.9999 0.9999 0.001 0.5 2"/>
    <inertial pos="0 0 {below}" mass="{mass}" diaginertia="{spare} {spare} {spare}"/>
  </body></worldbody>
</mujoco>
"""


class Arm:
    """An arm whose inertia about its hinge is 1; angle 0 hangs."""

    def __init__(
        self, model: Model, *, sideways: bool = False, step_s: float = 1e-4, integrator: str = "implicitfast"
    ) -> None:
        gravity = 0.0 if sideways else -model.gravity_rad_s2 / (_MASS_KG * _ARM_M)
        spare = 1.0 - _MASS_KG * _ARM_M**2
        text = _XML.format(
            step_s=step_s, gravity=gravity, integrator=integrator, friction=model.coulomb_rad_s2, damping=0.0,
            below=-_ARM_M, mass=_MASS_KG, spare=spare,
        )  # fmt: skip
        self._constants, self._step_s = model, step_s
        self._model = mujoco.MjModel.from_xml_string(text)
        self.data = mujoco.MjData(self._model)

    def command(self, command: float, *, powered: bool = True) -> None:
        """Apply a bridge command from now on."""
        m = self._constants
        size = max(abs(command) - m.dead_zone_command, 0.0) * m.gain_rad_s2_per_command
        extra = m.back_emf_per_s * math.sqrt(abs(command) / 1000.0) if command else m.brake_per_s
        self.data.qfrc_applied[0] = math.copysign(size, command) if powered else 0.0
        self._model.dof_damping[0] = m.viscous_per_s + (extra if powered else 0.0)

    def run(self, duration_s: float) -> float:
        """Move on; returns the angle."""
        mujoco.mj_step(self._model, self.data, round(duration_s / self._step_s))
        return float(self.data.qpos[0])


def sampled(arm: Arm, duration_s: float, rng: np.random.Generator, *, counts: int, jitter_s: float) -> list[int]:
    """Counts at each sample of a loop that sleeps."""
    found, per_rad = [], counts / (2.0 * math.pi)
    angle = float(arm.data.qpos[0])
    for _ in range(round(duration_s / SAMPLE_S)):
        found.append(math.floor(angle * per_rad))
        angle = arm.run(max(SAMPLE_S + rng.normal(0.0, jitter_s), 1e-3))
    return found


def record(
    folder: Path,
    model: Model,
    rng: np.random.Generator,
    *,
    commands: Sequence[float] = (200, 350, 500, 750, 1000),
    counts: int = 480,
    jitter_s: float = 2e-4,
    swing_s: float = 5.0,
) -> list[Path]:
    """Two files in the formats of the public recordings: a free swing, and the arm on its side under commands."""
    free = Arm(model)
    free.command(0.0, powered=False)
    free.data.qpos[0], offset = rng.uniform(1.0, 1.6), int(rng.integers(-60, 60))
    swing = [c + offset for c in sampled(free, swing_s, rng, counts=counts, jitter_s=jitter_s)]
    driven: list[tuple[float, list[int]]] = []
    for command in commands:
        side = Arm(model, sideways=True)
        side.command(command)
        driven.append((command, sampled(side, 1.0, rng, counts=counts, jitter_s=jitter_s)))
    unit = 2.0 * math.pi / counts
    lines = ["t_s,angle_rad,counts", *(f"{i * SAMPLE_S:.2f},{c * unit:.6f},{c}" for i, c in enumerate(swing))]
    side_lines = ["command,t_s,angle_rad,counts"]
    for command, run in driven:
        side_lines += [f"{command:g},{i * SAMPLE_S:.2f},{c * unit:.6f},{c}" for i, c in enumerate(run)]
    paths = [folder / "free.csv", folder / "side.csv"]
    for path, content in zip(paths, (lines, side_lines), strict=True):
        path.write_text("\n".join(content) + "\n")
    return paths
