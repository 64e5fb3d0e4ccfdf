"""Is a setting of `raas.yaml` this value? `python -m appliance.condition CONFIG KEY [VALUE]`, for ExecCondition= in units.

Exit status 0: it is (without VALUE: it is set to something). 1: it isn't, so systemd skips the unit. 255: the file can't
be used, so systemd calls the unit failed, and the journal says why.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from appliance import config as configuration
from appliance.config import Config
from appliance.errors import ConfigError

HOLDS: Final = 0
DOES_NOT: Final = 1
UNUSABLE: Final = 255


def value_of(config: Config, key: str) -> Any:
    """The value of a key such as `robot.link`; None where there is no such key."""
    value: Any = msgspec.to_builtins(config)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def holds(config: Config, key: str, wanted: str | None) -> bool:
    """Whether the key has the wanted value; without one, whether it is set to anything."""
    value = value_of(config, key)
    if wanted is None:
        return bool(value)
    return (str(value).lower() if isinstance(value, bool) else str(value)) == wanted


def main(arguments: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    if len(arguments) not in (2, 3):
        sys.stderr.write("usage: python -m appliance.condition CONFIG KEY [VALUE]\n")
        return UNUSABLE
    file, key, *rest = arguments
    try:
        config = configuration.load(Path(file))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return UNUSABLE
    return HOLDS if holds(config, key, rest[0] if rest else None) else DOES_NOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
