from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gym_raas import stand_in
from tests.gym_raas.stand_in import StandIn


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name (107 characters at most)."""
    with tempfile.TemporaryDirectory(prefix="raas-") as name:
        yield Path(name)


@pytest.fixture
def gateway(short_folder: Path) -> Iterator[StandIn]:
    """A gateway with a simulated robot behind it."""
    with stand_in.running(StandIn(stand_in.fresh_address(short_folder))) as state:
        yield state
