"""What is in the tree? Tracked and new files, and the import graph of our packages, for the gates beside this file."""

from __future__ import annotations

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("appliance", "gym_raas", "image_build")


@cache
def files() -> tuple[Path, ...]:
    """Every file that git has or would take, relative to the root, whoever owns the checkout."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = (Path(name) for name in sorted(set(listed.split("\0"))) if name)
    return tuple(path for path in paths if (ROOT / path).is_file())


@dataclass(frozen=True)
class Import:
    """One imported module: the importing module, what it imports, and where it says so."""

    importer: str
    imported: str
    line: int
    deferred: bool
    typing_only: bool


@cache
def modules() -> dict[str, Path]:
    """Our modules by dotted name."""
    found = {}
    for path in files():
        if path.suffix == ".py" and path.parts[0] in PACKAGES and "examples" not in path.parts:
            parts = path.with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(), str(path))


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every module of ours."""
    return tuple(found for name, path in modules().items() for found in _imports_of(name, parsed(path)))


def _imports_of(importer: str, module: ast.Module) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, deferred: bool, typing_only: bool) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` imports the module, `from module import name` the module that has the name.
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules() else node.module for name in full]
        else:
            names = []
        found.extend(Import(importer, name, getattr(node, "lineno", 0), deferred, typing_only) for name in names)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            deferred = True
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only = True
        for child in ast.iter_child_nodes(node):
            visit(child, deferred, typing_only)

    visit(module, False, False)
    return found


def where(found: Import) -> str:
    """The place of an import as editors understand it."""
    return f"{modules()[found.importer]}:{found.line}"
