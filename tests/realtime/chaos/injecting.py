"""Inject faults one after the other, and note what came of each. `python -m tests.realtime.chaos` is its command."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance.errors import RaasError
from tests.patience import eventually
from tests.realtime.chaos import tally
from tests.realtime.chaos.faults import FAULTS, Fault, Scene
from tests.realtime.chaos.host_stalls import HostStalls
from tests.realtime.chaos.stage import Driver, Runner, Stage, running
from tests.realtime.chaos.tally import Injection, Promise

_WITHIN_A_STEP_S = 0.06
_MOST_LIVES = 20


class BrokenPromise(AssertionError):
    """What was promised didn't hold; the ground is as well as before."""


class Ground(Protocol):
    """Something that can be broken, and recovers."""

    def break_once(self, name: str, chance: random.Random) -> tuple[int, float]:
        """Break a driven robot; (when, ns; ms until it was off, or its longest pause).

        Raises BrokenPromise, and any other AssertionError where the ground itself doesn't come up.
        """

    def recover(self) -> bool:
        """Mend everything; whether the motor has stayed off meanwhile. Raises AssertionError."""


@dataclass(frozen=True)
class Place:
    """A kind of ground: what may be promised there, and how it is made in a folder."""

    promises: Sequence[Promise]
    ground: Callable[[Path], AbstractContextManager[Ground]]


class StageGround:
    """Twin, link, guard, loop and gateway, with a runner and a job of the test's own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._faults = {fault.promise.name: fault for fault in FAULTS}

    def break_once(self, name: str, chance: random.Random) -> tuple[int, float]:
        stage = self._stage
        runner, driver = stage.drive()
        time.sleep(chance.uniform(0.0, _WITHIN_A_STEP_S))
        since_ns = time.monotonic_ns()
        try:
            return since_ns, self._consequence(self._faults[name], Scene(stage, runner, driver, chance), since_ns)
        finally:
            self._end(name, runner, driver)

    def _end(self, name: str, runner: Runner, driver: Driver) -> None:
        """End the session before anything is mended: of a job that was only silent the next action would be welcome."""
        driver.stop()
        runner.stop()
        if "silence" in self._faults[name].promise.layer:
            self._stage.robot.disarm()
        self._stage.mend()

    def _consequence(self, fault: Fault, scene: Scene, since_ns: int) -> float:
        stage, driver = self._stage, scene.driver
        fault.inject(scene)
        if fault.promise.bound_s is not None:
            return stage.pins.wait_off(since_ns)
        if fault.promise.recovers:
            driver.stop()
            stage.mend()
            stage.robot.disarm()
            stage.pins.wait_off(since_ns)
            return 0.0
        steps = driver.calls
        eventually(lambda: driver.calls > steps + 2, 5.0, what=f"a job that {fault.promise.name} don't disturb")
        assert stage.robot.status().state == "running", "the session has ended"
        pause_ms = driver.longest_pause_ms(since_ns)
        stage.robot.disarm()
        stage.pins.wait_off(since_ns)
        return pause_ms

    def recover(self) -> bool:
        self._stage.recover()
        return not self._stage.pins.went_on_again()


@contextlib.contextmanager
def _stage(folder: Path) -> Iterator[StageGround]:
    with running(folder) as stage:
        yield StageGround(stage)


STAGE = Place([fault.promise for fault in FAULTS], _stage)


@dataclass(frozen=True)
class Plan:
    """Which injections: `order[number]` for each number in `numbers`, under load or not, noted in `results`."""

    place: Place
    seed: int
    numbers: Sequence[int]
    load: bool
    results: Path

    def fault(self, number: int) -> Promise:
        """Every class once in each round, in an order of its own that only seed and round decide."""
        turn, index = divmod(number, len(self.place.promises))
        order = list(self.place.promises)
        random.Random(f"{self.seed} {turn}").shuffle(order)
        return order[index]


def carry_out(plan: Plan, folder: Path, stalls: HostStalls, say: Callable[[str], None]) -> None:
    """Inject all that isn't noted yet. A ground that doesn't recover is noted, and made anew."""
    done = {injection.number for injection in tally.read([plan.results]) if injection.load is plan.load}
    left = [number for number in plan.numbers if number not in done]
    life = 0
    while left:
        life += 1
        ground_folder = folder / f"life-{life}"
        ground_folder.mkdir()
        try:
            with plan.place.ground(ground_folder) as ground:
                _break_until_broken(plan, left, ground, stalls, say)
        except (AssertionError, RaasError, OSError) as error:
            if life > _MOST_LIVES:
                raise
            say(f"the ground didn't come up, or not down: {str(error)[:300]}")


def _break_until_broken(
    plan: Plan, left: list[int], ground: Ground, stalls: HostStalls, say: Callable[[str], None]
) -> None:
    """Take injections off the list until none is left, or the ground doesn't recover."""
    while left:
        injection, is_well = _inject(plan, left.pop(0), ground, stalls)
        tally.append(plan.results, injection)
        say(f"{injection.number:>5} {injection.fault:<24}{injection.took_ms:>8.1f} ms  {injection.broken}")
        if not is_well:
            return


def _inject(plan: Plan, number: int, ground: Ground, stalls: HostStalls) -> tuple[Injection, bool]:
    promise, chance = plan.fault(number), random.Random(f"{plan.seed} {number} chance")
    took_ms, stalled_ms, broken = 0.0, 0.0, []
    try:
        try:
            since_ns, took_ms = ground.break_once(promise.name, chance)
            stalled_ms = stalls.within_ms(since_ns, since_ns + round(took_ms * 1e6))
            late = tally.lateness(promise, took_ms, stalled_ms)
            broken += [late] if late else []
        except BrokenPromise as error:
            broken.append(str(error))
        if not ground.recover():
            broken.append("the motor went on again without a new arm")
        is_well = True
    except (AssertionError, RaasError, OSError) as error:
        broken.append(f"{type(error).__name__}: {error}"[:2000])
        is_well = False
    said = "; ".join(broken)
    injection = Injection(
        number=number, fault=promise.name, load=plan.load, took_ms=took_ms, stalled_ms=stalled_ms, broken=said
    )
    return injection, is_well
