"""Who looks for the page? A process of its own, so that no look holds up the stop button: `python -m appliance.care.onlooker`.

It runs as the page's user and never reaches Docker. What is asked for is one of `LOOKS`; the answer is JSON on standard
output, or the bytes of a zip file.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from appliance import process
from appliance.care import disk_look, gathering, page_settings, service_logs, support
from appliance.care.doctor import diagnose
from appliance.care.snapshot import Engine
from appliance.config import Config
from appliance.errors import ConfigError, RaasError
from appliance.paths import Paths

_NICER: Final = 5


def _doctor(given: argparse.Namespace, paths: Paths) -> bytes:
    return msgspec.json.encode(diagnose(gathering.gather(paths, given.config, _engine, try_means=False)))


def _disk(given: argparse.Namespace, paths: Paths) -> bytes:
    try:
        config = page_settings.load(given.config, paths).config
    except ConfigError:
        config = Config()
    return msgspec.json.encode(disk_look.look(paths, config.storage))


def _logs(given: argparse.Namespace, paths: Paths) -> bytes:
    return msgspec.json.encode(service_logs.tail(paths, given.service, given.lines))


def _bundle(given: argparse.Namespace, paths: Paths) -> bytes:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return support.bundle(support.Appliance(paths, given.config, Path(folder) if folder else None), _engine)


LOOKS: Final[dict[str, Callable[[argparse.Namespace, Paths], bytes]]] = {
    "doctor": _doctor, "disk": _disk, "logs": _logs, "bundle": _bundle,
}  # fmt: skip


def _engine(_config: Config) -> Engine | None:
    """Docker's socket is root; who serves strangers has no business there."""
    return None


def main(arguments: Sequence[str]) -> int:
    """Entry point: 0 and the answer, or 1 and a message."""
    parser = process.arguments("python -m appliance.care.onlooker", (__doc__ or "").splitlines()[0])
    parser.add_argument("look", choices=tuple(LOOKS))
    parser.add_argument("--service", choices=service_logs.SERVICES, default="webui")
    parser.add_argument("--lines", type=int, default=200)
    given = parser.parse_args(arguments)
    paths = Paths.of(given.data, given.runtime_root)
    given.config = given.config or paths.config
    with contextlib.suppress(OSError):  # the unit of the page forbids even this
        os.nice(_NICER)
    try:
        answer = LOOKS[given.look](given, paths)
    except RaasError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
