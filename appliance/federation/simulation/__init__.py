"""Does the plan hold when everything goes wrong? Simulated appliances around the real planning code."""
