"""Which programs can one start from? Those that come with gym_raas: to read, to download, to queue with one press."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from appliance.errors import NotFound
from appliance.shapes import SampleView
from appliance.webui.web import Request, Response, Site, json_response

#: The form's field that names one, and what may stand in it.
FIELD: Final = "sample"
NAMES: Final = ("swing_up", "trained", "random")
#: How the name of a sample's job begins, whoever queued it.
JOB_NAME: Final = "Sample: "
#: What Python leaves behind where somebody has run one.
_LEFT_OUT: Final = "__pycache__"


def install(site: Site) -> None:
    """Add the routes."""
    site.route("GET", "/api/samples", lambda _request: json_response(list(views())))
    site.route("GET", "/api/samples/<name>/run.py", program)


def program(request: Request) -> Response:
    """GET /api/samples/NAME/run.py: the program, to try it at home and change it."""
    text = find(request.arguments["name"]).program
    headers = {"Content-Disposition": 'attachment; filename="run.py"', "Cache-Control": "no-cache"}
    return Response(text.encode(), content_type="text/x-python; charset=utf-8", headers=headers)


@cache
def views() -> tuple[SampleView, ...]:
    """All of them, the one that is most worth watching first."""
    return tuple(_view(name) for name in NAMES)


def find(name: str) -> SampleView:
    """One of them. Raises NotFound."""
    found = next((view for view in views() if view.name == name), None)
    if found is None:
        raise NotFound(f"There is no sample of that name; there are {', '.join(NAMES)}.")
    return found


def packed(name: str) -> bytes:
    """A tar.gz of an example's folder, as somebody would send it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for file_name, data in _files(_folder(name)):
            entry = tarfile.TarInfo(file_name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def _files(folder: Traversable, inside: str = "") -> Iterator[tuple[str, bytes]]:
    """Names, with the folders that they lie in, and contents, in an order that stays."""
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_file():
            yield f"{inside}{entry.name}", entry.read_bytes()
        elif entry.name != _LEFT_OUT:
            yield from _files(entry, f"{inside}{entry.name}/")


def _folder(name: str) -> Traversable:
    return resources.files("gym_raas").joinpath("examples", name)


def _view(name: str) -> SampleView:
    """Its README begins with its title and a paragraph, of which the first sentence is shown."""
    title, _, rest = _folder(name).joinpath("README.md").read_text().strip().partition("\n")
    about = re.split(r"(?<=\.)\s", " ".join(rest.split()))[0]
    return SampleView(
        name=name, title=title.lstrip("# "), about=about, program=_folder(name).joinpath("run.py").read_text()
    )
