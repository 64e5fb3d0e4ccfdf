"""What of strangers' text may reach a person's terminal? Letters, line ends and colours; nothing else that it would obey.

A program's output can hold sequences that rename the window, write to the clipboard, move the cursor over what stands
there, or hide a link's target.
"""

from __future__ import annotations

import re
from typing import Final

_RESET: Final = "\x1b[0m"
#: Colours and weight (group 1) may stay. The rest: other control sequences, those that end in a string terminator (operating
#: system commands and their like), two-character ones, and control characters, C1 among them.
_SEQUENCES: Final = re.compile(
    r"(\x1b\[[0-9;:]*m)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)


def output(text: str) -> str:
    r"""A program's output for a terminal. A colour that it left on ends with it.

    >>> output("\x1b]0;title\x07\x1b[31mred\x1b[2J\r\n")
    '\x1b[31mred\n\x1b[0m'
    """
    kept = _SEQUENCES.sub(lambda found: found[1] or "", text)
    return kept + _RESET if "\x1b" in kept else kept


def line(text: str) -> str:
    r"""A text of one line without anything but printable characters.

    >>> line("stopped\x1b[2J by\nanna")
    'stopped by anna'
    """
    spaced = _SEQUENCES.sub(lambda found: " " if found[0] in "\t\r\n" else "", text)
    return "".join(character if character.isprintable() else " " for character in spaced)
