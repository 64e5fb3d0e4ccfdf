"""What stands in for pigpiod and the robot where there is neither? A process of its own, at pigpiod's socket."""
