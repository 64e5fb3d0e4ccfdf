"""Do drawing, guide and code say the same of the robot's wires and parts?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from appliance.realtime.telemetry import Fault
from gym_raas.parameters import load_robot
from hardware import build, sources

GUIDE = build.GUIDE.read_text()
#: BCM number of each data pin of the Pi's 40-pin header, by its place.
HEADER = {
    3: 2, 5: 3, 7: 4, 8: 14, 10: 15, 11: 17, 12: 18, 13: 27, 15: 22, 16: 23, 18: 24, 19: 10, 21: 9, 22: 25, 23: 11,
    24: 8, 26: 7, 27: 0, 28: 1, 29: 5, 31: 6, 32: 12, 33: 13, 35: 19, 36: 16, 37: 26, 38: 20, 40: 21,
}  # fmt: skip
GROUND, FIVE_VOLT = {6, 9, 14, 20, 25, 30, 34, 39}, {2, 4}
#: What the interface board joins, from the Pi's side to the robot's.
BOARD = {"FWD": "IN1", "BWD": "IN2", "A": "A in", "B": "B in", "5 V": "5 V out", "GND": "GND"}


def far_end(pi_pin: str) -> tuple[str, str]:
    """Connector and pin on the robot's side that a data pin of the Pi leads to, through the board."""
    ends = {(wire.start.connector, wire.start.name): wire.end for wire in sources.wires()}
    end = ends["Pi", pi_pin]
    if end.connector == "Board":
        end = ends["Board", BOARD[end.name]]
    return end.connector, end.name


@pytest.mark.parametrize(
    ("pin", "end"),
    [
        ("forward", ("Bridge", "IN1")),
        ("backward", ("Bridge", "IN2")),
        ("encoder_a", ("Motor", "A")),
        ("encoder_b", ("Motor", "B")),
    ],
)
def test_the_pins_of_the_code_lead_where_the_drawing_says(pin: str, end: tuple[str, str]) -> None:
    assert far_end(f"GPIO{getattr(load_robot().pins, pin)}") == end


def test_every_place_on_the_header_has_the_name_that_the_pi_gives_it() -> None:
    drawn = yaml.safe_load(sources.WIRING.read_text())["connectors"]["Pi"]
    for place, label in zip(drawn["pins"], drawn["pinlabels"], strict=True):
        if label == "GND":
            assert place in GROUND
        elif label == "5 V":
            assert place in FIVE_VOLT
        else:
            assert label == f"GPIO{HEADER[place]}"


def test_no_pin_has_two_wires() -> None:
    starts, ends = ([getattr(wire, side) for wire in sources.wires()] for side in ("start", "end"))
    pins = [(pin.connector, pin.number) for pin in starts + ends]
    assert len(pins) == len(set(pins))


def test_twelve_volts_pass_fuse_and_stop_button_before_the_bridge() -> None:
    way, at = [], ("Supply", "+12V")
    inside = {("Fuse", "in"): ("Fuse", "out"), ("Stop", "12 V in"): ("Stop", "12 V out")}
    ends = {(wire.start.connector, wire.start.name): (wire.end.connector, wire.end.name) for wire in sources.wires()}
    while at in ends:
        way.append(at := ends[at])
        at = inside.get(at, at)
    assert [connector for connector, _ in way] == ["Fuse", "Stop", "Bridge"]


def test_no_five_volts_reach_a_data_pin() -> None:
    five = {(wire.start.name, wire.end.name) for wire in sources.wires() if "5 V" in (wire.start.name, wire.end.name)}
    assert five == {("5 V", "5 V")}
    encoder = {wire.start.name for wire in sources.wires() if wire.end.connector == "Motor" and wire.end.name in "AB"}
    assert encoder == {"A in", "B in"}, "the encoder goes through the dividers"


def test_every_cable_is_in_one_drawing() -> None:
    drawn = [cable for content in sources.drawings().values() for cable in content["cables"]]
    assert sorted(drawn) == sorted(yaml.safe_load(sources.WIRING.read_text())["cables"])


def test_tables_of_the_guide_are_made_from_their_sources() -> None:
    assert build.with_tables(GUIDE) == GUIDE, "run `make hardware`"
    for table in (sources.pin_table(), sources.bill_table()):
        assert table in GUIDE


def test_pictures_are_made_from_the_present_sources() -> None:
    assert build.SUM.read_text().strip() == build.sum_of_sources(), "run `make hardware`"
    shown = {sources.HERE / name for name in re.findall(r"!\[.*?\]\((.*?)\)", GUIDE)}
    assert shown == {path for path in build.PICTURES.iterdir() if path != build.SUM}, "the guide shows all of them"
    assert all(path.stat().st_size < 200_000 for path in shown)


def test_every_fault_has_its_remedy_in_the_guide() -> None:
    named = set(re.findall(r"^\| Fault (\w+)", GUIDE, re.MULTILINE))
    assert named == {fault.name for fault in Fault} - {"NONE"}


@pytest.mark.parametrize("part", sources.PARTS, ids=lambda path: path.stem)
def test_parts_to_print_fit_the_parts_to_buy(part: Path) -> None:
    defaults = dict(re.findall(r"^(\w+) = ([\d.]+);", part.read_text(), re.MULTILINE))
    shared = {name: value for name, value in build.parameters().items() if name in defaults}
    assert shared, "it depends on something that is bought"
    assert {name: float(defaults[name]) for name in shared} == shared


def test_the_bill_names_what_safety_needs() -> None:
    quantities = {item.id: item.quantity for item in sources.items()}
    assert quantities["pulldown"] == 2, "one for each bridge input"
    assert quantities["divider-high"] == quantities["divider-low"] == 2, "one for each encoder channel"
    assert {"stop", "fuse", "guard", "glasses"} <= set(quantities)
