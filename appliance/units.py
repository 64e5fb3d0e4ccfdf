"""How do page and command line ask systemd for something? Fixed verbs on named units, and nothing else.

polkit (`systemd/50-raas.rules`) grants the same units and verbs to the web UI's user, so nothing here needs root. What
is asked for is looked up in `UNITS` and `VERBS`; no text of a stranger ever becomes a word of a command.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import NotFound, RaasError

#: What people call a service, and its unit.
UNITS: Final = {
    "appliance": "raas.target",
    "twin": "raas-twin.service",
    "pigpiod": "pigpiod.service",
    "realtime": "raas-realtime.service",
    "runner": "raas-runner.service",
    "webui": "raas-webui.service",
    "federation": "raas-federation.service",
    "lease": "raas-lease.service",
}
VERBS: Final = ("start", "stop", "restart")
_PROPERTIES: Final = ("LoadState", "ActiveState", "SubState", "StatusText", "NRestarts")
_TIMEOUT_S: Final = 120.0
#: There where systemd is process 1 (sd_booted(3)).
_BOOTED: Final = Path("/run/systemd/system")

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class UnitError(RaasError):
    """systemd refused, or isn't there."""


@dataclass(frozen=True)
class UnitState:
    """How a unit is: systemd's words for it, the service's own line, and how often it had to be restarted."""

    name: str
    active: str
    sub: str
    status: str
    restarts: int
    is_installed: bool = True


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program of systemd's. Raises UnitError where there is none, or where it doesn't answer."""
    if shutil.which(command[0]) is None or not _BOOTED.is_dir():
        raise UnitError("No systemd runs this machine; `raas up` runs an appliance in the foreground instead.")
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnitError(f"systemd didn't answer within {_TIMEOUT_S:.0f} s. `systemctl list-jobs` tells why.") from error


def unit(name: str) -> str:
    """The unit of a service. Raises NotFound."""
    if name not in UNITS:
        raise NotFound(f"There is no service {name!r}; there are {', '.join(UNITS)}.")
    return UNITS[name]


def act(verb: str, name: str, run: Run = run, *, wait: bool = True) -> None:
    """Start, stop or restart a service; with `wait`, return when that is done. Raises NotFound, UnitError."""
    if verb not in VERBS:
        raise NotFound(f"{verb!r} isn't possible; possible are {', '.join(VERBS)}.")
    done = run(["systemctl", "--no-ask-password", *([] if wait else ["--no-block"]), verb, unit(name)])
    if done.returncode != 0:
        raise UnitError(f"systemd refused to {verb} {name}: {done.stderr.strip() or 'it gave no reason'}")


def state(name: str, run: Run = run) -> UnitState:
    """How a service is. Raises NotFound, UnitError."""
    done = run(["systemctl", "show", f"--property={','.join(_PROPERTIES)}", unit(name)])
    if done.returncode != 0:
        raise UnitError(f"systemd doesn't tell how {name} is: {done.stderr.strip()}")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    restarts = found.get("NRestarts", "0")
    return UnitState(
        name, found.get("ActiveState", ""), found.get("SubState", ""), found.get("StatusText", ""),
        int(restarts) if restarts.isdecimal() else 0, found.get("LoadState", "loaded") == "loaded",
    )  # fmt: skip
