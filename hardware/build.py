"""Draw the wiring, make and picture the printed parts, and put the tables into the guide: `make hardware`.

Needs WireViz, Graphviz, OpenSCAD and Xvfb, which `make hardware` installs. Models go to build/hardware, pictures that the
guide shows to hardware/pictures, with a sum over all sources, so that a test can tell when they are stale.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import yaml

from hardware import sources

MODELS: Final = sources.HERE.parent / "build" / "hardware"
PICTURES: Final = sources.HERE / "pictures"
GUIDE: Final = sources.HERE / "README.md"
SUM: Final = PICTURES / "sources.sha256"
_PICTURE: Final = ("--imgsize=640,480", "--viewall", "--autocenter", "--colorscheme=Tomorrow", "--render=true")
_TABLE: Final = re.compile(r"(<!-- (\w+): made by make hardware -->\n).*?(\n<!-- end -->)", re.DOTALL)


def main() -> None:
    """Make everything anew."""
    for program in ("wireviz", "dot", "openscad", "xvfb-run"):
        if shutil.which(program) is None:
            sys.exit(f"{program} isn't installed; `make hardware` installs what is needed.")
    MODELS.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(exist_ok=True)
    _draw_wiring()
    for part in sources.PARTS:
        _make_part(part)
    GUIDE.write_text(with_tables(GUIDE.read_text()))
    SUM.write_text(sum_of_sources() + "\n")
    print(f"models in {MODELS.relative_to(Path.cwd())}, pictures in {PICTURES.relative_to(Path.cwd())}")


def sum_of_sources() -> str:
    """SHA-256 over what the pictures are made of."""
    digest = hashlib.sha256()
    for path in sources.PARTS:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    digest.update(repr((sorted(parameters().items()), sources.drawings())).encode())
    return digest.hexdigest()


def parameters() -> dict[str, float]:
    """Lengths in mm from the bill of materials, for all parts."""
    return {name: value for item in sources.items() for name, value in item.parameters.items()}


def with_tables(text: str) -> str:
    """The guide with its tables made from their sources."""
    tables = {"pins": sources.pin_table, "parts": sources.bill_table}
    return _TABLE.sub(lambda found: found[1] + tables[found[2]]() + found[3], text)


def _draw_wiring() -> None:
    for name, content in sources.drawings().items():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, f"{name}.yaml")
            copy.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
            _run("wireviz", "--format", "s", str(copy))
            shutil.copy(copy.with_suffix(".svg"), PICTURES)
        print(f"drawn {name}.svg")


def _make_part(part: Path) -> None:
    known = set(re.findall(r"^(\w+) = ", part.read_text(), re.MULTILINE))
    given = [f"-D{name}={value:g}" for name, value in parameters().items() if name in known]
    _run("openscad", "-o", str(MODELS / f"{part.stem}.stl"), *given, str(part))
    _run("xvfb-run", "-a", "openscad", "-o", str(PICTURES / f"{part.stem}.png"), *_PICTURE, *given, str(part))
    print(f"made {part.stem}.stl")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    main()
