"""Who has to go when too many are connected? The one that came first of the address that holds most connections.

So nobody is kept out by somebody else, however many connections he opens and however slowly he speaks: the stop button
always gets through. A browser whose event stream is ended connects again and misses nothing.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator


class Crowd:
    """All connections of a server, in the order in which they came; `most` may stay."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: dict[socket.socket, str] = {}

    @contextlib.contextmanager
    def joined(self, address: str, connection: socket.socket) -> Iterator[None]:
        """Be one of them within the block. Another one may be shut down for it; whoever serves that one sees it end."""
        self._inside[connection] = address
        if len(self._inside) > self._most:
            self._shut_one()
        try:
            yield
        finally:
            self._inside.pop(connection, None)

    def _shut_one(self) -> None:
        crowded = Counter(self._inside.values()).most_common(1)[0][0]
        first = next(connection for connection, address in self._inside.items() if address == crowded)
        del self._inside[first]
        with contextlib.suppress(OSError):  # it has ended by itself
            first.shutdown(socket.SHUT_RDWR)
