"""Which programs can one start from? Those that come with gym_raas: to read, to download, to queue with one press."""

from __future__ import annotations

import io
import tarfile
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from appliance.errors import NotFound
from appliance.shapes import SampleView
from appliance.webui.web import Request, Response, Site, json_response

#: The form's field that names one, and what may stand in it.
FIELD: Final = "sample"
NAMES: Final = ("swing_up", "random")
#: How the name of a sample's job begins, whoever queued it.
JOB_NAME: Final = "Sample: "
_FILES: Final = ("run.py", "README.md")


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
        for file_name in _FILES:
            data = _folder(name).joinpath(file_name).read_bytes()
            entry = tarfile.TarInfo(file_name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def _folder(name: str) -> Traversable:
    return resources.files("gym_raas").joinpath("examples", name)


def _view(name: str) -> SampleView:
    """Its README begins with its title, an empty line or none, and one sentence on a line."""
    title, about = [line for line in _folder(name).joinpath("README.md").read_text().splitlines() if line][:2]
    return SampleView(
        name=name, title=title.lstrip("# "), about=about, program=_folder(name).joinpath("run.py").read_text()
    )
