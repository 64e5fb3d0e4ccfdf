"""docs/security.md names the attacks that are run, and the limits and settings that there are."""

from __future__ import annotations

import re

from appliance.config import options
from tests.abuse import table


def test_every_attack_is_in_the_table_as_it_is_run() -> None:
    assert table.PAGE.read_text() == table.page(), "run `python -m tests.abuse.table`"


def test_every_setting_that_it_names_exists() -> None:
    named = set(re.findall(r"`((?:job|sandbox)\.[a-z_]+)", table.PAGE.read_text()))
    assert named <= {option.key for option in options()}
    assert named >= {"job.memory_mb", "job.pids", "sandbox.allow_unenforced"}
