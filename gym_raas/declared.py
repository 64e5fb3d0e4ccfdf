"""Does a parsed file fit the dataclasses that declare it? Each field's metadata states its legal values.

Types are int, float (whole numbers welcome), str, free mappings and further dataclasses. Every key must be known, none
may be missing, and an error names the key, what was given and what would be right.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_type_hints

_MAX_TEXT_LENGTH: Final = 40
_MAX_SHOWN_LENGTH: Final = 60
_SIMPLE: Final = (int, float, str)

Section = TypeVar("Section")


class BadValue(ValueError):
    """A key or value that doesn't fit; the message says which, and what would be right."""


def bounded(low: float, high: float) -> dict[str, tuple[float, float]]:
    """Field metadata: the legal range of a number, both ends included."""
    return {"range": (low, high)}


def one_of(*choices: object) -> dict[str, tuple[object, ...]]:
    """Field metadata: the legal values."""
    return {"choices": choices}


def build(kind: type[Section], content: object, prefix: str = "", types: Mapping[str, type] | None = None) -> Section:
    """Make the dataclass `kind` from a mapping; `prefix` stands before keys in messages. Raises BadValue.

    `types`: of fields whose type isn't known before the file is read.
    """
    if not isinstance(content, dict):
        where = prefix.rstrip(".") or "the file"
        raise BadValue(f"{where}: {_shown(content)} given; expected is a mapping of keys")
    fields = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]  # always a dataclass
    unknown = next((key for key in content if key not in fields), None)
    if unknown is not None:
        raise BadValue(f"{prefix}{unknown}: unknown key; known are {', '.join(fields)}")
    types = get_type_hints(kind) | dict(types or {})
    values = {}
    for name, each in fields.items():
        if name in content:
            values[name] = _checked(types[name], each.metadata, content[name], prefix + name)
        elif each.default_factory is dataclasses.MISSING:
            raise BadValue(f"{prefix}{name}: missing; expected is {_expected(types[name], each.metadata)}")
    return kind(**values)


def _checked(kind: Any, metadata: Mapping[str, Any], given: object, key: str) -> object:
    """One value, of the right type and within its limits."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return build(kind, given, key + ".")
    if not _is_of(kind, given) or not _is_legal(given, metadata):
        raise BadValue(f"{key}: {_shown(given)} given; expected is {_expected(kind, metadata)}")
    return kind(given) if kind in _SIMPLE else given


def _is_of(kind: Any, given: object) -> bool:
    """Whether the value has the type; unlike isinstance, true and false are no numbers."""
    if kind in _SIMPLE:
        return type(given) is kind or (kind is float and type(given) is int)
    return isinstance(given, dict)


def _is_legal(value: Any, metadata: Mapping[str, Any]) -> bool:
    if "choices" in metadata:
        return value in metadata["choices"]
    if "range" in metadata:
        low, high = metadata["range"]
        return bool(low <= value <= high)  # false for NaN
    return not isinstance(value, str) or 0 < len(value) <= _MAX_TEXT_LENGTH


def _expected(kind: Any, metadata: Mapping[str, Any]) -> str:
    """What would be right, for a message."""
    if "choices" in metadata:
        return " or ".join(repr(choice) for choice in metadata["choices"])
    if "range" in metadata:
        low, high = metadata["range"]
        return f"{'a whole number' if kind is int else 'a number'} from {low:g} to {high:g}"
    return f"a text of 1 to {_MAX_TEXT_LENGTH} characters" if kind is str else "a mapping of keys"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_LENGTH else text[: _MAX_SHOWN_LENGTH - 3] + "..."
