"""What do wiring and bill of materials say? Both read from their one source, and the guide's tables made from them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).resolve().parent
WIRING: Final = HERE / "wiring.yaml"
BILL: Final = HERE / "bill-of-materials.csv"
PARTS: Final = tuple(sorted((HERE / "parts").glob("*.scad")))


@dataclass(frozen=True)
class Pin:
    """One pin of one connector: `name` is its label, `number` its place."""

    connector: str
    number: int
    name: str


@dataclass(frozen=True)
class Wire:
    """One wire, and the cable that it runs in."""

    start: Pin
    end: Pin
    cable: str
    colour: str


@dataclass(frozen=True)
class Item:
    """One row of the bill of materials. `parameters` are lengths in mm that the printed parts depend on."""

    id: str
    part: str
    function: str
    quantity: int
    check: str
    price: str
    alternatives: str
    parameters: dict[str, float]


def wires() -> list[Wire]:
    """Every wire, in the order of the file."""
    drawn = yaml.safe_load(WIRING.read_text())
    found = []
    for start, cable, end in drawn["connections"]:
        (name, strands), colours = _ends(cable), drawn["cables"]
        rows = zip(_pins(drawn, start), strands, _pins(drawn, end), strict=True)
        found += [Wire(a, b, name, colours[name]["colors"][strand - 1]) for a, strand, b in rows]
    return found


def drawings() -> dict[str, dict[str, Any]]:
    """What WireViz is given for each drawing: some cables, what they join, and of that only the pins in use."""
    drawn = yaml.safe_load(WIRING.read_text())
    found = {}
    for name, cables in drawn["metadata"].pop("drawings").items():
        joined = [sides for sides in drawn["connections"] if next(iter(sides[1])) in cables]
        shown = {next(iter(side)) for sides in joined for side in sides}
        found[name] = {
            **drawn,
            "connectors": {key: value | _CONNECTOR for key, value in drawn["connectors"].items() if key in shown},
            "cables": {key: value | _CABLE for key, value in drawn["cables"].items() if key in shown},
            "connections": joined,
            "tweak": {"append": ['graph [ranksep="0.35", nodesep="0.25"]']},
        }
    return found


def items() -> list[Item]:
    """The bill of materials."""
    with BILL.open(newline="") as file:
        return [
            Item(
                row["id"], row["part"], row["function"], int(row["quantity"]), row["check when buying"],
                row["price band (EUR)"], row["alternatives"], _parameters(row["parameters"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def pin_table() -> str:
    """The Pi's pins as a table for the guide."""
    rows = [wire for wire in wires() if wire.start.connector == "Pi"]
    lines = ["| header pin | name | wire | goes to |", "|---:|---|---|---|"]
    lines += [
        f"| {wire.start.number} | {wire.start.name} | {wire.cable}, {_COLOURS[wire.colour]} "
        f"| {_TITLES[wire.end.connector]}, {wire.end.name} |"
        for wire in sorted(rows, key=lambda wire: wire.start.number)
    ]
    return "\n".join(lines)


def bill_table() -> str:
    """The bill of materials as a table for the guide."""
    lines = ["| | part | what for | check when buying | EUR | or |", "|---:|---|---|---|---:|---|"]
    lines += [
        f"| {item.quantity} | {item.part} | {item.function} | {item.check} | {item.price} | {item.alternatives} |"
        for item in items()
    ]
    return "\n".join(lines)


_CONNECTOR: Final = {"hide_disconnected_pins": True, "show_pincount": False}
_CABLE: Final = {"show_wirecount": False, "show_wirenumbers": False}
_COLOURS: Final = {
    "RD": "red", "BK": "black", "YE": "yellow", "WH": "white", "OG": "orange", "VT": "violet", "BU": "blue",
    "GN": "green", "GY": "grey",
}  # fmt: skip
_TITLES: Final = {"Board": "interface board", "Stop": "stop button"}


def _ends(side: dict[str, list[int | str]]) -> tuple[str, list[int]]:
    """A side of a connection: the name, and its pins with ranges written out."""
    [(name, given)] = side.items()
    pins: list[int] = []
    for pin in given:
        first, _, last = str(pin).partition("-")
        pins += range(int(first), int(last or first) + 1)
    return name, pins


def _pins(drawn: dict[str, Any], side: dict[str, list[int | str]]) -> list[Pin]:
    name, numbers = _ends(side)
    connector = drawn["connectors"][name]
    labels = connector["pinlabels"]
    places = connector.get("pins") or range(1, len(labels) + 1)
    names = dict(zip(places, labels, strict=True))
    return [Pin(name, number, names[number]) for number in numbers]


def _parameters(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (pair.split("=") for pair in text.split())}
