"""Imports flow one way: pure core, then shells, then loops, then the entry points. See ARCHITECTURE.md."""

from __future__ import annotations

import itertools
import sys
import tomllib
from dataclasses import dataclass
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.style.tree import ROOT, Import, imports, modules, where


@dataclass(frozen=True)
class Rule:
    """Modules below `who` import none of `not_these` (modules or packages), because `reason`."""

    who: str
    not_these: tuple[str, ...]
    reason: str


INPUT_OUTPUT = ("docker", "multiprocessing", "os", "pathlib", "select", "socket", "sqlite3", "subprocess", "threading")
PURE = (*INPUT_OUTPUT, "time", "zmq", "requests", "boto3", "gevent", "bottle", "pigpio")
PURE_REASON = "it is pure core: no socket, file, clock, process or I/O library"
PURE_MODULES = (
    "appliance.care.doctor",
    "appliance.care.finding",
    "appliance.care.machine_checks",
    "appliance.care.redaction",
    "appliance.care.robot_checks",
    "appliance.care.service_checks",
    "appliance.care.snapshot",
    "appliance.federation.agent",
    "appliance.federation.bell",
    "appliance.federation.claiming",
    "appliance.federation.compaction",
    "appliance.federation.charter",
    "appliance.federation.entries",
    "appliance.federation.heartbeat",
    "appliance.federation.holding",
    "appliance.federation.joblog",
    "appliance.federation.keys",
    "appliance.federation.listing",
    "appliance.federation.live",
    "appliance.federation.picture",
    "appliance.federation.policies",
    "appliance.federation.requests",
    "appliance.federation.rules",
    "appliance.federation.search",
    "appliance.federation.site",
    "appliance.federation.station",
    "appliance.federation.submitting",
    "appliance.federation.timing",
    "appliance.federation.wish",
    "appliance.jobs",
    "appliance.realtime.encoder",
    "appliance.realtime.estimator",
    "appliance.realtime.safety",
    "gym_raas.physics",
    "gym_raas.task",
)
# These hold for what a module imports itself.
DIRECT_RULES = tuple(Rule(module, PURE, PURE_REASON) for module in PURE_MODULES)
# These hold also for what comes in through other modules of ours.
RULES = (
    Rule("gym_raas", ("appliance", "image_build"), "a researcher installs it without the appliance"),
    Rule("appliance.realtime", ("bottle", "boto3", "docker", "gevent", "sqlite3"), "the motor's processes stay small"),
    Rule("appliance.realtime", ("appliance.webui", "image_build"), "the motor is safe whatever happens above it"),
    Rule("appliance.webui", ("docker",), "Docker's socket is root, and only the runner reaches it"),
    Rule("appliance.webui", ("appliance.runner", "appliance.worker", "image_build"), "it talks to the runner by rows"),
)
# All that the motor's processes share with the rest.
BELOW_REALTIME = (
    "appliance.backoff",
    "appliance.config",
    "appliance.errors",
    "appliance.lifeline",
    "appliance.notify",
    "appliance.paths",
    "appliance.process",
    "appliance.realtime",
)
# Extras of gym_raas that may be missing are imported where they are used; everything else stands at the top.
OPTIONAL = ("boto3", "botocore", "numba", "pyarrow", "pygame")
PROJECTS = {"appliance": "pyproject.toml", "gym_raas": "gym_raas/pyproject.toml"}
DISTRIBUTIONS = {"yaml": "pyyaml", "zmq": "pyzmq", "botocore": "boto3", "PIL": "pillow"}


def below(module: str, package: str) -> bool:
    """Whether `module` is `package` or in it."""
    return module == package or module.startswith(f"{package}.")


def name(rule: Rule) -> str:
    return f"{rule.who}-not-{rule.not_these[0]}"


@pytest.mark.parametrize("rule", DIRECT_RULES, ids=name)
def test_the_core_is_pure(rule: Rule) -> None:
    broken = [
        f"{where(found)} imports {found.imported}"
        for found in imports()
        if below(found.importer, rule.who) and any(below(found.imported, other) for other in rule.not_these)
    ]
    assert not broken, f"{rule.who} must not, because {rule.reason}:\n" + "\n".join(broken)


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_imports_go_one_way(rule: Rule) -> None:
    broken = [
        " -> ".join([start, *(found.imported for found in way)])
        for start in modules()
        if below(start, rule.who)
        for way in ways(start)
        if any(below(way[-1].imported, other) for other in rule.not_these)
    ]
    assert not broken, f"{rule.who} must not, because {rule.reason}:\n" + "\n".join(broken)


