"""What is a cart? A slide on a toothed belt between two ends of a rail, driven by the pendulum's motor and encoder.

Its task: from where a reset has parked it, 12 cm to the left, go to the middle and stay there. The shaft's angle is
the way along the belt: 1 rad is 20 mm by definition, whatever the pulley, so `encoder.counts_per_turn` counts the edges in
125.7 mm of belt. Positive is to the right.
"""

from __future__ import annotations

from typing import Final

from gym_raas.kinds.cart_motion import M_PER_RAD, Cart, CartModel
from gym_raas.kinds.kind import Kind, Mechanism, Scale, Task
from gym_raas.marks import BODY, BODY_LIGHT, DIAL, EFFORT, HUB, SHADOW, TARGET, TICK, TIP, Bar, Disc, Mark, Wedge

#: Bounds of the observation; what is beyond is clipped in the observation only.
MAX_POSITION_M: Final = 0.5
MAX_SPEED_M_S: Final = 1.0
PARKED_M: Final = -0.12
#: A way that costs 1 a step: the scale of the task.
_FAR_M: Final = 0.2
#: In pictures: length per metre, and the rail's height.
_PER_M: Final = 5.0
_RAIL_Y: Final = -0.2


def observation(angle_rad: float, velocity_rad_s: float) -> tuple[float, float]:
    """(position in m from the middle, velocity in m/s), clipped to the space, shape (2,)."""
    position_m, velocity_m_s = angle_rad * M_PER_RAD, velocity_rad_s * M_PER_RAD
    return (
        max(-MAX_POSITION_M, min(MAX_POSITION_M, position_m)),
        max(-MAX_SPEED_M_S, min(MAX_SPEED_M_S, velocity_m_s)),
    )


def cost(angle_rad: float, velocity_rad_s: float, action: float) -> float:
    """(x / 0.2 m)^2 + 0.1 (v / 0.2 m/s)^2 + 0.001 u^2, of the state before the step with the clipped action."""
    far, fast = angle_rad * M_PER_RAD / _FAR_M, velocity_rad_s * M_PER_RAD / _FAR_M
    return far * far + 0.1 * fast * fast + 0.001 * action * action


def _range_rad(model: CartModel) -> float:
    return (model.half_travel_m - model.end_zone_m) / M_PER_RAD


def _limited(model: CartModel, speed_limit_rad_s: float) -> Mechanism:
    return Cart(model, range_rad=_range_rad(model), speed_limit_rad_s=speed_limit_rad_s)


def _backdrop() -> tuple[Mark, ...]:
    """Belt, pulleys, a scale in centimetres, and the mark in the middle."""
    marks = [Mark(Bar((-1.25, _RAIL_Y), (1.25, _RAIL_Y), 0.02), TICK)]
    marks += [Mark(Disc((x, _RAIL_Y), 0.09), TICK) for x in (-1.25, 1.25)]
    marks += [Mark(Disc((x, _RAIL_Y), 0.05), DIAL) for x in (-1.25, 1.25)]
    for cm in range(-20, 21, 2):
        x, long = cm / 100.0 * _PER_M, 0.09 if cm % 10 == 0 else 0.05
        marks.append(Mark(Bar((x, -0.48), (x, -0.48 - long), 0.008), TICK))
    marks.append(Mark(Wedge((0.0, -0.42), (-0.05, -0.34), (0.05, -0.34)), TARGET))
    return tuple(marks)


def sketch(angle_rad: float, effort: float) -> tuple[Mark, ...]:
    """The cart on its belt, and the effort's arrow above it."""
    x = max(-1.2, min(1.2, angle_rad * M_PER_RAD * _PER_M))
    marks = [
        Mark(Bar((x - 0.1 + 0.02, _RAIL_Y + 0.02), (x + 0.1 + 0.02, _RAIL_Y + 0.02), 0.13), SHADOW, 0.18, 0.06),
        Mark(Bar((x - 0.1, _RAIL_Y + 0.05), (x + 0.1, _RAIL_Y + 0.05), 0.12), BODY),
        Mark(Bar((x - 0.09, _RAIL_Y + 0.1), (x + 0.09, _RAIL_Y + 0.1), 0.025), BODY_LIGHT, 0.8, 0.03),
        Mark(Disc((x, _RAIL_Y + 0.05), 0.05), TIP),
        Mark(Disc((x, _RAIL_Y + 0.05), 0.02), HUB),
    ]
    if abs(effort) > 0.01:
        length = 0.5 * max(-1.0, min(1.0, effort))
        end, ahead = x + length, 0.12 if effort > 0.0 else -0.12
        marks.append(Mark(Bar((x, 0.25), (end, 0.25), 0.026), EFFORT))
        marks.append(Mark(Wedge((end + ahead, 0.25), (end, 0.33), (end, 0.17)), EFFORT))
    return tuple(marks)


CART: Final = Kind(
    name="cart",
    noun="cart",
    file="cart.yaml",
    model=CartModel,
    task=Task(
        dt_s=0.05,
        episode_steps=200,
        columns=("position_m", "velocity_m_s"),
        highest=(MAX_POSITION_M, MAX_SPEED_M_S),
        starts=(0.15 / M_PER_RAD, 0.1 / M_PER_RAD),
        observation=observation,
        cost=cost,
    ),
    home_rad=PARKED_M / M_PER_RAD,
    home_name="parked",
    range_rad=_range_rad,
    motion=Cart,
    limited=_limited,
    position=Scale("position", "cm", 100.0 * M_PER_RAD, 1),
    speed=Scale("velocity", "cm/s", 100.0 * M_PER_RAD, 1),
    backdrop=_backdrop(),
    sketch=sketch,
)
