from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime import cores

REPORT = "from appliance.realtime import machine; print(machine.prepare({core}, {priority}))"


def report(core: int, priority: int, prefix: tuple[str, ...] = ()) -> str:
    code = REPORT.format(core=core, priority=priority)
    done = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_report_names_every_means_in_one_line() -> None:
    said = report(min(os.sched_getaffinity(0)), 0)
    assert said.count("\n") == 1
    for means in ("FIFO priority", "locked memory", "exact timers", "no sleep states", "full clock rate", "PREEMPT_RT"):
        assert said.count(means) == 1
    assert said.count("isolated core") == 1


def test_a_core_that_isn_t_there_is_refused_with_its_reason_and_the_rest_goes_on() -> None:
    said = report(1023, 0)
    assert "refused core 1023 (Invalid argument)" in said
    assert "granted" in said


def test_without_a_right_to_anything_it_still_carries_on() -> None:
    prefix = ("prlimit", "--memlock=0", "--rtprio=0", "setpriv", "--reuid=65534", "--clear-groups")
    said = report(min(os.sched_getaffinity(0)), 80, prefix) if os.geteuid() == 0 else ""
    assert os.geteuid() != 0 or "FIFO priority 80 (Operation not permitted)" in said


GUARD = """
import os, subprocess, sys
from appliance.realtime import machine
said = machine.take_guard_priority(80)
child = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0) == os.SCHED_OTHER)"]
is_fifo = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO
print(said, is_fifo, subprocess.run(child, capture_output=True, text=True).stdout)
"""


def test_the_guard_is_above_ordinary_programs_and_its_children_are_not() -> None:
    said = subprocess.run([sys.executable, "-c", GUARD], capture_output=True, text=True, check=True).stdout.split()
    granted = "granted" in said
    assert "20" in said
    assert said[-2:] == [str(granted), "True"]


@pytest.mark.parametrize(
    ("cpu", "count", "isolated", "allowed", "core"),
    [
        (-1, 1, (), {0}, 0),  # one core: shared with everything
        (-1, 2, (), {0, 1}, 1),
        (-1, 4, (), {0, 1, 2, 3}, 3),
        (-1, 4, (2, 3), {0, 1}, 3),  # isolated cores are outside everybody's mask
        (-1, 4, (2,), {0, 1, 3}, 2),
        (-1, 8, (), {0, 1, 2}, 2),  # a container that has three of eight
        (-1, 4, (), {0, 1, 2}, 3),  # a process that has left the loop's core itself
        (-1, 2, (), {0}, 1),
        (0, 4, (3,), {0, 1, 2}, 0),  # the owner's word
        (7, 4, (), {0, 1, 2, 3}, 3),
    ],
)
def test_the_loop_has_an_isolated_core_or_the_last_one_it_may_have(
    cpu: int, count: int, isolated: tuple[int, ...], allowed: set[int], core: int
) -> None:
    assert cores.chosen(cpu, count, isolated, allowed) == core


@given(st.sets(st.integers(0, 200)))
def test_the_kernel_s_lists_of_cores_are_read(wanted: set[int]) -> None:
    assert cores.parse_list(",".join(map(str, sorted(wanted)))) == wanted
    assert cores.parse_list("1,4-6\n") == {1, 4, 5, 6}
