"""Break everything that can break while the motor runs, and read at the twin when both pins went off.

`make chaos` does this a thousand times and prints a table; the default suite takes a sample.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.realtime.chaos.faults import KINDS, SLACK_S, Kind, Scene
from tests.realtime.chaos.host_stalls import HostStalls, watched
from tests.realtime.chaos.stage import Stage, running

INJECTIONS = int(os.environ.get("RAAS_CHAOS_INJECTIONS", "1080"))


def break_once(stage: Stage, kind: Kind, chance: random.Random, stalls: HostStalls) -> tuple[float, float]:
    """Inject one fault into a driven robot; (milliseconds until it was off, of the host's own stalls in that time)."""
    runner, driver = stage.drive()
    time.sleep(chance.uniform(0.0, 0.06))  # anywhere within a step
    since_ns = time.monotonic_ns()
    kind.inject(Scene(stage, runner, driver, chance))
    took_ms = 0.0
    if kind.bound_s is None and not kind.recovers:
        steps = driver.calls
        eventually(lambda: driver.calls > steps + 2, 5.0, what=f"a job that {kind.name} don't disturb")
        assert stage.robot.status().state == "running"
        stage.robot.disarm()
        stage.wait_off(since_ns)
    elif kind.recovers:
        driver.stop()
        stage.mend()
        stage.robot.disarm()
        stage.wait_off(since_ns)
    else:
        took_ms = stage.wait_off(since_ns)
    stalled_ms = stalls.within_ms(since_ns, since_ns + round(took_ms * 1e6))
    stage.mend()
    driver.stop()
    runner.stop()
    return took_ms, stalled_ms


def table(taken: dict[str, list[float]], stalled: dict[str, list[float]]) -> str:
    """Counts and times per class, and the windows in which the host stood still."""
    lines = [f"{'fault':<24}{'layer':<30}{'count':>6}{'median':>9}{'p99':>9}{'max':>9}{'bound':>9}  ms", ""]
    for kind in KINDS:
        times = sorted(taken[kind.name])
        if not times:
            continue
        if kind.bound_s is None:
            lines.append(
                f"{kind.name:<24}{kind.layer:<30}{len(times):>6}   {'recovered' if kind.recovers else 'undisturbed'}"
            )
            continue
        p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
        figures = "".join(f"{value:>9.1f}" for value in (statistics.median(times), p99, times[-1], kind.bound_s * 1e3))
        lines.append(f"{kind.name:<24}{kind.layer:<30}{len(times):>6}{figures}")
    listed = [f"{name}: {value:.0f} ms" for name, values in stalled.items() for value in values if value]
    lines += [
        "",
        f"the host stood still in {len(listed)} of these windows {'(' + ', '.join(listed) + ')' if listed else ''}",
    ]
    return "\n".join(lines)


def break_all(folder: Path, rounds: int, seed: int) -> str:
    """Every class `rounds` times in random order; returns the table. Fails at the first broken promise."""
    chance = random.Random(seed)
    taken: dict[str, list[float]] = defaultdict(list)
    stalled: dict[str, list[float]] = defaultdict(list)
    order = list(KINDS) * rounds
    chance.shuffle(order)
    late: list[str] = []
    with watched(folder) as stalls, running(folder) as stage:
        for kind in order:
            took_ms, stalled_ms = break_once(stage, kind, chance, stalls)
            taken[kind.name].append(took_ms)
            stalled[kind.name].append(stalled_ms)
            if kind.bound_s is not None and took_ms > (kind.bound_s + SLACK_S) * 1e3 + stalled_ms:
                late.append(f"{kind.name}: {took_ms:.0f} ms")
        assert not stage.on_again(), "the motor went on without a new arm"
    found = table(taken, stalled)
    assert not late, f"too late: {late}\n{found}"
    return found


def test_whatever_breaks_the_motor_is_off_in_time_and_stays_off(tmp_path: Path) -> None:
    break_all(tmp_path, 1, seed=random.randrange(1 << 16))


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_a_thousand_faults_and_not_one_motor_that_runs_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = break_all(tmp_path, -(-INJECTIONS // len(KINDS)), seed=random.randrange(1 << 16))
    with capsys.disabled():
        print(f"\n\n{found}\n")
