"""The robot's real-time side: motor loop, guard, gateway, and the twin that stands in for the hardware."""
