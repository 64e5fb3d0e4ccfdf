"""How does a process make sure that it doesn't outlive the one that started it? It asks the kernel, once, for itself.

The kernel remembers the parent's *thread*, so whoever starts such children does it from a thread that lives as long as they
may. Exec keeps the wish; a change of user or a fork forgets it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, how: signal.Signals = signal.SIGKILL) -> bool:
    """Be sent `how` when the parent ends; False when it isn't process `parent` any more, so nobody would send it."""
    if _LIBC.prctl(_PR_SET_PDEATHSIG, how, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"PR_SET_PDEATHSIG: {os.strerror(number)}")
    return os.getppid() == parent
