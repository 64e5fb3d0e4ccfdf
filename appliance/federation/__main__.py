"""Who carries jobs to the fleet and back? `python -m appliance.federation --data DATA --config FILE`: the process `raas-federation`.

Exit status: 0 stopped by a signal, 2 the configuration can't be used or names no bucket.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from appliance import config as configuration
from appliance import process
from appliance.errors import ConfigError
from appliance.federation import service
from appliance.notify import Notifier
from appliance.paths import Paths


def main(arguments: Sequence[str] | None = None) -> int:
    """Work until SIGTERM or SIGINT; returns the exit status."""
    options = process.arguments("python -m appliance.federation", (__doc__ or "").splitlines()[0]).parse_args(arguments)
    process.log_to_stderr()
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
    stopping = process.asked_to_end()
    notifier = Notifier(os.environ)
    notifier.ready("looking for the fleet")
    service.serve(service.Place(paths, config, os.environ, notifier, stopping))
    notifier.stopping()
    return 0


if __name__ == "__main__":
    sys.exit(main())
