"""What does the child that fits a robot say to the page that started it? JSON on its standard output."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. problem: why there is no fit; reasons: why it is refused; robot_yaml: '' unless it may be used."""

    problem: str = ""
    reasons: list[str] = []
    said: str = ""
    body: str = ""
    robot_yaml: str = ""
