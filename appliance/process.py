"""How does every process of the appliance begin, and how is it told to end? The same folders, the same log, the same signals."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path


def arguments(program: str, about: str) -> argparse.ArgumentParser:
    """A parser that knows where the appliance's files are: `data`, `config` (None: the one in `data`), `runtime_root`."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--data", type=Path, required=True, help="the appliance's data folder")
    parser.add_argument("--config", type=Path, help="raas.yaml; default: the one in the data folder")
    parser.add_argument(
        "--runtime-root", type=Path, default=Path("/run/raas"), help="where sockets are; default: %(default)s"
    )
    return parser


def log_to_stderr(form: str = "%(asctime)s %(message)s") -> None:
    """What systemd or a terminal shows."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form)


def asked_to_end() -> threading.Event:
    """Set by SIGTERM and by Ctrl-C. For the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
