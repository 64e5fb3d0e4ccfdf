"""The ring behind the event stream, and who is written to directly, over the real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import gevent
import pytest
from gevent import socket

from appliance.webui import server
from appliance.webui.hub import RING_EVENTS, Hub, Lagged, Subscription, rendered
from appliance.webui.web import WIRE, Environ, StartResponse


@dataclass
class Line:
    """A connection that takes so many bytes at once, and the rest when it is waited for."""

    room: int = 1000
    broken: bool = False
    got: bytes = b""
    waited: list[bytes] = field(default_factory=list)

    def offer(self, plain: bytes, chunked: bytes) -> bytes:
        if self.broken:
            raise ConnectionResetError
        self.got += chunked[: self.room]
        return chunked[self.room :]

    def finish(self, rest: bytes) -> None:
        self.waited.append(rest)
        self.got += rest


def test_an_event_is_rendered_as_the_standard_wants_it() -> None:
    assert rendered("job", b'{"a":1}', 7) == b'event: job\nid: 7\ndata: {"a":1}\n\n'
    assert rendered("robot", b"{}") == b"event: robot\ndata: {}\n\n"


def test_each_reader_gets_all_events_since_its_last_look() -> None:
    hub = Hub()
    hub.publish(b"before ")
    reader = hub.subscribe()
    hub.publish(b"one ")
    hub.publish(b"two ")
    assert reader.next(0.0) == b"one two "
    assert reader.next(0.0) == b""
    hub.publish(b"three ")
    assert reader.next(0.0) == b"three "


def test_a_waiting_reader_is_woken_by_the_next_event() -> None:
    hub = Hub()
    waiting = [gevent.spawn(hub.subscribe().next, 5.0) for _ in range(3)]
    gevent.sleep(0)
    hub.publish(b"news")
    gevent.joinall(waiting, timeout=1.0)
    assert [each.value for each in waiting] == [b"news"] * 3


def test_a_reader_is_cut_off_when_the_ring_has_moved_on() -> None:
    hub = Hub()
    reader = hub.subscribe()
    for _ in range(RING_EVENTS):
        hub.publish(b".")
    assert len(reader.next(0.0)) == RING_EVENTS
    for _ in range(RING_EVENTS + 1):
        hub.publish(b".")
    with pytest.raises(Lagged):
        reader.next(0.0)


def test_whoever_takes_it_at_once_is_written_to_directly_and_not_woken() -> None:
    hub, line = Hub(), Line()
    follower = gevent.spawn(hub.subscribe(line).next, 5.0)
    gevent.sleep(0)
    hub.publish(b"one")
    hub.publish(b"two")
    assert line.got == b"3\r\none\r\n3\r\ntwo\r\n"
    gevent.sleep(0)
    assert not follower.ready()
    follower.kill()
    hub.publish(b"three")
    assert b"three" not in line.got, "who has gone is forgotten"


def test_whoever_takes_only_a_part_is_sent_the_rest_and_what_came_meanwhile_in_order() -> None:
    hub, line = Hub(), Line(room=4)
    reader = hub.subscribe(line)
    follower = gevent.spawn(reader.next, 5.0)
    gevent.sleep(0)
    hub.publish(b"one")
    hub.publish(b"two")
    follower.join(1.0)
    assert (line.got, line.waited) == (b"3\r\none\r\n", [b"ne\r\n"])
    assert follower.value == b"two", "for its own greenlet to send"
    line.room = 1000
    again = gevent.spawn(reader.next, 5.0)
    gevent.sleep(0)
    hub.publish(b"three")
    assert line.got.endswith(b"5\r\nthree\r\n")
    again.kill()


def test_a_broken_connection_ends_its_reader_alone() -> None:
    hub, good, broken = Hub(), Line(), Line(broken=True)
    readers = [gevent.spawn(_ended, hub.subscribe(line)) for line in (broken, good)]
    gevent.sleep(0)
    hub.publish(b"news")
    readers[0].join(1.0)
    assert readers[0].value is True
    assert b"news" in good.got
    readers[1].kill()


def _ended(reader: Subscription) -> bool:
    try:
        reader.next(5.0)
    except Lagged:
        return True
    return False


@pytest.mark.parametrize("version", [b"1.1", b"1.0"], ids=["chunked", "plain"])
def test_a_viewer_who_stops_reading_for_a_while_misses_nothing(version: bytes) -> None:
    hub, events = Hub(), [b"<%d:%b>" % (number, b"x" * 30_000) for number in range(200)]

    def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        reader = hub.subscribe(environ[WIRE])
        yield b"begin"
        while True:
            yield reader.next(5.0)

    listener = server.listen("127.0.0.1", 0)
    web = server.serve(stream, listener)
    with socket.create_connection(listener.getsockname()) as viewer:
        viewer.sendall(b"GET / HTTP/%b\r\nHost: localhost\r\n\r\n" % version)
        received = b""
        while b"begin" not in received:
            received += viewer.recv(1000)
        for event in events:
            hub.publish(event)
            gevent.sleep(0)
        viewer.settimeout(5.0)
        while not received.rstrip(b"\r\n").endswith(b"x>") or b"<199:" not in received:
            received += viewer.recv(1 << 20)
    web.stop(timeout=1)
    assert _unchunked(received) == b"begin" + b"".join(events)


def _unchunked(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return body
    content = b""
    while body:
        length, _, body = body.partition(b"\r\n")
        content, body = content + body[: int(length, 16)], body[int(length, 16) + 2 :]
    return content
