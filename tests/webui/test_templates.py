"""What every page shares stays what it is, whatever a page's loops are over; what scrolls is reached by keyboard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.webui.app import TEMPLATES

LAYOUT = (TEMPLATES / "layout.html").read_text()
PAGES = sorted(path for path in TEMPLATES.glob("*.html") if path.name != "layout.html")
_LOOP = re.compile(r"^\s*% *for (.+?) in ", re.MULTILINE)
_SET = re.compile(r"^\s*% *(\w+) *= ", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")


def bound(text: str) -> set[str]:
    """The names that a template gives another value, which then holds in its layout too."""
    return {word for names in (*_LOOP.findall(text), *_SET.findall(text)) for word in _WORD.findall(names)}


def wanted(text: str) -> set[str]:
    """The names that a template takes from outside: all that it says in Python, but for what it binds itself."""
    said = [*re.findall(r"\{\{!?(.+?)\}\}", text), *re.findall(r"^\s*%(.+)$", text, re.MULTILINE)]
    return {word for part in said for word in _WORD.findall(re.sub(r"'[^']*'", "", part))} - bound(text)


def test_the_layout_takes_what_it_is_said_to_take() -> None:
    assert {"appliance_name", "title", "robot", "role", "static", "page"} <= wanted(LAYOUT)
    assert bound("% for name, (label, _) in rooms.items():\n% text = 1\n") == {"name", "label", "_", "text"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_gives_another_value_to_what_the_layout_shows(page: Path) -> None:
    assert bound(page.read_text()) & wanted(LAYOUT) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_scrolls_is_reached_by_the_keyboard(page: Path) -> None:
    assert all("tabindex=" in opening for opening in re.findall(r"<pre[^>]*>", page.read_text()))
