"""A real pendulum, and its simulated twin, as environments: `raaspendulum-v0` for gym, `raaspendulum-v1` for gymnasium."""

from gym_raas import registration
from gym_raas.parameters import Robot, RobotFileError, load_robot

__all__ = ["Robot", "RobotFileError", "load_robot"]

registration.announce()
