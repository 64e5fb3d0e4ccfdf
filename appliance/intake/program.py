"""Is there a `run.py` that Python can run? Looked at inside the confined child, before anything waits for the robot.

The host's Python compiles it, held to the grammar of the job image's version as far as `ast` can. Nothing is executed.
"""

from __future__ import annotations

import ast
import codecs
import stat
import sys
import warnings
from pathlib import Path
from typing import Final

from appliance.errors import BadSource

NAME: Final = "run.py"
PYTHON: Final = (3, 11)  # of the job image
_MAX_BYTES: Final = 4 << 20
_SHOWN: Final = 8
_LFS: Final = b"version https://git-lfs.github.com/spec/"
# A source may declare its encoding. In the confined child no module can be loaded any more, so these are loaded now.
_ENCODINGS: Final = (
    "utf-8-sig",
    "latin-1",
    "iso8859-15",
    "cp1252",
    "cp1251",
    "koi8-r",
    "gb18030",
    "shift_jis",
    "euc-kr",
)
for _encoding in _ENCODINGS:
    codecs.lookup(_encoding)


def top(names: dict[str, bool], what: str, in_top_folder: bool) -> str:
    """Where run.py lies: '' or the name of the single top folder. `names`: what stands at the top, True for folders.

    Raises BadSource that says what was found instead.
    """
    if NAME in names and not names[NAME]:
        return ""
    folders = [name for name, is_folder in names.items() if is_folder]
    if in_top_folder and len(names) == 1 and folders:
        return folders[0]
    raise BadSource(missing(names, what, in_top_folder))


def missing(names: dict[str, bool], what: str, in_top_folder: bool, inside: str = "") -> str:
    """The message for a source without run.py."""
    listed = sorted(f"{inside}{name}/" if is_folder else f"{inside}{name}" for name, is_folder in names.items())
    found = ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
    where = "at the root or in the single top folder" if in_top_folder else "at the root"
    similar = next((name for name in names if name.lower() == NAME and name != NAME), "")
    hint = f"Rename {similar} to {NAME}." if similar else f"Put {NAME} {where}."
    return f"The {what} has no {NAME} at its top (found: {found or 'nothing'}). {hint}"


def check(folder: Path) -> None:
    """Check `run.py` in `folder`: an ordinary file, not empty, that compiles. Raises BadSource."""
    path = folder / NAME
    if not stat.S_ISREG(path.lstat().st_mode):
        raise BadSource(f"{NAME} is not an ordinary file. Put the program itself there.")
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise BadSource(f"{NAME} is larger than {_MAX_BYTES >> 20} MiB. Move data out of it into files beside it.")
    source = path.read_bytes()
    if not source.strip():
        raise BadSource(f"{NAME} is empty. Write the program that drives the robot into it.")
    if source.startswith(_LFS):
        raise BadSource(f"{NAME} is kept in Git LFS, which is not fetched here. Commit it as an ordinary file.")
    _compile(source)


def _compile(source: bytes) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source, NAME, feature_version=PYTHON)
            compile(source, NAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise BadSource(_explain(error)) from error
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise BadSource(f"{NAME} can't be compiled by Python {_version()}: {error or type(error).__name__}.") from error


def _version() -> str:
    return ".".join(map(str, min(PYTHON, sys.version_info[:2])))


def _explain(error: SyntaxError) -> str:
    """The error with its line and a caret under the place, as Python shows it."""
    lines = [f"{NAME}, line {error.lineno}: {error.msg} (Python {_version()}). Correct it and submit again."]
    if error.text and error.offset is not None:
        text = error.text.rstrip("\n")
        stripped = text.lstrip()
        before = max(0, error.offset - 1 - (len(text) - len(stripped)))
        ends_here = error.end_lineno == error.lineno and error.end_offset is not None
        width = max(1, (error.end_offset or 0) - error.offset) if ends_here else 1
        if before <= 160:
            lines += [f"    {stripped[:200]}", "    " + " " * before + "^" * min(width, 200 - before)]
    return "\n".join(lines)
