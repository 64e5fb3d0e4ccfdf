"""What would an object store do? The whole store in memory, with the semantics that S3 promises. No I/O.

Stands for a bucket in simulations and tests; the contract test holds it against real servers. Its clock has the
resolution of HTTP dates, one second, as S3's has.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance.federation.requests import Fetch, Get, GetMany, List, Put, Reply, Request, Row, Send, Status, Wait


@dataclass
class _Area:
    """A part of the names that grows at its end, in order; the row of each name beside it, so that a page is one slice."""

    names: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def keep(self, row: Row, *, is_new: bool) -> None:
        """Add a name, or give it another row."""
        if is_new and (not self.names or row.key > self.names[-1]):
            self.names.append(row.key)
            self.rows.append(row)
            return
        at = bisect_left(self.names, row.key)
        if is_new:
            self.names.insert(at, row.key)
            self.rows.insert(at, row)
        else:
            self.rows[at] = row


class ModelStore:
    """Objects by name. A `Send` keeps its hash instead of bytes unless `files` reads local files."""

    def __init__(
        self, files: Callable[[str], bytes] | None = None, write: Callable[[str, bytes], None] | None = None
    ) -> None:
        self._objects: dict[str, tuple[bytes, Row]] = {}
        self._areas: dict[str, _Area] = {}  # apart, or each result would move the whole queue
        self._files, self._write = files, write

    def __len__(self) -> int:
        return len(self._objects)

    def perform(self, request: Request, at_s: float) -> Reply:
        """The answer to a request that arrives at `at_s` on the server's clock; `now_s` is left to the caller."""
        date_s = float(math.floor(at_s))
        match request:
            case Get():
                return self._get(request, date_s)
            case Put():
                return self._put(request, date_s)
            case List():
                return self._list(request, date_s)
            case GetMany(keys=keys):
                return Reply(Status.OK, 0.0, date_s, replies=[self._get(Get(key), date_s) for key in keys])
            case Send():
                body = self._files(request.file) if self._files is not None else request.sha256.encode()
                self._keep(request.key, body, date_s)
                return Reply(Status.OK, 0.0, date_s)
            case Fetch():
                return self._fetch(request, date_s)
            case Wait():
                return Reply(Status.OK, 0.0, date_s)

    def forget_through(self, prefix: str, last: str) -> list[tuple[str, bytes, float]]:
        """Delete the names below `prefix` up to `last`, as an operator's lifecycle rule does; returns what was there."""
        area = self._area(prefix)
        low, high = bisect_right(area.names, prefix), bisect_right(area.names, last)
        gone = area.names[low:high]
        del area.names[low:high], area.rows[low:high]
        found = [(name, self._objects.pop(name)) for name in gone]
        return [(name, body, row.written_s) for name, (body, row) in found]

    def _get(self, request: Get, date_s: float) -> Reply:
        found = self._objects.get(request.key)
        if found is None:
            return Reply(Status.MISSING, 0.0, date_s)
        body, row = found
        if row.etag == request.unless_etag:
            return Reply(Status.UNCHANGED, 0.0, date_s, etag=row.etag, written_s=row.written_s)
        return Reply(Status.OK, 0.0, date_s, body, row.etag, row.written_s)

    def _put(self, request: Put, date_s: float) -> Reply:
        found = self._objects.get(request.key)
        if request.create and found is not None:
            return Reply(Status.TAKEN, 0.0, date_s)
        if request.if_etag and (found is None or found[1].etag != request.if_etag):
            return Reply(Status.TAKEN, 0.0, date_s)
        return Reply(Status.OK, 0.0, date_s, etag=self._keep(request.key, request.body, date_s).etag)

    def _keep(self, key: str, body: bytes, date_s: float) -> Row:
        row = Row(key, hashlib.md5(body, usedforsecurity=False).hexdigest(), date_s, len(body))
        self._area(key).keep(row, is_new=key not in self._objects)
        self._objects[key] = (body, row)
        return row

    def _area(self, key: str) -> _Area:
        """The names below the same `f/<fleet>/<area>/`, or of the same appliance."""
        parts = key.split("/", 4)
        name = "/".join(parts[: 4 if parts[2:3] == ["pi"] else 3])
        return self._areas.setdefault(name, _Area())

    def _list(self, request: List, date_s: float) -> Reply:
        if request.folders:
            folders = {_folder(name, request.prefix) for name in self.names(request.prefix)} - {""}
            rows = [Row(name, "", 0.0, 0) for name in sorted(folders) if name > request.after]
        elif request.prefix.count("/") >= (4 if request.prefix.split("/")[2:3] == ["pi"] else 3):
            area = self._area(request.prefix)
            start = bisect_right(area.names, max(request.after, request.prefix))
            rows = area.rows[start : start + request.limit + 1]
            if rows and not rows[-1].key.startswith(request.prefix):
                rows = [row for row in rows if row.key.startswith(request.prefix)]
        else:
            rows = [self._objects[name][1] for name in self.names(request.prefix) if name > request.after]
        return Reply(Status.OK, 0.0, date_s, rows=rows[: request.limit], truncated=len(rows) > request.limit)

    def names(self, prefix: str) -> list[str]:
        """All names below a prefix, in order."""
        return sorted(name for area in self._areas.values() for name in area.names if name.startswith(prefix))

    def _fetch(self, request: Fetch, date_s: float) -> Reply:
        found = self._objects.get(request.key)
        if found is None:
            return Reply(Status.MISSING, 0.0, date_s)
        if self._write is not None:
            if hashlib.sha256(found[0]).hexdigest() != request.sha256:
                return Reply(Status.MISSING, 0.0, date_s)
            self._write(request.file, found[0])
        return Reply(Status.OK, 0.0, date_s)


def _folder(name: str, prefix: str) -> str:
    """The folder below `prefix` that a name is in, with its slash; '' if it is in none."""
    inside, slash, _ = name.removeprefix(prefix).partition("/")
    return f"{prefix}{inside}{slash}" if name.startswith(prefix) and slash else ""
