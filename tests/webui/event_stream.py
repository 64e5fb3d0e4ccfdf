"""A browser's end of the event stream."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Happening:
    kind: str
    id: str
    data: Any


class Listener:
    def __init__(self, port: int, last_id: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", "/api/events", headers={"Last-Event-ID": last_id} if last_id else {})
        self.response = self._connection.getresponse()

    def next(self) -> Happening:
        """The next event; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.response.readline().decode()
            assert line, "the stream ended"
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            elif "event" in fields:
                return Happening(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            else:
                fields = {}

    def until(self, kind: str, **facts: object) -> Happening:
        """The next event of this kind whose data has these values."""
        while True:
            happening = self.next()
            if happening.kind == kind and all(happening.data[key] == value for key, value in facts.items()):
                return happening

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.response.close()
        self._connection.close()