def test_the_motor_stands_on_few_modules() -> None:
    broken = [
        f"{where(found)} imports {found.imported}"
        for found in imports()
        if below(found.importer, "appliance.realtime")
        and below(found.imported, "appliance")
        and not any(below(found.imported, allowed) for allowed in BELOW_REALTIME)
    ]
    assert not broken, "appliance.realtime knows neither the queue nor the web:\n" + "\n".join(broken)


def ways(start: str) -> list[tuple[Import, ...]]:
    """The shortest way, import by import, from a module of ours to each module that it needs directly or not."""
    shortest: dict[str, tuple[Import, ...]] = {start: ()}
    queue = [start]
    for module in queue:
        for found in imports_by_module().get(module, ()):
            if found.imported not in shortest:
                shortest[found.imported] = (*shortest[module], found)
                queue.append(found.imported)
    return [way for way in shortest.values() if way]


@cache
def imports_by_module() -> dict[str, list[Import]]:
    grouped: dict[str, list[Import]] = {}
    for found in imports():
        grouped.setdefault(found.importer, []).append(found)
    return grouped


def test_imports_stand_at_the_top() -> None:
    deferred = [
        f"{where(found)} imports {found.imported} inside a function"
        for found in imports()
        if found.deferred and not (below(found.importer, "gym_raas") and found.imported.split(".")[0] in OPTIONAL)
    ]
    assert not deferred, "move to the top of the file (or break the circle that it hides):\n" + "\n".join(deferred)


@pytest.mark.parametrize("package", ["appliance", "gym_raas"])
def test_what_is_imported_is_declared(package: str) -> None:
    project = tomllib.loads((ROOT / PROJECTS[package]).read_text())["project"]
    requirements = [*project["dependencies"], *itertools.chain(*project.get("optional-dependencies", {}).values())]
    declared = {canonicalize_name(Requirement(text).name) for text in requirements}
    borrowed = [
        f"{where(found)} imports {top}"
        for found in imports()
        if below(found.importer, package)
        and (top := found.imported.split(".")[0])
        not in {*sys.stdlib_module_names, "appliance", "gym_raas", "image_build"}
        and canonicalize_name(DISTRIBUTIONS.get(top, top)) not in declared
    ]
    assert not borrowed, f"declare them in {PROJECTS[package]}, and run `make lock`:\n" + "\n".join(borrowed)


def test_imports_form_no_circle() -> None:
    graph: dict[str, list[Import]] = {name: [] for name in modules()}
    for found in imports():
        if found.imported in graph and found.imported != found.importer:
            graph[found.importer].append(found)
    circle = _circle(graph)
    assert not circle, "these modules need each other:\n" + "\n".join(
        f"{where(found)} imports {found.imported}" for found in circle
    )


def _circle(graph: dict[str, list[Import]]) -> list[Import]:
    """The imports of one circle, or none: modules whose imports are all done are taken away until none is left."""
    finished: set[str] = set()
    while ready := [
        name for name in graph if name not in finished and all(i.imported in finished for i in graph[name])
    ]:
        finished.update(ready)
    if len(finished) == len(graph):
        return []
    # Every module left imports another that is left, so following them must come back.
    path: list[Import] = []
    name = next(name for name in graph if name not in finished)
    while name not in (seen := [found.importer for found in path]):
        path.append(next(found for found in graph[name] if found.imported not in finished))
        name = path[-1].imported
    return path[seen.index(name) :]


def test_rules_name_modules_that_exist() -> None:
    named = {*BELOW_REALTIME, *PURE_MODULES, *(rule.who for rule in RULES)}
    assert not [name for name in named if not any(below(module, name) for module in modules())]


def test_what_comes_in_through_another_module_is_found() -> None:
    chains = [[found.imported for found in way] for way in ways("image_build.job_image")]
    assert ["docker"] in chains
    assert ["appliance.engine", "subprocess"] in chains


def test_a_circle_is_found() -> None:
    def edge(importer: str, imported: str) -> Import:
        return Import(importer, imported, 1, deferred=False, typing_only=False)

    ab, bc, cb = edge("a", "b"), edge("b", "c"), edge("c", "b")
    assert _circle({"a": [ab], "b": [bc], "c": []}) == []
    assert _circle({"a": [ab], "b": [bc], "c": [cb]}) == [bc, cb]
