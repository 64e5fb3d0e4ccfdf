"""What may the owner change from the page, and how does that lie over raas.yaml? An allow-list, enforced by every reader.

The page writes `DATA/settings/page.json`, a flat object such as {"job.limit_s": 60}. A value there wins over raas.yaml's.
Whoever reads it trusts nothing in it: a key that isn't in `EFFECT` or a value out of range is left out and told, so that
a page that was taken over can change neither mounts nor limits of the cell, nor what moves the motor. Those stand in
raas.yaml alone, which only root writes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from appliance import config as configuration
from appliance import durable
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.paths import Paths

#: What can be set, and which services must be restarted before it holds.
EFFECT: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("webui",),
    "web.submit": ("webui",),
    "job.limit_s": ("runner", "webui"),
    "job.preflight": ("runner",),
    "storage.min_free_mb": ("runner", "webui"),
    "storage.clear_above_percent": ("runner",),
    "storage.keep_newest": ("runner",),
}
#: How each is called on the page.
LABELS: Final[Mapping[str, str]] = {
    "name": "Name of the robot",
    "web.submit": "Who may submit jobs",
    "job.limit_s": "Running time of a job, s",
    "job.preflight": "Try each job on the simulation first",
    "storage.min_free_mb": "Free disk that a job needs to start, MiB",
    "storage.clear_above_percent": "Clear the oldest results when the disk is fuller than, %",
    "storage.keep_newest": "Never clear the results of so many newest jobs",
}
_MOST_BYTES: Final = 64 * 1024

Value = str | int | float | bool


@dataclass(frozen=True)
class Overlaid:
    """The settings that hold: `config` is `base` (raas.yaml) with `values` over it. problems: what was left out, and why."""

    config: Config
    base: Config
    values: Mapping[str, Value]
    problems: tuple[str, ...]


def path(paths: Paths) -> Path:
    """Where the page's values are kept."""
    return paths.data / "settings" / "page.json"


def load(config_file: Path | None, paths: Paths) -> Overlaid:
    """raas.yaml and what the page has set over it. Raises ConfigError for raas.yaml only; the rest must not stop anybody."""
    return over(configuration.load(config_file), paths)


def over(base: Config, paths: Paths) -> Overlaid:
    """The same for a configuration that was loaded already."""
    try:
        given = _read(path(paths))
    except (OSError, msgspec.DecodeError) as error:
        return Overlaid(base, base, {}, (f"{path(paths)} can't be used ({type(error).__name__}); raas.yaml holds.",))
    return overlay(base, given)


def overlay(base: Config, given: Mapping[str, Any]) -> Overlaid:
    """Lay values over a configuration, each by itself, as far as they may."""
    config, values, problems = base, dict[str, Value](), []
    for key, value in given.items():
        try:
            config = changed(config, key, value)
        except ConfigError as error:
            problems.append(str(error))
        else:
            values[key] = value
    return Overlaid(config, base, values, tuple(problems))


def changed(config: Config, key: str, value: Any) -> Config:
    """The configuration with one other value. Raises ConfigError where the page may not set it, or not to this."""
    if key not in EFFECT:
        raise ConfigError(f"'{key[:60]}' can't be set from the page; it stands in raas.yaml, which root writes.")
    if not isinstance(value, Value) or (isinstance(value, str) and not value.isprintable()):
        raise ConfigError(f"'{key}' must be a number or a text of one line.")
    content = msgspec.to_builtins(config)
    *sections, last = key.split(".")
    inner = content
    for section in sections:
        inner = inner[section]
    inner[last] = value
    return configuration.parse(yaml.safe_dump(content), "page")


def understood(key: str, text: str) -> Value:
    """A form's text as the kind of value that the key has; a text where it can't be one, for the check to refuse."""
    default = next(option.default for option in configuration.options() if option.key == key)
    text = text.strip()
    if isinstance(default, bool):
        return {"yes": True, "no": False}.get(text.lower(), text)
    try:
        number = float(text)
    except ValueError:
        return text
    if isinstance(default, int):
        return int(number) if number.is_integer() else text
    return number if isinstance(default, float) else text


def save(paths: Paths, values: Mapping[str, Value]) -> None:
    """Keep exactly these values, durably. Each must have passed `changed`."""
    target = path(paths)
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    durable.write(target, msgspec.json.format(msgspec.json.encode(dict(sorted(values.items())))))


def _read(file: Path) -> dict[str, Any]:
    """The object in the file; none where there is no file. Follows no link and waits for no pipe."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is no file")
        return msgspec.json.decode(stream.read(_MOST_BYTES), type=dict[str, Any])
