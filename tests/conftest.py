"""What holds for all tests: hypothesis never judges time, and draws the same examples again where CI says so."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("raas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("raas"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "raas")
