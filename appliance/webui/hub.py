"""How does one event reach a hundred browsers? Rendered once, kept in a ring, read by everybody at their own pace.

A reader that falls so far behind that the ring has moved on is cut off; its browser connects again and catches up from
the store. So nobody loses an event, and a slow reader costs nobody anything.
"""

from __future__ import annotations

from collections import deque

from gevent.event import Event

RING_EVENTS = 1024


class Lagged(Exception):
    """The reader was too slow; it has to connect again."""


def rendered(kind: str, data: bytes, seq: int | None = None) -> bytes:
    """One server-sent event. `data` is JSON, so it has no line breaks; `seq` is what a browser resumes from."""
    number = b"" if seq is None else b"id: %d\n" % seq
    return b"event: %s\n%sdata: %s\n\n" % (kind.encode(), number, data)


class Hub:
    """The ring, and who waits at its end."""

    def __init__(self) -> None:
        self._ring: deque[bytes] = deque(maxlen=RING_EVENTS)
        self._written = 0
        self._wake = Event()

    def publish(self, event: bytes) -> None:
        """Append a rendered event and wake all readers."""
        self._ring.append(event)
        self._written += 1
        wake, self._wake = self._wake, Event()
        wake.set()

    def subscribe(self) -> Subscription:
        """A reader of everything from now on."""
        return Subscription(self)

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


class Subscription:
    """One reader's place in the ring."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._position = hub.position

    def next(self, timeout_s: float) -> bytes:
        """Everything new, as soon as there is something; empty after the timeout. Raises Lagged."""
        self._hub.wait(self._position, timeout_s)
        position = self._hub.position
        chunk = self._hub.after(self._position)
        self._position = position
        return chunk
