"""What runs the jobs? `python -m appliance.runner --data DATA --config FILE`: puts a worker together and keeps it at work."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import threading
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

from appliance import config as configuration
from appliance import engine, process
from appliance.camera import keeper as camera_keeper
from appliance.care import page_settings
from appliance.config import Config
from appliance.errands.workers import Workers
from appliance.errors import EngineError, InUse, RaasError
from appliance.intake import packing
from appliance.intake.ahead import Ahead
from appliance.intake.preparing import UNPACKING
from appliance.layers import kit as kits
from appliance.layers.kit import Kit
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.readiness import Readiness
from appliance.realtime.cores import keep_off_loop_core
from appliance.running import (
    packing_line,
    preflight,
    results,
)
from appliance.running.docker_cell import DockerCells
from appliance.store import Store
from appliance.worker import Parts, Runner, spec_of
from gym_raas import parameters
from image_build import job_image

_TELL_S: Final = 60.0
_AFTER_ERROR_S: Final = 1.0

_log = logging.getLogger("runner")


def main(arguments: Sequence[str] | None = None) -> int:
    """The runner's process: 0 when stopped by SIGTERM or SIGINT, 1 with a message when it can't work."""
    parser = process.arguments("python -m appliance.runner", __doc__.splitlines()[0])
    parser.add_argument("--image", default="", help="tag of the job image; default: that of the present sources")
    options = parser.parse_args(arguments)
    process.log_to_stderr()
    stopping = process.asked_to_end()
    try:
        paths = Paths.of(options.data, options.runtime_root)
        overlaid = page_settings.over(configuration.load(options.config or paths.config), paths)
        config = overlaid.config
        for problem in overlaid.problems:
            _log.warning("%s", problem)
        with _alone(paths):
            _serve(
                paths,
                options.config or paths.config,
                config,
                options.image or job_image.image_tag(config.job.image),
                stopping,
            )
    except (RaasError, parameters.RobotFileError) as error:
        _log.error("%s", error)
        return 1
    return 0


def _serve(paths: Paths, config_file: Path, config: Config, image: str, stopping: threading.Event) -> None:
    """Work until told to stop; whatever goes wrong inside is put right as after a crash."""
    keep_off_loop_core(config.realtime.cpu)
    notifier = Notifier(os.environ)
    notifier.ready("waiting for jobs")
    host = config.sandbox.docker_host or engine.docker_host(os.environ)
    kit = Kit(kits.setting(paths, config, host, image))
    threading.Thread(target=_tell, args=(kit, stopping), name="images", daemon=True).start()
    if config.federation.bucket:
        threading.Thread(target=_pack, args=(paths, config, stopping), name="packing", daemon=True).start()
    if config.camera.url:
        threading.Thread(
            target=_look, args=(config.camera.url, paths, config_file, stopping), name="camera", daemon=True
        ).start()
    Workers(paths, config, stopping).start()
    ahead = Ahead(UNPACKING)
    while not stopping.is_set():
        store = Store(paths.database)
        try:
            Runner(_parts(paths, config, kit, host, store, notifier, stopping, ahead)).serve()
        except Exception:  # noqa: BLE001 - the process's edge
            _log.exception("unexpected; going on as after a crash")
            stopping.wait(_AFTER_ERROR_S)
        finally:
            store.close()
    ahead.close()
    notifier.stopping()
    _log.info("stopped")


def _tell(kit: Kit, stopping: threading.Event) -> None:
    """Keep the page informed of which images there are: one may be built while we run."""
    while True:
        try:
            kit.tell()
        except (EngineError, OSError) as error:
            _log.warning("which images there are isn't known: %s", error)
        if stopping.wait(_TELL_S):
            return


def _pack(paths: Paths, config: Config, stopping: threading.Event) -> None:
    """Fetch what goes to the fleet."""
    with contextlib.closing(Store(paths.database)) as store:
        packing_line.serve(store, lambda job, cancelled: packing.pack(job, paths, config, cancelled), stopping)


def _look(url: str, paths: Paths, config_file: Path, stopping: threading.Event) -> None:
    """Keep somebody at the camera."""
    try:
        camera_keeper.keep(url, paths, config_file, stopping)
    except OSError:
        _log.exception("nobody looks through the camera")


def _parts(
    paths: Paths,
    config: Config,
    kit: Kit,
    host: str,
    store: Store,
    notifier: Notifier,
    stopping: threading.Event,
    ahead: Ahead,
) -> Parts:
    robot_file = Path(config.robot.file) if config.robot.file else parameters.PACKAGED
    robot = parameters.load_robot(robot_file)
    trial_cells = DockerCells(host, preflight.labels(paths.tag))
    try:
        kit.sweep()
        trial_cells.sweep()
    except EngineError as error:
        _log.warning("%s", error)
    tried = preflight.Trial(trial_cells, paths.tag, config.job.preflight_s)
    ready = Readiness(paths, config, kit, tried, partial(spec_of, paths, config), ahead.take)
    setting = results.Setting(robot.name, config.robot.link, version("raas-appliance"), config.job.limit_s)
    return Parts(
        paths,
        config,
        store,
        DockerCells(host, paths.tag),
        ready.prepare,
        kit.image(config.job.image).tag,
        kit.fitting,
        robot_file,
        setting,
        notifier,
        stopping,
        kit.advice,
        ahead.tend,
    )


def _alone(paths: Paths) -> IO[str]:
    """Hold the runner's lock. Raises InUse."""
    paths.runtime.mkdir(parents=True, exist_ok=True)
    lock = (paths.runtime / "runner.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise InUse(f"Another runner works on {paths.data}. Stop that one first.") from error
    return lock


if __name__ == "__main__":
    sys.exit(main())
