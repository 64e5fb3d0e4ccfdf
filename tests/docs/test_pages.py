"""Every page of the documents: what it links to, what it tells to type and what it tells to set exists."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from appliance import config
from appliance.cli.app import app
from appliance.realtime.kinds.handling import Handling
from gym_raas.kinds.kind import Kind
from image_build.sd import setup_file
from tests.style.tree import files, modules

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "hardware/README.md",
]
KEYS = {option.key: option for option in config.options()}
RAAS = typer.main.get_command(app)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page: Path) -> list[str]:
    """Command lines of `raas`: in backticks, and in blocks of code with their continuations."""
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^(?:    )?(?:sudo )?(raas [^\n]*)$", text, re.MULTILINE)
    return [re.split(r"\s{2,}|\s#", line)[0] for line in [*blocks, *re.findall(r"`(raas [^`\n]+)`", text)]]


def complaint(line: str) -> str:
    """What is wrong with a command line: a command or an option that doesn't exist; empty if all is well."""
    command: Any = RAAS
    known = {option for each in command.params for option in each.opts} | {"--help", "-h"}
    for word in shlex.split(line.rstrip(" :."))[1:]:
        inner = getattr(command, "commands", {})
        if word in inner:
            command = inner[word]
            known |= {option for each in command.params for option in each.opts}
        elif word.startswith("-") and word not in known:
            return f"`{command.name}` has no option {word!r}"
        elif inner and command is not RAAS and not word.startswith("-"):
            return f"`{command.name}` has no command {word!r}"
    return "" if command is not RAAS or "--help" in line else "there is no such command"


@each_page
def test_its_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), f"{target}: there are {sorted(anchors(linked))}"


@each_page
def test_its_commands_and_their_options_exist(page: Path) -> None:
    wrong = [f"{line}: {said}" for line in commands(page) if (said := complaint(line))]
    assert not wrong, "\n".join(wrong)


@each_page
def test_its_make_targets_and_modules_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z][a-z-]*)", text)) <= targets
    started = set(re.findall(r"-m ((?:appliance|image_build|hardware|tests)[\w.]*)", text))
    paths = {".".join(path.with_suffix("").parts) for path in files() if path.suffix == ".py"}
    plain = {path.removesuffix(".__init__").removesuffix(".__main__") for path in paths}
    assert started <= plain | set(modules())


@each_page
def test_the_settings_that_it_names_exist(page: Path) -> None:
    sections = "|".join(sorted({key.partition(".")[0] for key in KEYS if "." in key}))
    named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)[`:]", page.read_text()))
    assert {name for name in named if not name.endswith((".py", ".yaml", ".dockerfile"))} <= set(KEYS)


@pytest.mark.parametrize("line", ["raas sumbit x", "raas submit x --folow", "raas fleet forget pi", "raas nothing"])
def test_commands_that_dont_exist_are_found(line: str) -> None:
    assert complaint(line)


def test_the_owners_table_says_the_defaults() -> None:
    text = (ROOT / "docs/owner.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| (?:`([^`]*)`|) \|", text, re.MULTILINE)
    assert len(rows) > 8
    for key, default in rows:
        known = KEYS[key].default
        assert default == (str(known).lower() if isinstance(known, bool) else str(known)), key


def test_the_owners_files_are_accepted() -> None:
    blocks = re.findall(r"```yaml (\w+)\n(.*?)```", (ROOT / "docs/owner.md").read_text(), re.DOTALL)
    (card,) = (text for kind, text in blocks if kind == "card")
    told, problems = setup_file.parse(card)
    assert not problems
    assert told.hostname == "pendulum"
    read = [config.parse(text, "owner.md") for kind, text in blocks if kind == "config"]
    assert [each.robot.stop_pin for each in read if each.robot.stop_pin >= 0] == [26]


def test_the_cart_of_another_robot_goes_to_the_middle(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/another-robot.md").read_text(), re.DOTALL)
    (tmp_path / "run.py").write_text(program)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout.split()[0])) < 2.0


def test_every_file_and_module_that_another_robot_needs_is_there() -> None:
    text = (ROOT / "docs/another-robot.md").read_text()
    named = re.findall(r"`((?:gym_raas|appliance|tests)/[\w./]+)`", text)
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]
    dotted = re.findall(r"`((?:gym_raas|appliance)\.[a-z_.]+?)(?:\.[A-Z]\w+)?`", text)
    assert len(dotted) > 6
    assert not [name for name in dotted if name not in modules() and not (ROOT / name.replace(".", "/")).is_dir()]


@pytest.mark.parametrize("kind", [Kind, Handling])
def test_another_robot_names_all_that_is_to_be_said_of_a_kind(kind: type) -> None:
    text = (ROOT / "docs/another-robot.md").read_text()
    rest = text.partition(f"| part of a {kind.__name__} |")[2]
    parts = set(
        re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in rest.splitlines()[2:] if line.startswith("|")))
    )
    given = {each.name for each in dataclasses.fields(kind)} - {"vector", "kind"}
    assert given <= parts


def test_the_comparison_gives_a_way_to_check_each_line() -> None:
    text = (ROOT / "docs/comparison.md").read_text()
    rows = [
        line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ") and "| check |" not in line
    ]
    assert len(rows) > 20
    assert all(len(row) == 4 and row[3].strip() for row in rows)


def test_what_is_marked_pi_is_on_the_list_of_what_needs_one() -> None:
    page = (ROOT / "docs/needs-a-pi.md").read_text()
    mark = "pytest.mark." + "pi"
    marked = [str(path) for path in files() if path.match("tests/**/*.py") and re.search(rf"{mark}\b", read(path))]
    assert [path for path in marked if path not in page] == []


def read(path: Path) -> str:
    return (ROOT / path).read_text()
