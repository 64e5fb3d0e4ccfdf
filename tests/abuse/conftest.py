"""One appliance that all abuse is aimed at. It must outlive every test here, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.appliance_process import Appliance, running_appliance

CONFIG = """
name: abused
job: {limit_s: 6, grace_s: 0.5, output_kb: 256}
fetch: {allow_http: true, allow_private: true}
"""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with running_appliance(tmp_path_factory.mktemp("abused"), CONFIG) as started:
        yield started
