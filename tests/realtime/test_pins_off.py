from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pigpio
import pytest

from appliance.errors import RobotError
from appliance.realtime.pins_off import Link, OffRound, switch_off
from tests.realtime.loop_process import running_twin

PINS = (13, 19)


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    with running_twin(tmp_path_factory.mktemp("t")) as (_, port):
        yield Link("127.0.0.1", port)


@pytest.fixture
def client(link: Link) -> Iterator[pigpio.pi]:
    client = pigpio.pi(link.host, link.port, show_errors=False)
    yield client
    client.stop()


@pytest.mark.parametrize("drive", ["software", "hardware", "level"])
def test_whatever_drives_the_pins_is_switched_off(link: Link, client: pigpio.pi, drive: str) -> None:
    if drive == "software":
        client.set_PWM_dutycycle(13, 200)
    elif drive == "hardware":
        client.hardware_PWM(13, 8000, 500_000)
    else:
        client.write(19, 1)
    switch_off(link, PINS)
    assert [client.read(pin) for pin in PINS] == [0, 0]
    for pin in PINS:
        with pytest.raises(pigpio.error):
            client.get_PWM_dutycycle(pin)


def test_a_machine_without_pigpiod_is_told_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(RobotError, match="without the robot's hardware"):
            switch_off(Link("127.0.0.1", unused.getsockname()[1]), PINS)


@pytest.mark.parametrize("answer", ["nothing", "still on"])
def test_off_that_cant_be_verified_is_never_called_off(answer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(4096):
                    if answer == "still on":
                        for command, pin, _, _ in struct.iter_unpack("<4I", data):
                            connection.sendall(struct.pack("<4I", command, pin, 0, 128 if command == 83 else 0))

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(RobotError, match="12 V"):
            switch_off(Link("127.0.0.1", server.getsockname()[1]), PINS, timeout_s=0.3)
        thread.join()


def test_only_low_pins_without_pwm_count_as_off() -> None:
    off = OffRound(PINS)
    replies = [(4, 13, 0, 0), (4, 19, 0, 0), (83, 13, 0, -92), (83, 19, 0, -92), (3, 13, 0, 0), (3, 19, 0, 0)]
    assert off.is_off(b"".join(struct.pack("<IIIi", *reply) for reply in replies))
    for place in range(len(replies)):
        wrong = [*replies]
        wrong[place] = (*wrong[place][:3], 1)
        assert not off.is_off(b"".join(struct.pack("<IIIi", *reply) for reply in wrong))


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":8888", "host:", "host:0", "host:99999", "host:x", "host:-1"])
def test_a_link_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RobotError, match="HOST:PORT"):
        Link.parse(text)


def test_links_are_read_and_written_alike() -> None:
    assert Link.parse("127.0.0.1:8888") == Link("127.0.0.1", 8888)
    assert Link.parse("[::1]:8888").host == "::1"
    assert str(Link.parse("localhost:1")) == "localhost:1"
