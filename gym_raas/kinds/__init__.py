"""The kinds of robots: each is one object, and `gym_raas.kinds.known` lists them."""
