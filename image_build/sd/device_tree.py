"""Which drivers does a board need before it can read its card? Read from its flattened device tree.

The format is that of the Devicetree Specification, chapter 5. From the card's controller the way goes up to the buses it
sits on, and along everything that it is fed by: clocks, regulators, DMA, pins, power domains.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_MAGIC: Final = 0xD00DFEED
_BEGIN, _END, _PROPERTY, _NOP, _STOP = 1, 2, 3, 4, 9
#: Properties that begin with another node's handle. Cells after it are skipped: none of them is a handle by accident
#: twice, and a supplier too many only makes the list longer.
_SUPPLIERS: Final = re.compile(r"^(clocks|dmas|power-domains|mboxes|gpios?|pinctrl-0|.*-supply|.*-gpios?|firmware)$")


@dataclass
class Node:
    """One node. `properties` are raw bytes; `parent` is None for the root."""

    name: str
    parent: Node | None
    properties: dict[str, bytes] = field(default_factory=dict)

    @property
    def compatible(self) -> tuple[str, ...]:
        """The names by which drivers find it, the most special first."""
        return tuple(text.decode() for text in self.properties.get("compatible", b"").split(b"\0") if text)

    @property
    def enabled(self) -> bool:
        """Whether the board uses it."""
        return self.properties.get("status", b"okay\0") in (b"okay\0", b"ok\0")


def nodes(blob: bytes) -> tuple[Node, ...]:
    """All nodes of a flattened device tree. Raises `ValueError` for anything else."""
    if len(blob) < 40 or struct.unpack_from(">I", blob)[0] != _MAGIC:
        raise ValueError("this is no flattened device tree")
    at, strings = struct.unpack_from(">II", blob, 8)
    found: list[Node] = []
    current: Node | None = None
    try:
        while True:
            (token,) = struct.unpack_from(">I", blob, at)
            at += 4
            if token == _BEGIN:
                end = blob.index(b"\0", at)
                current = Node(blob[at:end].decode(), current)
                found.append(current)
                at = _aligned(end + 1)
            elif token == _PROPERTY and current:
                length, name = struct.unpack_from(">II", blob, at)
                key = blob[strings + name : blob.index(b"\0", strings + name)].decode()
                current.properties[key] = blob[at + 8 : at + 8 + length]
                at = _aligned(at + 8 + length)
            elif token == _END and current:
                current = current.parent
            elif token == _STOP:
                return tuple(found)
            elif token != _NOP:
                raise ValueError(f"the device tree is damaged at byte {at - 4}")
    except struct.error as error:
        raise ValueError("the device tree ends too early") from error


def way_to_card(blob: bytes, controllers: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The `compatible` names of all nodes that an enabled card controller depends on, itself first.

    `controllers` are the names to look for. Raises `ValueError` when the board has none of them.
    """
    tree = nodes(blob)
    by_handle = {node.properties["phandle"]: node for node in tree if "phandle" in node.properties}
    waiting = [node for node in tree if node.enabled and set(controllers) & set(node.compatible)]
    if not waiting:
        raise ValueError(f"the board has no card controller of {', '.join(controllers)}")
    way: dict[int, Node] = {}
    while waiting:
        node = waiting.pop(0)
        if id(node) in way:
            continue
        way[id(node)] = node
        waiting += [*_suppliers(node, by_handle), *([node.parent] if node.parent else [])]
    return tuple(node.compatible for node in way.values() if node.compatible)


def _suppliers(node: Node, by_handle: dict[bytes, Node]) -> Iterator[Node]:
    for name, value in node.properties.items():
        if _SUPPLIERS.match(name) and value[:4] in by_handle:
            yield by_handle[value[:4]]


def _aligned(at: int) -> int:
    return (at + 3) & ~3
