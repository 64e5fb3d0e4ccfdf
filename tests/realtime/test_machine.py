from __future__ import annotations

import os
import subprocess
import sys

REPORT = "from appliance.realtime import machine; print(machine.prepare({core}, {priority}))"


def report(core: int, priority: int, prefix: tuple[str, ...] = ()) -> str:
    code = REPORT.format(core=core, priority=priority)
    done = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_report_names_every_means_in_one_line() -> None:
    said = report(min(os.sched_getaffinity(0)), 0)
    assert said.count("\n") == 1
    for means in ("core", "FIFO priority", "locked memory", "exact timers", "no sleep states"):
        assert said.count(means) == 1


def test_a_core_that_isn_t_there_is_refused_with_its_reason_and_the_rest_goes_on() -> None:
    said = report(1023, 0)
    assert "refused core 1023 (Invalid argument)" in said
    assert "granted" in said


def test_without_a_right_to_anything_it_still_carries_on() -> None:
    prefix = ("prlimit", "--memlock=0", "--rtprio=0", "setpriv", "--reuid=65534", "--clear-groups")
    said = report(min(os.sched_getaffinity(0)), 80, prefix) if os.geteuid() == 0 else ""
    assert os.geteuid() != 0 or "FIFO priority 80 (Operation not permitted)" in said
