"""How is each kind of robot handled? The one place in the appliance that names them all."""

from __future__ import annotations

from typing import Final

from appliance.realtime.kinds.cart import CART
from appliance.realtime.kinds.handling import Handling
from appliance.realtime.kinds.pendulum import PENDULUM

#: By the name in robot.yaml.
HANDLINGS: Final[dict[str, Handling]] = {each.kind.name: each for each in (PENDULUM, CART)}
