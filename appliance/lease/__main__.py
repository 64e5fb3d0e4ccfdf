"""Who lets programs elsewhere drive? `python -m appliance.lease --data DATA --config FILE`: the process `raas-lease`.

Exit status: 0 stopped by a signal, 1 it can't listen, 2 the configuration can't be used or doesn't want it.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

import zmq

from appliance import config as configuration
from appliance import process
from appliance.config import Config
from appliance.errors import ConfigError, RaasError
from appliance.lease import keys
from appliance.lease.clerk import Clerk
from appliance.lease.front import Front
from appliance.lease.service import Service
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.realtime.cores import keep_off_loop_core

#: libzmq keeps the parts of a message until the last has come, however many. Whoever never ends one ends us, not the machine.
_MEMORY_BYTES: Final = 512 << 20
_OPEN_FILES: Final = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status."""
    options = process.arguments("python -m appliance.lease", (__doc__ or "").splitlines()[0]).parse_args(arguments)
    process.log_to_stderr()
    paths = Paths.of(options.data, options.runtime_root)
    try:
        config = configuration.load(options.config or paths.config)
        if not config.lease.enabled:
            raise ConfigError("Driving over the network is off. Set lease.enabled in raas.yaml to switch it on.")
    except ConfigError as error:
        sys.stderr.write(f"raas-lease: {error}\n")
        return 2
    stopping = process.asked_to_end()
    keep_off_loop_core(config.realtime.cpu)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    try:
        _serve(paths, config, stopping)
    except (RaasError, OSError) as error:
        logging.getLogger("lease").error("%s", error)
        return 1
    return 0


def _serve(paths: Paths, config: Config, stopping: threading.Event) -> None:
    notifier, clerk, context = Notifier(os.environ), Clerk(paths, config), zmq.Context()
    try:
        front = Front(
            context, config.lease.address or config.web.address, config.lease.port, keys.server_secret(paths.lease)
        )
        service = Service(context, front, clerk, paths)
        clerk.start()
        notifier.ready(f"listening on port {config.lease.port}")
        while not stopping.is_set():
            service.round()
            notifier.alive(time.monotonic())
        notifier.stopping()
        service.close()
        clerk.stop()
        front.close()
    finally:
        context.destroy(linger=0)


if __name__ == "__main__":
    sys.exit(main())
