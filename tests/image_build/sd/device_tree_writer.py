"""Writes small flattened device trees for tests, as the Devicetree Specification (chapter 5) has them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Tree = Mapping[str, "bytes | Tree"]


def flattened(tree: Tree) -> bytes:
    """A device tree's blob; nested mappings are nodes, bytes are properties."""
    names: list[str] = []
    body = _node("", tree, names) + struct.pack(">I", 9)
    strings = b"".join(name.encode() + b"\0" for name in names)
    at = 40 + len(body)
    return (
        struct.pack(">10I", 0xD00DFEED, at + len(strings), 40, at, 0, 17, 16, 0, len(strings), len(body))
        + body
        + strings
    )


def handle(number: int) -> bytes:
    """One cell."""
    return struct.pack(">I", number)


def _node(name: str, tree: Tree, names: list[str]) -> bytes:
    blob = struct.pack(">I", 1) + _padded(name.encode() + b"\0")
    for key, value in tree.items():
        if isinstance(value, bytes):
            if key not in names:
                names.append(key)
            offset = sum(len(other) + 1 for other in names[: names.index(key)])
            blob += struct.pack(">III", 3, len(value), offset) + _padded(value)
    for key, value in tree.items():
        if not isinstance(value, bytes):
            blob += _node(key, value, names)
    return blob + struct.pack(">I", 2)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
