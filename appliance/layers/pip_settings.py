"""Where does this machine's pip look for packages? Its own settings, read anew for each build.

They may hold passwords (an address with a user in it), so they stay in the runner's memory: no log, no message, no
container gets any of them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pip._internal.models.index import PyPI

from appliance.errors import IsolationError

_ASKING_S: Final = 60.0
_SECTIONS: Final = ("global", "install", ":env:")  # later ones win, as for pip itself


@dataclass(frozen=True, repr=False)
class PipSettings:
    """The settings that matter. pages: addresses of simple indexes, links: folders or pages of wheels."""

    pages: tuple[str, ...]
    links: tuple[str, ...] = ()
    certificates: str = ""
    client_certificate: str = ""
    proxy: str = ""
    timeout_s: float = 15.0


def ask() -> PipSettings:
    """What `pip config` says here. Raises IsolationError."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ASKING_S)
    if done.returncode != 0:
        raise IsolationError("The appliance's own pip settings can't be read. Look at `pip config list` as its user.")
    return parse(done.stdout)


def parse(listed: str, default: str = PyPI.simple_url) -> PipSettings:
    r"""The settings in what `pip config list` prints; `default` is pip's own index.

    >>> parse("global.index-url='https://a.example/simple'\n:env:.timeout='60'").pages
    ('https://a.example/simple',)
    """
    found = _found(listed)
    pages = () if found.get("no-index", "").lower() in {"1", "true", "yes", "on"} else _pages(found, default)
    return PipSettings(
        pages=pages,
        links=tuple(found.get("find-links", "").split()),
        certificates=found.get("cert", ""),
        client_certificate=found.get("client-cert", ""),
        proxy=found.get("proxy", ""),
        timeout_s=_number(found.get("timeout", found.get("default-timeout", ""))),
    )


def _pages(found: Mapping[str, str], default: str) -> tuple[str, ...]:
    return (found.get("index-url") or default, *found.get("extra-index-url", "").split())


def _found(listed: str) -> dict[str, str]:
    by_section: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in by_section:
            try:
                by_section[section][name] = str(ast.literal_eval(value))
            except (ValueError, SyntaxError):
                continue
    return {name: value for section in _SECTIONS for name, value in by_section[section].items()}


def _number(text: str) -> float:
    try:
        return max(1.0, float(text))
    except ValueError:
        return 15.0
