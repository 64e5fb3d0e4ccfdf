"""How does the web page start? The process's entry point: `python -m appliance.webui --data DATA --config FILE`.

Exit codes: 0 stopped by a signal, 2 the configuration can't be used, 3 the port is taken, 1 anything else.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()  # before anything else is imported: waiting for a socket must never hold up other requests

import argparse  # noqa: E402 - as above, for all that follow
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from gevent.event import Event  # noqa: E402

from appliance import certificate, process  # noqa: E402
from appliance.care import page_settings  # noqa: E402
from appliance.errors import ConfigError, InUse, RaasError  # noqa: E402
from appliance.notify import Notifier  # noqa: E402
from appliance.paths import Paths  # noqa: E402
from appliance.webui import app, pulse, server  # noqa: E402

EXIT_CODES = {ConfigError: 2, InUse: 3}


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    options = _options().parse_args(arguments)
    process.log_to_stderr("%(levelname)s %(name)s: %(message)s")
    try:
        _run(options)
    except RaasError as error:
        sys.stderr.write(f"raas-webui: {error}\n")
        return EXIT_CODES.get(type(error), 1)
    return 0


def _run(options: argparse.Namespace) -> None:
    paths = Paths.of(options.data, options.runtime_root)
    config_file = options.config or paths.config
    overlaid = page_settings.load(config_file, paths)
    for problem in overlaid.problems:
        logging.getLogger("webui").warning("%s", problem)
    config = overlaid.config
    context = certificate.serving(config.web)
    if config.web.tls_cert and (problem := certificate.read(config.web.tls_cert).problem(time.time())):
        logging.getLogger("webui").warning("web.tls_cert: %s Browsers warn of the page until it is renewed.", problem)
    listener = server.listen(config.web.address, config.web.port if options.port is None else options.port)
    application = app.build(config, paths, config_file)
    application.watch.start()
    web = server.serve(application.wsgi, listener, context)
    notifier = Notifier(os.environ)
    gevent.spawn(pulse.beat, notifier, config.web, listener.getsockname()[1])
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, ended.set)
    # Read by whoever started this with port 0.
    sys.stdout.write(f"{config.web.scheme}://{_in_url(config.web.address)}:{listener.getsockname()[1]}/\n")
    sys.stdout.flush()
    ended.wait()
    notifier.stopping()
    web.stop(timeout=1)


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _options() -> argparse.ArgumentParser:
    parser = process.arguments("python -m appliance.webui", "The pages and the HTTP API of an appliance.")
    parser.add_argument("--port", type=int, default=None, help="instead of web.port; 0: a free one")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
