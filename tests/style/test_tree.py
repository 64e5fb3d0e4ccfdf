"""What must and must not be in the tree, beyond what linters know."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from image_build import apt_sources
from tests.style.tree import PACKAGES, ROOT, files, modules, parsed

BANNED_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
MOST_TYPE_IGNORES = 10
# STYLE: 300 and 50 are a lot. These leave room for the one that reads better whole.
LONGEST_MODULE_LINES = 350
LONGEST_FUNCTION_LINES = 60
LOCKS = [path for path in files() if path.match("requirements*.txt") or path.match("image_build/job-*.txt")]


def test_every_module_says_which_question_it_answers() -> None:
    mute = [str(path) for path in modules().values() if not ast.get_docstring(parsed(path))]
    assert not mute, f"no docstring at the top of {mute}"


def test_a_module_bears_its_noun() -> None:
    vague = [str(path) for path in files() if path.suffix == ".py" and BANNED_NAMES & set(path.with_suffix("").parts)]
    assert not vague, f"name these after what they hold: {vague}"


def test_modules_stay_readable_in_one_sitting() -> None:
    long = {str(path): lines for path in modules().values() if (lines := _code_lines(path)) > LONGEST_MODULE_LINES}
    assert not long, f"over {LONGEST_MODULE_LINES} lines of code; find the second question that they answer: {long}"


def test_functions_are_short() -> None:
    functions = (
        (path, node, node.end_lineno - node.body[0].lineno + 1)
        for path in modules().values()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    )
    long = [f"{p}:{n.lineno} {n.name} ({lines} lines)" for p, n, lines in functions if lines > LONGEST_FUNCTION_LINES]
    assert not long, f"over {LONGEST_FUNCTION_LINES} lines:\n" + "\n".join(long)


def test_type_ignores_are_few_and_have_reasons() -> None:
    found = [
        (f"{path}:{number}", line)
        for path in modules().values()
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore", line)
    ]
    unexplained = [place for place, line in found if not re.search(r"type: ignore\[[\w, -]+\]\s+#\s+\w+", line)]
    assert not unexplained, f"write `# type: ignore[code]  # why`: {unexplained}"
    assert len(found) <= MOST_TYPE_IGNORES, [place for place, _ in found]


def test_ignored_lint_rules_have_reasons() -> None:
    section = (ROOT / "pyproject.toml").read_text().split("[tool.ruff.lint]")[1].split("[tool.ruff.lint.mccabe]")[0]
    ignored = section[section.index("ignore = [") :]
    bare = [line.strip() for line in ignored.splitlines() if re.match(r'^ +"[A-Z]+\d*",', line) and "#" not in line]
    assert not bare, f"each ignored rule needs its reason beside it: {bare}"


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    # Put together here, so that this file doesn't find itself.
    known = [r"pypi\.org", r"pythonhosted\.org", r"npmjs\.(org|com)", r"yarnpkg\.com", r"deb\.debian\.org"]
    folders = [r"(?<![\w.~-])/" + name + "/" for name in ("work", "root", "opt", "farm")]
    places = re.compile("|".join([*known, *map(re.escape, configured_hosts()), *folders]))
    found = []
    for path in files():
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{n}: {line.strip()[:120]}" for n, line in enumerate(text.splitlines(), 1) if places.search(line)
        ]
    assert not found, "clients and machines are configured elsewhere:\n" + "\n".join(found)


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_locks_are_hashed_and_name_no_address(lock: Path) -> None:
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^([\w.-]+)==.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[\w.-]+", text, re.MULTILINE)), "every line is pinned and has a hash"
    assert not re.search(r"://|^-|^ *--(?!hash=)", text, re.MULTILINE), "no address and no option"


def test_the_locks_agree_with_each_other() -> None:
    versions = [
        dict(re.findall(r"^([\w.-]+==[^ ]+) ;?([^\\]*)", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS
    ]
    pins: dict[tuple[str, str], set[str]] = {}
    for lock in versions:
        for pin, marker in lock.items():
            name, version = pin.split("==")
            pins.setdefault((name, marker.strip()), set()).add(version)
    assert not {name: found for name, found in pins.items() if len(found) > 1}


def test_the_npm_lock_names_no_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert all("resolved" not in package for package in lock["packages"].values())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_gym_raas_packages_every_folder_with_code() -> None:
    listed = tomllib.loads((ROOT / "gym_raas/pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(path.parent.parts) for path in modules().values() if path.parts[0] == "gym_raas"}
    assert folders == set(listed), "list every package in gym_raas/pyproject.toml"


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in modules().values()}
    bare = [str(folder) for folder in folders if folder / "__init__.py" not in modules().values()]
    assert not bare, f"no __init__.py in {bare}"
    assert {path.parts[0] for path in modules().values()} == set(PACKAGES)


def configured_hosts() -> set[str]:
    """Hosts that this machine's package clients are pointed at; numeric addresses say nothing."""
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    text = pip + "".join(apt_sources.read().values())
    return {host for host in re.findall(r"https?://(?:[^@/\s]*@)?([\w.-]+)", text) if re.search("[a-z]", host)} - {
        "localhost"
    }


def _code_lines(path: Path) -> int:
    """Lines with code: neither blank, nor comments, nor docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings: set[int] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            docstrings.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = (ROOT / path).read_text().splitlines()
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in docstrings
        for number, line in enumerate(lines, 1)
    )
