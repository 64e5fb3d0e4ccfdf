from __future__ import annotations

from tests.gym_raas.conftest import gateway, short_folder

__all__ = ["gateway", "short_folder"]
