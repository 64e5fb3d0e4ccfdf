"""How are the services, and who restarts one? systemd's units on an appliance, the processes of `raas up` elsewhere."""

from __future__ import annotations

from typing import Final

import msgspec

from appliance import units
from appliance.care import foreground
from appliance.errors import Conflict, NotFound
from appliance.paths import Paths
from appliance.units import Run, UnitError

#: What each service does, for people.
TASKS: Final = {
    "appliance": "all of the following",
    "twin": "simulated robot",
    "pigpiod": "GPIO pins of the real robot",
    "realtime": "motor loop, guard, gateway",
    "runner": "queue, cells, results",
    "webui": "page and HTTP API",
    "federation": "fleet",
    "lease": "programs elsewhere that drive",
}
#: A job that runs is interrupted by these.
INTERRUPTING: Final = frozenset({"appliance", "twin", "pigpiod", "realtime", "runner"})


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """One service. state: running, stopped, failed or changing. detail: its own line. verbs: what may be asked of it."""

    name: str
    task: str
    state: str
    detail: str
    restarts: int
    verbs: tuple[str, ...]
    interrupts: bool


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """All services, and who runs them: `systemd`, `raas up`, or nobody (then `problem` says what to do)."""

    keeper: str
    services: tuple[ServiceState, ...]
    problem: str = ""


def overview(paths: Paths, run: Run = units.run) -> Services:
    """How all of them are."""
    ours = foreground.processes(paths)
    if ours is not None:
        return Services(keeper="raas up", services=tuple(_of_process(process) for process in ours))
    try:
        found = tuple(_of_unit(units.state(name, run)) for name in units.UNITS)
    except UnitError as error:
        return Services(keeper="", services=(), problem=str(error))
    if all(service.detail == "not installed" for service in found):
        return Services(keeper="", services=(), problem=_NOBODY)
    return Services(keeper="systemd", services=tuple(one for one in found if one.detail != "not installed"))


def act(paths: Paths, verb: str, name: str, *, wait: bool = True, run: Run = units.run) -> str:
    """Start, stop or restart a service; returns what was done, as a sentence. Raises NotFound, Conflict, UnitError."""
    if verb not in units.VERBS:
        raise NotFound(f"{verb!r} isn't possible; possible are {', '.join(units.VERBS)}.")
    if foreground.processes(paths) is None:
        units.act(verb, name, run, wait=wait)
        return f"{name}: {verb} is done." if wait else f"{name}: {verb} is under way."
    if verb != "restart":
        raise Conflict("`raas up` can only restart its processes; Ctrl-C in its terminal stops all of them.")
    foreground.wish_restart(paths, name)
    return f"{name} is restarting."


_NOBODY: Final = "Nothing runs here. `raas up` starts an appliance; services need its units (docs/services.md)."
_STATES: Final = {
    "active": "running", "inactive": "stopped", "failed": "failed", "activating": "changing", "deactivating": "changing",
    "reloading": "changing",
}  # fmt: skip


def _of_unit(unit: units.UnitState) -> ServiceState:
    state = _STATES.get(unit.active, unit.active or "stopped")
    verbs = ("stop", "restart") if state in ("running", "changing") else ("start",)
    detail = unit.status or ("not installed" if not unit.is_installed else unit.sub)
    return ServiceState(
        name=unit.name, task=TASKS[unit.name], state=state, detail=detail, restarts=unit.restarts, verbs=verbs,
        interrupts=unit.name in INTERRUPTING,
    )  # fmt: skip


def _of_process(process: foreground.Process) -> ServiceState:
    return ServiceState(
        name=process.name, task=TASKS.get(process.name, ""), state="running" if process.pid else "failed",
        detail=f"process {process.pid}" if process.pid else "starts again by itself", restarts=process.restarts,
        verbs=("restart",), interrupts=process.name in INTERRUPTING,
    )  # fmt: skip
