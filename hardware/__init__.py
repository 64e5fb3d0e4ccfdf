"""How is the robot built? Wiring, bill of materials and parts; `python -m hardware.build` draws them."""
