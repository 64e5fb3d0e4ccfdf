"""The guard's own connection to pigpiod, on an event loop, with the twin and with a pigpiod that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Iterator

import pigpio
import pytest

from appliance.realtime.off_link import OffLink
from appliance.realtime.pins_off import REPEAT_S, Link
from tests.realtime.loop_process import running_twin

PINS = (13, 19)


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    with running_twin(tmp_path_factory.mktemp("t")) as (_, port):
        yield Link("127.0.0.1", port)


@contextlib.asynccontextmanager
async def connected(link: Link) -> AsyncIterator[OffLink]:
    off = OffLink(link, PINS)
    task = asyncio.create_task(off.run())
    for _ in range(2000):
        if off.is_connected:
            break
        await asyncio.sleep(0.005)
    assert off.is_connected
    yield off
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_off_is_verified_after_it_was_repeated_long_enough(link: Link) -> None:
    client = pigpio.pi(link.host, link.port, show_errors=False)
    client.set_PWM_dutycycle(13, 200)

    async def scenario() -> tuple[bool, float]:
        async with connected(link) as off:
            since_s = asyncio.get_running_loop().time()
            return await off.switch_off(5.0), asyncio.get_running_loop().time() - since_s

    verified, took_s = asyncio.run(scenario())
    assert verified
    assert took_s >= REPEAT_S
    assert client.read(13) == 0
    client.stop()


def test_asking_again_makes_a_running_off_last_longer(link: Link) -> None:
    async def scenario() -> float:
        async with connected(link) as off:
            now_s = asyncio.get_running_loop().time
            running = asyncio.create_task(off.switch_off(5.0))
            await asyncio.sleep(REPEAT_S * 0.8)
            asked_s = now_s()
            off.fire()
            assert await running
            return now_s() - asked_s

    assert asyncio.run(scenario()) >= REPEAT_S


def test_without_pigpiod_it_gives_up_in_time_and_says_so() -> None:
    async def scenario() -> bool:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await OffLink(Link("127.0.0.1", port), PINS).switch_off(0.2)

    assert asyncio.run(scenario()) is False


def test_a_pigpiod_that_hangs_is_left_and_tried_anew() -> None:
    connections = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        if len(connections) == 1:
            return  # reads nothing, answers nothing
        while data := await reader.readexactly(16):
            command, pin, _, _ = struct.unpack("<4I", data)
            writer.write(struct.pack("<IIIi", command, pin, 0, -92 if command == 83 else 0))

    async def scenario() -> bool:
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with server, connected(Link("127.0.0.1", server.sockets[0].getsockname()[1])) as off:
            verified = await off.switch_off(10.0)
            for writer in connections:
                writer.close()
            return verified

    assert asyncio.run(scenario())
    assert len(connections) == 2
