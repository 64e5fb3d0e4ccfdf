"""How the appliance handles each kind of robot: one object each, and `appliance.realtime.kinds.known` lists them."""
