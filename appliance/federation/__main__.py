"""Who carries jobs to the fleet and back? `python -m appliance.federation --data DATA --config FILE`: the process `raas-federation`.

Exit status: 0 stopped by a signal, 2 the configuration can't be used or names no bucket.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from appliance import config as configuration
from appliance.errors import ConfigError
from appliance.federation import service
from appliance.notify import Notifier
from appliance.paths import Paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m appliance.federation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the appliance's data folder")
    parser.add_argument("--config", type=Path, help="raas.yaml; default: the one in the data folder")
    parser.add_argument("--runtime-root", type=Path, default=Path("/run/raas"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    paths = Paths.of(options.data, options.runtime_root)
    try:
        config = configuration.load(options.config or paths.config)
        if not config.federation.bucket:
            raise ConfigError(
                "No fleet is configured: `raas fleet join` does it, or set federation.bucket in raas.yaml."
            )
    except ConfigError as error:
        sys.stderr.write(f"raas-federation: {error}\n")
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    notifier = Notifier(os.environ)
    notifier.ready("looking for the fleet")
    service.serve(service.Place(paths, config, os.environ, notifier, stopping))
    notifier.stopping()
    return 0


if __name__ == "__main__":
    sys.exit(main())
