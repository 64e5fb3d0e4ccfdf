"""How does the guard keep loop and gateway alive? Each child has a pidfd, and starts again after a growing pause."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from appliance.backoff import Backoff

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0

_log = logging.getLogger(__name__)


class Child:
    """One child process on the running event loop.

    `prepare()` is called before every start, `ended(status)` at every end; a negative status is a signal. It inherits the
    file descriptors `fds`, and asks the kernel itself to die with us.
    """

    def __init__(
        self, name: str, command: Sequence[str], fds: Sequence[int],
        prepare: Callable[[], None], ended: Callable[[int], None],
    ) -> None:  # fmt: skip
        self.name: Final = name
        self._command, self._fds = command, fds
        self._prepare, self._ended = prepare, ended
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._restart: asyncio.TimerHandle | None = None
        self._stopping = False
        self.started_s = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the process exists."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process id, 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, and again whenever it ends."""
        self._prepare()
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, pass_fds=self._fds)
        self.started_s = self._loop.time()
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._on_end)
        _log.info("%s runs as process %d", self.name, self._process.pid)

    def kill(self) -> None:
        """End it with SIGKILL, also when it is stopped; it starts again."""
        if self._process is not None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def stop(self, patience_s: float) -> None:
        """End it for good: SIGTERM, after `patience_s` SIGKILL."""
        self._stopping = True
        if self._restart is not None:
            self._restart.cancel()
        if self._process is None:
            return
        signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)
        deadline_s = self._loop.time() + patience_s
        while self._process is not None:
            if self._loop.time() > deadline_s:
                self.kill()
            await asyncio.sleep(0.005)

    def _on_end(self) -> None:
        if self._process is None:
            return
        status = self._process.wait()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process = None
        if not self._stopping:
            pause_s = self._backoff.after(self._loop.time() - self.started_s)
            _log.warning("%s ended with status %d; starts again in %.2f s", self.name, status, pause_s)
            self._restart = self._loop.call_later(pause_s, self.start)
        self._ended(status)
