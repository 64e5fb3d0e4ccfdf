"""What would an object store do? The whole store in memory, with the semantics that S3 promises. No I/O.

Stands for a bucket in simulations and tests; the contract test holds it against real servers. Its clock has the
resolution of HTTP dates, one second, as S3's has.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right, insort
from collections.abc import Callable

from appliance.federation.requests import Fetch, Get, GetMany, List, Put, Reply, Request, Row, Send, Status, Wait


class ModelStore:
    """Objects by name. A `Send` keeps its hash instead of bytes unless `files` reads local files."""

    def __init__(
        self, files: Callable[[str], bytes] | None = None, write: Callable[[str, bytes], None] | None = None
    ) -> None:
        self._objects: dict[str, tuple[bytes, Row]] = {}
        self._areas: dict[str, list[str]] = {}  # sorted names; apart, or each result would move the whole queue
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
        names = self._area(prefix)
        low, high = bisect_right(names, prefix), bisect_right(names, last)
        gone = names[low:high]
        del names[low:high]
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
        if key not in self._objects:
            names = self._area(key)
            if not names or key > names[-1]:
                names.append(key)
            else:
                insort(names, key)
        self._objects[key] = (body, row)
        return row

    def _area(self, key: str) -> list[str]:
        """The names below the same `f/<fleet>/<area>/`."""
        return self._areas.setdefault("/".join(key.split("/", 3)[:3]), [])

    def _list(self, request: List, date_s: float) -> Reply:
        if request.folders:
            names = sorted({_folder(name, request.prefix) for name in self._area(request.prefix)} - {""})
            names = [name for name in names if name > request.after]
            rows = [Row(name, "", 0.0, 0) for name in names[: request.limit]]
            return Reply(Status.OK, 0.0, date_s, rows=rows, truncated=len(names) > request.limit)
        area = self._area(request.prefix)
        start = bisect_right(area, max(request.after, request.prefix))
        names = area[start : start + request.limit + 1]
        rows = [self._objects[name][1] for name in names if name.startswith(request.prefix)]
        return Reply(Status.OK, 0.0, date_s, rows=rows[: request.limit], truncated=len(rows) > request.limit)

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
