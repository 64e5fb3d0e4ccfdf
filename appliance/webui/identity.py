"""Who submits? The name on a person's token; without one, the name that people give themselves, and where they are."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from appliance.webui.web import Request

NAME_COOKIE: Final = "raas_name"
_MAX_NAME_CHARACTERS: Final = 40


def submitter(request: Request) -> str:
    """Such as "anna@127.0.0.1"; "anonymous" for those who haven't said their name."""
    if request.person:
        return f"{request.person}@{request.remote or 'unknown'}"
    given = unquote(request.cookies.get(NAME_COOKIE, ""))
    name = "".join(character for character in given if character.isprintable() and character != "@")
    return f"{name.strip()[:_MAX_NAME_CHARACTERS] or 'anonymous'}@{request.remote or 'unknown'}"
