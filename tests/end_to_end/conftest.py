"""One appliance for all end-to-end tests that don't break it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.appliance_process import Appliance, running_appliance

#: The test's own git server speaks http on loopback; both are refused unless the owner allows them.
CONFIG = "name: test robot\nfetch: {allow_http: true, allow_private: true}\n"


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder: Path = tmp_path_factory.mktemp("appliance")
    with running_appliance(folder, CONFIG) as started:
        yield started
