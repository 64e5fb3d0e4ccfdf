"""How do style sheets and scripts get to the browser? From memory, compressed once.

Their address holds a hash and so never changes its content: a browser asks for each file once.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.webui.web import Refusal, Request, Response, Site

FOLDER: Final = Path(__file__).with_name("static")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}


@dataclass(frozen=True)
class StaticFile:
    """One file, as it is and compressed."""

    content: bytes
    compressed: bytes
    content_type: str


class StaticFiles:
    """All files of a folder. `prefix` holds a hash of all of them; modules find each other by relative addresses."""

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _TYPES and path.is_file())
        self._files = {path.relative_to(folder).as_posix(): _load(path) for path in paths}
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(name.encode() + b"\0" + file.content)
        self.prefix = f"/static/{digest.hexdigest()[:12]}"

    def install(self, site: Site) -> None:
        """Add the route. Any hash is answered: a page that was loaded before an update still finds its files."""
        site.route("GET", "/static/<version>/<name:path>", self.serve)

    def serve(self, request: Request) -> Response:
        """GET /static/HASH/NAME."""
        file = self._files.get(request.arguments["name"])
        if file is None:
            raise Refusal(404, "not_found", "There is no such file.")
        current = f"/static/{request.arguments['version']}" == self.prefix
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "Vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return Response(
                file.compressed, content_type=file.content_type, headers=headers | {"Content-Encoding": "gzip"}
            )
        return Response(file.content, content_type=file.content_type, headers=headers)


def _load(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix])
