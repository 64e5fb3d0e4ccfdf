"""A real pendulum, and its simulated twin, as gym and gymnasium environments."""

from gym_raas.parameters import Robot, RobotFileError, load_robot

__all__ = ["Robot", "RobotFileError", "load_robot"]
