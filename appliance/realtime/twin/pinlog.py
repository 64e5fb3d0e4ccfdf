"""What did the bridge's pins do, and when? A file of every change, for benchmarks and safety tests.

Each record is 20 bytes: CLOCK_MONOTONIC in ns, forward and backward duty (0..1) and the signed command, after 8 bytes of
magic. A thread of its own writes, so the twin never waits for a disk; what is younger than `FLUSH_S` may be missing.
"""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Final, NamedTuple

FLUSH_S: Final = 0.05
_MAGIC: Final = b"raaspin1"
_RECORD: Final = struct.Struct("<Qfff")


class PinRecord(NamedTuple):
    """From this time on the bridge's inputs had these duties, which is this signed command."""

    t_ns: int
    forward: float
    backward: float
    command: float


class PinLog:
    """Writes a pin log. Raises OSError when the file can't be made."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._file.write(_MAGIC)
        self._waiting = bytearray()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="pinlog", daemon=True)
        self._thread.start()

    def record(self, time_us: int, forward: float, backward: float, command: float) -> None:
        """Note a change at this time on the monotonic clock."""
        with self._lock:
            self._waiting += _RECORD.pack(time_us * 1000, forward, backward, command)

    def close(self) -> None:
        """Write what is left."""
        self._stopping.set()
        self._thread.join()
        self._file.close()

    def _write(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(FLUSH_S)
            with self._lock:
                data, self._waiting = self._waiting, bytearray()
            if data:
                self._file.write(data)


def read(path: Path, first: int = 0) -> list[PinRecord]:
    """All whole records of a pin log from number `first` on, also while it is being written.

    Raises ValueError for another kind of file.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError(f"{path} is no pin log of a twin")
        file.seek(len(_MAGIC) + first * _RECORD.size)
        body = file.read()
    whole = len(body) // _RECORD.size * _RECORD.size
    return [PinRecord(*fields) for fields in _RECORD.iter_unpack(body[:whole])]
