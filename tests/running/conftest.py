"""The job image that all cells here are made of."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from appliance.engine import docker_host, ensure_engine
from image_build.job_image import ensure_job_image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ensure_engine(tmp_path_factory.mktemp("engine"), docker_host(os.environ)) as client:
        yield ensure_job_image(client)
