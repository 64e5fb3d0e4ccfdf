"""How does the web process read and write the jobs without ever stopping to wait? On two threads of their own.

SQLite waits for other writers, and disks wait for themselves; in a process where everybody shares one thread either
would hold up the stop button. Readers never wait for writers (WAL), so each kind gets its own thread and connection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from appliance.store import Store
from appliance.webui.threads import Threads

Answer = TypeVar("Answer")


class _Desk:
    def __init__(self, path: Path) -> None:
        self._thread = Threads(1)
        self._store = self._thread.call(Store, path)

    def ask(self, question: Callable[[Store], Answer]) -> Answer:
        return self._thread.call(question, self._store)


class StoreThreads:
    """The job store, asked from greenlets: the caller waits, nobody else does."""

    def __init__(self, path: Path) -> None:
        self._reader = _Desk(path)
        self._writer = _Desk(path)

    def read(self, question: Callable[[Store], Answer]) -> Answer:
        """The answer to a question that changes nothing."""
        return self._reader.ask(question)

    def write(self, change: Callable[[Store], Answer]) -> Answer:
        """Make a change; durable when this returns."""
        return self._writer.ask(change)
