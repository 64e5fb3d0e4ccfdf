"""A wire that can be cut: stands between everybody and the twin, and passes on, delays, cuts, spoils or loses.

`python -m tests.realtime.chaos.bad_link TARGET_PORT PORT_FILE`, a process of its own. It is told what to do by lines on stdin:
`pass`, `cut`, `delay SECONDS`, `errors`, `gap` (one report), `deaf` (all reports from now on).
"""

from __future__ import annotations

import asyncio
import struct
import sys
from pathlib import Path

REPLY = struct.Struct("<IIIi")
REPORT_BYTES = 12
NOIB = 99


class BadLink:
    """All connections through the wire, and its present habit."""

    def __init__(self, target_port: int) -> None:
        self._port = target_port
        self._habit, self._delay_s = "pass", 0.0
        self._writers: set[asyncio.StreamWriter] = set()

    def obey(self, line: str) -> None:
        self._habit, _, value = line.partition(" ")
        self._delay_s = float(value or 0.0)
        if self._habit == "cut":
            for writer in self._writers:
                writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._habit == "cut":
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, far_writer}
        streams = asyncio.Event()
        try:
            await asyncio.gather(
                self._carry(reader, far_writer, streams, back=False),
                self._carry(far_reader, writer, streams, back=True),
            )
        finally:
            self._writers -= {writer, far_writer}
            for end in (writer, far_writer):
                end.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, streams: asyncio.Event, *, back: bool
    ) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(self._send(waiting, writer))
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(65536):
                if not back and len(data) >= 4 and int.from_bytes(data[:4], "little") == NOIB:
                    streams.set()
                if back and streams.is_set() and self._habit in ("gap", "deaf") and len(data) % REPORT_BYTES == 0:
                    data = data[REPORT_BYTES:] if self._habit == "gap" else b""
                    self._habit = "pass" if self._habit == "gap" else self._habit
                if back and self._habit == "errors" and not streams.is_set() and len(data) % REPLY.size == 0:
                    data = b"".join(REPLY.pack(*fields[:3], -1) for fields in REPLY.iter_unpack(data))
                waiting.put_nowait((loop.time() + self._delay_s, data))
        except OSError:
            pass
        finally:
            sender.cancel()
            writer.transport.abort()

    async def _send(self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due_s, data = await waiting.get()
            await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))
            writer.write(data)


async def main(target_port: int, port_file: Path) -> None:
    link = BadLink(target_port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    draft = port_file.with_suffix(".new")
    draft.write_text(str(server.sockets[0].getsockname()[1]))
    draft.replace(port_file)
    while line := await orders.readline():
        link.obey(line.decode().strip())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
