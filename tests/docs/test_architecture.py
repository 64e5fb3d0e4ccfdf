"""ARCHITECTURE.md names what exists: every module, class and function in it, every process's entry point, every room."""

from __future__ import annotations

import ast
import re

import pytest

from tests.style.tree import PACKAGES, ROOT, modules, parsed

TEXT = (ROOT / "ARCHITECTURE.md").read_text()
NAMES = sorted(set(re.findall(rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)*)`", TEXT)))
PATHS = sorted(set(re.findall(r"(?:`|\()((?:\w+/)+[\w.]+)(?:`|\))", TEXT)))


def table(heading: str) -> list[list[str]]:
    """The cells of each row of the first table below a heading."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or a class, function or method in one."""
    module, inside = name, list[str]()
    while module not in modules():
        module, _, last = module.rpartition(".")
        inside.insert(0, last)
        if not module:
            return False
    body: list[ast.stmt] = parsed(modules()[module]).body
    for part in inside:
        found = [node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part]
        if not found:
            return False
        body = found[0].body
    return True


@pytest.mark.parametrize("name", NAMES)
def test_what_is_named_exists(name: str) -> None:
    assert exists(name), f"ARCHITECTURE.md names {name}, which isn't there (any more)"


@pytest.mark.parametrize("path", PATHS)
def test_files_and_folders_that_are_named_exist(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("row", table("Processes"), ids=lambda row: row[0])
def test_each_process_can_be_started_by_its_module(row: list[str]) -> None:
    name = row[1].strip("`")
    if f"{name}.__main__" in modules():
        return
    path = modules()[name]
    guarded = any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in parsed(path).body)
    assert guarded, f"`python -m {name}` does nothing"


def test_every_room_of_the_appliance_is_on_the_map() -> None:
    rooms = {".".join(path.parent.parts) for path in modules().values() if path.parts[0] == "appliance"}
    assert rooms <= {row[0].strip("`") for row in table("Rooms")}


@pytest.mark.parametrize("name", ["appliance.gone", "appliance.jobs.gone", "gym_raas.driver.Driver.gone", "gone"])
def test_what_is_gone_is_found(name: str) -> None:
    assert not exists(name)


def test_the_way_of_an_action_is_told_by_name() -> None:
    way = TEXT.split("\n## One action")[1].split("\n## ")[0]
    for part in ("driver", "wire", "job_socket", "wheel", "tick", "steering", "safety", "bridge", "twin.arm"):
        assert re.search(rf"`(gym_raas|appliance\.realtime)\.{re.escape(part)}\b", way), part
