"""Draw the house, one picture a level, from what is there: `python -m docs.structure`, with Graphviz.

The rooms and who imports whom come from the code, the processes from ARCHITECTURE.md's table; a test compares what was
drawn with what would be drawn now.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.docs.test_architecture import table
from tests.style.tree import imports, modules

FOLDER: Final = Path(__file__).resolve().parent / "structure"
HEAD: Final = """digraph {
  graph [rankdir=%s bgcolor=white pad=0.25 nodesep=0.28 ranksep=0.5 fontname="Helvetica" fontsize=11 fontcolor="#52606d" color="#cbd2d9" style=rounded]
  node [shape=box style="rounded,filled" fillcolor="#f0f4f8" color="#829ab1" fontname="Helvetica" fontsize=11 fontcolor="#102a43" margin="0.14,0.08"]
  edge [color="#829ab1" fontname="Helvetica" fontsize=9 fontcolor="#52606d" arrowsize=0.6]
"""
MOTOR: Final = 'fillcolor="#ffe3d3" color="#de6b35"'
STRANGER: Final = 'fillcolor="#fff3c4" color="#cb9a1b"'
OUTSIDE: Final = 'fillcolor="white" color="#bcccdc" style="rounded,dashed"'

SYSTEM: Final = f"""
  people [label="people on the LAN\\nbrowser, raas" {OUTSIDE}]
  laptop [label="a researcher's laptop\\nthe same run.py on the simulation" {OUTSIDE}]
  subgraph cluster_pi {{
    label="appliance: one Raspberry Pi"
    page [label="page and HTTP API"]
    runner [label="queue and runner"]
    cell [label="cell: a stranger's run.py\\nno network, read only, 120 s" {STRANGER}]
    realtime [label="motor loop, guard, gateway" {MOTOR}]
    pigpiod [label="pigpiod, or the twin" {MOTOR}]
  }}
  robot [label="bridge, motor, encoder, arm" {MOTOR}]
  source [label="git servers, package index" {OUTSIDE}]
  bucket [label="one S3 bucket, if there is a fleet" {OUTSIDE}]
  others [label="other appliances" {OUTSIDE}]
  people -> page [label="jobs, live view, stop"]
  laptop -> page [label="raas submit"]
  page -> runner [label="rows"]
  runner -> cell [label="Docker Engine"]
  runner -> source [label="by confined children"]
  runner -> realtime [label="arm, disarm"]
  page -> realtime [label="stop"]
  cell -> realtime [label="ZeroMQ: action, sample"]
  realtime -> pigpiod [label="1 kHz"]
  pigpiod -> robot [label="PWM, edges"]
  runner -> bucket [dir=both label="claims, results"]
  bucket -> others [dir=both]
"""
#: Between processes: from, to, by what.
SPEAKS: Final = (
    ("loop", "pigpiod", "pigpiod's protocol"), ("guard", "pigpiod", "OFF, on its own connection"),
    ("guard", "loop", "messages"), ("guard", "gateway", "orders"), ("gateway", "loop", "messages"),
    ("loop", "runner", "segment"), ("loop", "web UI", "live ring"), ("runner", "guard", "control: arm, disarm"),
    ("web UI", "guard", "control: stop, resume"), ("web UI", "runner", "SQLite"), ("runner", "fleet", "SQLite"),
    ("command line", "web UI", "HTTP"), ("command line", "guard", "control: stop"),
    ("runner", "lease service", "lines"), ("lease service", "gateway", "job's messages"),
    ("job", "gateway", "job's messages"), ("runner", "job", "Docker Engine"),
)  # fmt: skip
#: What puts rooms together and is used by none.
ENTRIES: Final = "entry points"
STARTED: Final = ("appliance.up", "appliance.runner", "appliance.worker", "appliance.readiness")
KINDS: Final = ".kinds"
MOTORS: Final = ("pigpiod", "loop", "guard", "gateway")
#: One action: from module to module.
ACTION: Final = (
    ("cell: the job's own process", ("gym_raas.classic", "gym_raas.driver", "gym_raas.robot_client", "gym_raas.exchange")),
    ("gateway: where strangers' bytes end", ("appliance.realtime.job_socket", "appliance.realtime.zmtp", "appliance.realtime.wheel")),
    ("loop: one tick", ("appliance.realtime.pigpiod_link", "appliance.realtime.estimator", "appliance.realtime.pilot",
                        "appliance.realtime.steering", "appliance.realtime.safety", "appliance.realtime.bridge")),
)  # fmt: skip


def system() -> str:
    """Level 1: who stands around an appliance."""
    return HEAD % "TB" + SYSTEM + "}\n"


def processes() -> str:
    """Level 2: which processes there are, and what they speak."""
    names = [_process(row) for row in table("Processes")]
    lines = [
        f'  "{name}" [label="{name}\\n{row[1].split(",")[0].strip("`")}" {MOTOR if name in MOTORS else ""}]'
        for name, row in zip(names, table("Processes"), strict=True)
    ]
    lines.append(f'  "job" [label="job\\nrun.py in its cell" {STRANGER}]')
    lines += [f'  "{one}" -> "{other}" [label="{by}"]' for one, other, by in SPEAKS]
    return HEAD % "TB" + "\n".join(lines) + "\n}\n"


def rooms() -> str:
    """Level 3: which rooms there are, and which uses which; what follows from others is left out."""
    known = [row[0].strip("`") for row in table("Rooms")]
    uses: dict[str, set[str]] = {room: set() for room in (ENTRIES, *known) if not room.endswith(KINDS)}
    for found in imports():
        if found.imported in modules() and not found.typing_only:
            one, other = _room(found.importer, known), _room(found.imported, known)
            if one and other and one != other:
                uses[one].add(other)
    lines = [f'  "{room}" [{MOTOR if "realtime" in room else ""}]' for room in uses]
    lines += [f'  "{one}" -> "{other}"' for one, others in uses.items() for other in sorted(_direct(one, others, uses))]
    return HEAD % "TB" + "\n".join(lines) + "\n}\n"


def action() -> str:
    """Level 4: the way of one action, module by module, and its answer."""
    lines, chain = list[str](), list[str]()
    for number, (title, steps) in enumerate(ACTION):
        kind = STRANGER if number == 0 else MOTOR
        inner = " ".join(f'"{step}" [label="{step.rpartition(".")[2]}" {kind}]' for step in steps)
        lines.append(f'  subgraph cluster_{number} {{ label="{title}" {inner} }}')
        chain += steps
    lines.append(f'  "env" [label="env.step(action)" {OUTSIDE}] "pins" [label="pigpiod: PWM, edges" {OUTSIDE}]')
    way = ["env", *chain, "pins"]
    lines += [f'  "{one}" -> "{other}"' for one, other in itertools.pairwise(way)]
    lines.append('  "pins" -> "appliance.realtime.pigpiod_link" [style=dashed constraint=false label="edges"]')
    lines.append('  "appliance.realtime.steering" -> "appliance.realtime.wheel" [style=dashed constraint=false label="sample, at the boundary"]')  # fmt: skip
    lines.append(
        '  "appliance.realtime.job_socket" -> "gym_raas.exchange" [style=dashed constraint=false label="answer"]'
    )
    return HEAD % "LR" + "\n".join(lines) + "\n}\n"


PICTURES: Final = {"system": system, "processes": processes, "rooms": rooms, "action": action}


def mark(source: str) -> str:
    """What a picture bears to say what it was drawn from."""
    return f"<!-- drawn from {hashlib.sha256(source.encode()).hexdigest()[:16]} -->"


def _process(row: list[str]) -> str:
    return row[0].partition(",")[0].strip("`")


def _room(module: str, known: Iterable[str]) -> str:
    """The innermost room that a module lies in; kinds belong to the room around them."""
    if module in STARTED:
        return ENTRIES
    found = max((room for room in known if module == room or module.startswith(room + ".")), key=len, default="")
    return found.removesuffix(KINDS)


def _direct(one: str, others: set[str], uses: Mapping[str, set[str]]) -> set[str]:
    """Those of the others that no other of them leads to."""
    return {other for other in others if not any(other in _reached(via, uses, {one}) for via in others - {other})}


def _reached(start: str, uses: Mapping[str, set[str]], seen: set[str]) -> set[str]:
    found, ahead = set[str](), [start]
    while ahead:
        for other in uses[ahead.pop()] - found - seen:
            found.add(other)
            ahead.append(other)
    return found


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, source in PICTURES.items():
        text = source()
        drawn = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True).stdout
        (FOLDER / f"{name}.svg").write_text(f"{drawn[drawn.index('<svg') :].rstrip()}\n{mark(text)}\n")


if __name__ == "__main__":
    main()
