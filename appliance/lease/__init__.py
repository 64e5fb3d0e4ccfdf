"""How may a program elsewhere drive the robot? Permissions, encrypted ZeroMQ, and a relay to the job's own socket."""
