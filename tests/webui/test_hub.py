"""The ring behind the event stream."""

from __future__ import annotations

import gevent
import pytest

from appliance.webui.hub import RING_EVENTS, Hub, Lagged, rendered


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
