"""What does the child that fits a robot say to the page that started it? JSON on its standard output."""

from __future__ import annotations

import msgspec


class Compared(msgspec.Struct, frozen=True):
    """An error of the present parameters, and of the fit, as texts."""

    what: str
    before: str
    after: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. problem: why there is no fit; reasons: why it is refused; robot_yaml: '' unless it may be used.

    over: the parameter hash of the robot that it was compared with.
    """

    problem: str = ""
    reasons: list[str] = []
    errors: list[Compared] = []
    over: str = ""
    body: str = ""
    robot_yaml: str = ""
