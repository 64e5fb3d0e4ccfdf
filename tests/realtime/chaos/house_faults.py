"""What is broken of a whole appliance. Whoever isn't between job and motor may die: both go on. The runner's end is the lease's."""

from __future__ import annotations

import contextlib
import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.realtime.telemetry import LiveRecord, RobotState
from tests.patience import eventually
from tests.realtime.chaos.house import LEASE_S, SILENCE_S, House, running
from tests.realtime.chaos.injecting import BrokenPromise, Place
from tests.realtime.chaos.tally import Promise

_TICK_S = 0.001
_WITHIN_A_STEP_S = 0.06
#: How long job and motor are watched with somebody dead.
_WINDOW_S = 1.5
_STEP_S = 0.05
#: In that time. An idle machine makes 30; a job shares its cores with everything else that runs.
_LEAST_STEPS = 8


@dataclass(frozen=True)
class Fault:
    """A class of faults: how one is injected, and how the house is mended after it."""

    promise: Promise
    inject: Callable[[House], None]
    mend: Callable[[House], None]


def _killed(name: str, bound_s: float | None, layer: str) -> Fault:
    return Fault(
        Promise(f"{name} killed", bound_s, layer),
        lambda house: house.send(name, signal.SIGKILL),
        lambda house: house.start(name),
    )


def _stopped(name: str, bound_s: float | None, layer: str) -> Fault:
    return Fault(
        Promise(f"{name} stopped", bound_s, layer),
        lambda house: house.send(name, signal.SIGSTOP),
        lambda house: house.send(name, signal.SIGCONT),
    )


FAULTS = (
    _killed("webui", None, "nobody needs it"),
    _stopped("webui", None, "nobody needs it"),
    _killed("federation", None, "nobody needs it"),
    _stopped("federation", None, "nobody needs it"),
    Fault(
        Promise("engine killed", None, "shim and runner go on"),
        lambda house: house.send_engine(signal.SIGKILL),
        lambda house: house.restart_engine(),
    ),
    Fault(
        Promise("engine stopped", None, "shim and runner go on"),
        lambda house: house.send_engine(signal.SIGSTOP),
        lambda house: house.send_engine(signal.SIGCONT),
    ),
    _killed("runner", LEASE_S, "loop: lease"),
    _stopped("runner", LEASE_S, "loop: lease"),
    Fault(
        Promise("cell's program killed", 0.0, "gateway"),
        lambda house: house.send_job(signal.SIGKILL),
        lambda _: None,
    ),
    Fault(
        Promise("cell's program stopped", SILENCE_S + 2 * _TICK_S, "loop: silence"),
        lambda house: house.send_job(signal.SIGSTOP),
        lambda house: house.send_job(signal.SIGKILL),
    ),
)


class HouseGround:
    """A house in which one thing after the other is broken."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._faults = {fault.promise.name: fault for fault in FAULTS}
        self._broken: Fault | None = None
        self._off: tuple[int, int] | None = None

    def break_once(self, name: str, chance: random.Random) -> tuple[int, float]:
        house, self._off = self._house, None
        fault = self._broken = self._faults[name]
        before = house.driving()
        house.find_job()
        time.sleep(chance.uniform(0.0, _WITHIN_A_STEP_S))
        since_ns = time.monotonic_ns()
        fault.inject(house)
        if fault.promise.bound_s is None:
            return since_ns, self._longest_pause_ms(before, since_ns)
        off_ns = eventually(lambda: house.pins.first_off(since_ns), 10.0, what="the pins to go off")
        self._off = off_ns, before.session
        return since_ns, max(0.0, (off_ns - since_ns) / 1e6)

    def _longest_pause_ms(self, before: LiveRecord, since_ns: int) -> float:
        """Between two steps at the pins while somebody is dead. The job must be the same one, and have gone on."""
        time.sleep(_WINDOW_S)
        newest = self._house.ring()[-1]
        if newest.session != before.session or newest.state != RobotState.RUNNING:
            said = self._house.log("runner")
            raise BrokenPromise(
                f"the session has ended: {RobotState(newest.state).name}; the runner's last words:\n{said}"
            )
        if newest.steps < before.steps + _LEAST_STEPS:
            raise BrokenPromise(f"only {newest.steps - before.steps} steps in {_WINDOW_S:g} s")
        times = [since_ns, *(pin.t_ns for pin in self._house.pins.after(since_ns))]
        return max(after - before for before, after in itertools.pairwise(times)) / 1e6

    def recover(self) -> bool:
        house, fault = self._house, self._broken
        assert fault is not None
        if self._off is None:
            fault.mend(house)
            return True
        time.sleep(2 * _STEP_S)  # what would go on again has time for it
        well = not house.went_on_unarmed(*self._off)
        fault.mend(house)
        eventually(
            lambda: house.ring()[-1].session != self._off_session, 30.0, what="the session's end", then=house.logs
        )
        return well and not house.went_on_unarmed(*self._off)

    @property
    def _off_session(self) -> int:
        return self._off[1] if self._off is not None else 0


@contextlib.contextmanager
def _house(folder: Path) -> Iterator[HouseGround]:
    with running(folder) as house:
        yield HouseGround(house)


HOUSE = Place([fault.promise for fault in FAULTS], _house)
