"""What holds for all tests: Docker Engine runs, hypothesis never judges time, and draws the same examples again in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from appliance.engine import docker_host, ensure_engine
from appliance.errors import EngineError

settings.register_profile("raas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("raas"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "raas")


@pytest.fixture(scope="session", autouse=True)
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One engine for the whole run, where no service manager has started one; without Docker only its tests fail."""
    try:
        with ensure_engine(tmp_path_factory.mktemp("engine"), docker_host(os.environ)):
            yield
    except EngineError:
        yield
