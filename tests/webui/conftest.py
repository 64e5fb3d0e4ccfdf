"""A stage and the real web process on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.webui.stage import Stage, WebProcess


@contextmanager
def set_stage(config_text: str = "") -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="web-"))  # short: sockets live in it
    stage = Stage(folder, config_text)
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(folder)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with set_stage() as stage:
        yield stage


@pytest.fixture
def web(stage: Stage) -> Iterator[WebProcess]:
    with stage.serve() as process:
        yield process


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Stage, WebProcess]]:
    """For tests that don't mind each other's jobs."""
    with set_stage("fetch: {max_upload_mb: 4}\nweb: {hosts: [pendulum.local]}\n") as stage, stage.serve() as process:
        yield stage, process
