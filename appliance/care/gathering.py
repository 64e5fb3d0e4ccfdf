"""Who looks everywhere, once? Puts the looks at robot, machine and services together into one snapshot."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.care import machine_look, realtime_trial, robot_look, service_logs, store_look
from appliance.care.machine_look import Kernel
from appliance.care.snapshot import Engine, Snapshot
from appliance.config import Config
from appliance.paths import Paths
from appliance.realtime.cores import loop_core

_REPORT: Final = re.compile(r"real-time: granted .*")
_REPORT_WITHIN_LINES: Final = 2000

#: Looks at Docker Engine, or says that it mustn't (None).
EngineLook = Callable[[Config], Engine | None]


def gather(paths: Paths, config_file: Path, engine_look: EngineLook, *, try_means: bool) -> Snapshot:
    """Look at everything; takes a few seconds at most, and changes nothing.

    try_means: where no loop has told what it gets, ask for the same in a process of our own. That says something only of
    a user who starts loops.
    """
    kernel = Kernel()
    config, settings = robot_look.settings(config_file, paths)
    robot = robot_look.robot(config, paths)
    core = loop_core(config.realtime.cpu)
    own = _own_report(paths) if robot.runs else ""
    tried = realtime_trial.report(core, config.realtime.priority) if try_means and not own else own
    database, newest_s = store_look.database(paths.database)
    engine = engine_look(config)
    socket = Path(engine.host.removeprefix("unix://")) if engine and engine.host.startswith("unix://") else None
    return Snapshot(
        settings=settings,
        robot=robot,
        real_time=machine_look.real_time(kernel, core, tried, is_loops_own=bool(own)),
        storage=machine_look.storage(kernel, paths.data, config.storage.min_free_mb),
        clock=machine_look.clock(newest_s),
        power=machine_look.power(kernel),
        network=machine_look.network(kernel, config.web, _page_port(config, paths)),
        database=database,
        rights=store_look.rights(paths, config_file, socket),
        services=store_look.services(),
        engine=engine,
        proof=store_look.proof(paths),
        camera=store_look.camera(paths) if config.camera.url else None,
    )


def _own_report(paths: Paths) -> str:
    """What the running loop has said about its means, if that can still be read."""
    said = service_logs.tail(paths, "realtime", _REPORT_WITHIN_LINES)
    found = _REPORT.findall("\n".join(said.lines))
    return found[-1] if found else ""


def _page_port(config: Config, paths: Paths) -> int:
    """As `raas up` has it, else as configured."""
    try:
        return int(paths.address.read_text().strip().rpartition(":")[2])
    except (OSError, ValueError):
        return config.web.port
