"""Which kinds of robots are there? The one place in this package that names them all."""

from __future__ import annotations

from typing import Final

from gym_raas.kinds.cart import CART
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.pendulum import PENDULUM

__all__ = ["KINDS", "PENDULUM", "WORDS"]

#: By the name in robot.yaml; the first is the reference.
KINDS: Final[dict[str, Kind]] = {kind.name: kind for kind in (PENDULUM, CART)}
#: For messages.
WORDS: Final = " or ".join(repr(name) for name in KINDS)
