"""How does a cell's Python wait for its job? Imported by every Python that is started with RAAS_CELL set, before run.py.

A cell is started as `python3 run.py` before there is a run.py. Python imports this module while it sets itself up (a
.pth file beside it says so, and forgets it); it imports what most programs import (and what gym_raas imports when it makes
an environment, which would take 80 ms), waits for one byte on standard input, and lets go: what follows is an ordinary
`python3 run.py`. If nobody is left who could send the byte, it ends.

What was imported here lives as long as the program. So the garbage collector is told to leave it alone: a full
collection would go through all of it, in the middle of a step.

A file of the job's that has the name of a module that was imported here (its own random.py, say) would have been
found first by an ordinary Python. Then Python is started anew, and imports nothing ahead.
"""

import gc
import os
import sys

USUAL = ("numpy", "gym", "gymnasium", "gym_raas.classic", "gym_raas.modern")

before = set(sys.modules)


def wait() -> None:
    """Return when the job may begin, in a process that shows no trace of having waited."""
    if os.environ.pop("RAAS_CELL") == "warm":
        for package in USUAL:
            __import__(package)
        gc.collect()
        gc.freeze()
    if not os.read(0, 1):
        os._exit(1)
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    ahead = {name.partition(".")[0] for name in set(sys.modules) - before}
    if not ahead.isdisjoint(name.partition(".")[0] for name in os.listdir()):
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - no shell is wanted


wait()
