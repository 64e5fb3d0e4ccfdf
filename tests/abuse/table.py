"""The attacks as a table for people. `python -m tests.abuse.table` puts it into docs/security.md."""

from __future__ import annotations

import re
from pathlib import Path

from tests.abuse.programs import PROGRAMS

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
_MARKED = re.compile(r"(<!-- attacks:[^\n]*\n).*?(<!-- end -->)", re.DOTALL)


def page() -> str:
    """What the page says, with the table of the present programs."""
    rows = [
        f"| {program.name.replace('_', ' ')} | {program.tries} | {program.holds} | {program.state} |"
        for program in PROGRAMS
    ]
    table = "\n".join(["| attack | tries | what holds | job ends |", "|---|---|---|---|", *rows])
    return _MARKED.sub(lambda found: f"{found[1]}{table}\n{found[2]}", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
