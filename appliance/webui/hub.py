"""How does one event reach a hundred browsers? Rendered once, sent to whoever takes it at once, kept in a ring for the rest.

Whoever publishes writes one frame, made once for all, straight to each connection that has nothing else to hear: no switch
to a greenlet of its own, which would cost more than the sending. Who can't take all of it at once goes on alone, at his own
pace, from the ring. A reader that falls so far behind that the ring has moved on is cut off; its browser connects again and
catches up from the store. So nobody loses an event, and a slow reader costs nobody anything.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from gevent.event import Event

RING_EVENTS = 1024


class Lagged(Exception):
    """The reader was too slow, or is gone; it has to connect again."""


class Wire(Protocol):
    """A connection that can be written to by others than the greenlet that serves it."""

    def offer(self, plain: bytes, chunked: bytes) -> bytes:
        """Send what goes without waiting, of whichever form the connection speaks; what is left. Raises OSError."""
        ...

    def finish(self, rest: bytes) -> None:
        """Send what was left, and wait for it. Raises OSError."""
        ...


def rendered(kind: str, data: bytes, seq: int | None = None) -> bytes:
    """One server-sent event. `data` is JSON, so it has no line breaks; `seq` is what a browser resumes from."""
    number = b"" if seq is None else b"id: %d\n" % seq
    return b"event: %s\n%sdata: %s\n\n" % (kind.encode(), number, data)


class Hub:
    """The ring, who waits at its end, and who is written to directly."""

    def __init__(self) -> None:
        self._ring: deque[bytes] = deque(maxlen=RING_EVENTS)
        self._written = 0
        self._wake = Event()
        self._direct: set[Subscription] = set()

    def publish(self, event: bytes) -> None:
        """Append a rendered event, and see that all readers get it."""
        self._ring.append(event)
        self._written += 1
        if self._direct:
            chunked = b"%x\r\n%b\r\n" % (len(event), event)
            for reader in tuple(self._direct):
                reader.take(event, chunked)
        wake, self._wake = self._wake, Event()
        wake.set()

    def subscribe(self, wire: Wire | None = None) -> Subscription:
        """A reader of everything from now on."""
        return Subscription(self, wire)

    @property
    def position(self) -> int:
        """How many events were ever published."""
        return self._written

    def after(self, position: int) -> bytes:
        """All events after `position`, joined. Raises Lagged if the oldest of them is gone."""
        missing = self._written - position
        if missing > len(self._ring):
            raise Lagged
        return b"".join(self._ring[index] for index in range(len(self._ring) - missing, len(self._ring)))

    def wait(self, position: int, timeout_s: float) -> None:
        """Return when there is something after `position`, or after the timeout."""
        if self._written == position:
            self._wake.wait(timeout_s)

    def join(self, reader: Subscription) -> None:
        """Write to it directly from now on."""
        self._direct.add(reader)

    def leave(self, reader: Subscription) -> None:
        """No longer. Idempotent."""
        self._direct.discard(reader)


class Subscription:
    """One reader's place in the ring, and perhaps his connection."""

    def __init__(self, hub: Hub, wire: Wire | None) -> None:
        self._hub = hub
        self._wire = wire
        self._position = hub.position
        self._rest = b""
        self._parted = Event()
        self._is_gone = False

    def next(self, timeout_s: float) -> bytes:
        """What is new and wasn't sent directly, as soon as there is something; empty after the timeout. Raises Lagged.

        The caller has sent everything before he asks again.
        """
        if self._wire is not None and self._position == self._hub.position:
            self._follow(self._wire, timeout_s)
        else:
            self._hub.wait(self._position, timeout_s)
        position = self._hub.position
        chunk = self._hub.after(self._position)
        self._position = position
        return chunk

    def take(self, event: bytes, chunked: bytes) -> None:
        """Send the next event now. Where that can't be done at once, whoever follows is woken to do it."""
        assert self._wire is not None
        try:
            self._rest = self._wire.offer(event, chunked)
        except OSError:
            self._is_gone = True
        self._position += 1
        if self._rest or self._is_gone:
            self._hub.leave(self)
            self._parted.set()

    def _follow(self, wire: Wire, timeout_s: float) -> None:
        """Be written to until that no longer goes at once."""
        self._parted.clear()
        self._hub.join(self)
        try:
            self._parted.wait(timeout_s)
        finally:
            self._hub.leave(self)
        if self._is_gone:
            raise Lagged
        if self._rest:
            rest, self._rest = self._rest, b""
            wire.finish(rest)
