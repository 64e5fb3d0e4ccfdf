"""What does Prometheus see? Loop, faults, queue, disk, supply and heat, as its text format has them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance import facts
from appliance.calibration.drift import drift
from appliance.care import machine_look
from appliance.care.machine_look import Kernel
from appliance.jobs import State
from appliance.paths import Paths
from appliance.realtime.fault_sentences import FAULT_SENTENCES
from appliance.realtime.telemetry import Fault
from appliance.store import Search, Store
from appliance.webui.board import Board
from appliance.webui.store_threads import StoreThreads
from appliance.webui.threads import Threads
from appliance.webui.web import Request, Response, Site

TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
_ROBOT_STATES: Final = ("disarmed", "settling", "armed", "running", "fault", "stopped", "offline")
_UNDER_VOLTAGE_NOW: Final = 1 << 0
_UNDER_VOLTAGE_SINCE_START: Final = 1 << 16

#: Name, what it says, and its samples: labels as they stand in braces, and the value.
Family = tuple[str, str, list[tuple[str, float]]]


@dataclass(frozen=True)
class Metrics:
    """Handler of `GET /metrics`. now_s: the wall clock."""

    board: Board
    store: StoreThreads
    paths: Paths
    kernel: Kernel
    threads: Threads
    now_s: Callable[[], float]

    def install(self, site: Site) -> None:
        """Add the route."""
        site.route("GET", "/metrics", self.tell)

    def tell(self, _request: Request) -> Response:
        """GET /metrics."""
        families = [
            *self._robot(), *self._faults(), *self.store.read(self._jobs), *self.threads.call(self._machine),
        ]  # fmt: skip
        return Response(rendered(families).encode(), content_type=TEXT_FORMAT, headers={"Cache-Control": "no-store"})

    def _robot(self) -> Iterator[Family]:
        robot = self.board.robot()
        yield (
            "raas_robot_state",
            "1 for the state that the robot is in",
            [(f'state="{state}"', float(state == robot.state)) for state in _ROBOT_STATES],
        )
        yield "raas_robot_fault", "1 while a fault is latched", [("", float(robot.state == "fault"))]
        yield "raas_loop_rate_hertz", "Ticks of the motor loop per second", [("", robot.rate_hz)]
        yield "raas_loop_target_rate_hertz", "What they should be", [("", float(robot.target_rate_hz))]
        yield "raas_loop_missed_ticks_total", "Ticks that the loop has left out", [("", float(robot.missed_ticks))]
        yield "raas_loop_worst_tick_seconds", "Longest tick so far", [("", robot.worst_tick_us / 1e6)]
        yield "raas_robot_sample_age_seconds", "How old the newest sample is", [("", robot.age_s)]

    def _faults(self) -> Iterator[Family]:
        """As the guard has counted them since it started; what each fault means stands in `fault_sentences`."""
        guard = self.board.guard
        if guard is None:
            return
        names = [fault.name.lower() for fault in FAULT_SENTENCES if fault is not Fault.NONE]
        yield (
            "raas_robot_faults_total",
            "How often each fault of the robot's hardware was seen",
            [(f'fault="{name}"', float(guard.faults.get(name, 0))) for name in names],
        )
        results = (("passed", guard.self_tests_passed), ("failed", guard.self_tests_failed))
        yield (
            "raas_robot_self_tests_total",
            "Self-tests of the robot before and after jobs",
            [(f'result="{result}"', float(count)) for result, count in results],
        )

    def _jobs(self, rows: Store) -> list[Family]:
        counts = [(f'state="{state}"', float(rows.count(Search(states=frozenset({state}))))) for state in State]
        heartbeat = rows.fact(facts.RUNNER_HEARTBEAT)
        silent = [("", self.now_s() - float(heartbeat))] if heartbeat else []
        return [
            ("raas_jobs", "Jobs in each state", counts),
            ("raas_queue_paused", "1 while no job is started", [("", float(bool(rows.fact(facts.QUEUE_PAUSED))))]),
            *self._twin(rows),
            ("raas_runner_silent_seconds", "Since the runner last said that it lives", silent),
        ]

    def _twin(self, rows: Store) -> Iterator[Family]:
        found = drift(rows.residuals())
        errors = [] if found is None else [('jobs="newest"', found.newest_rad), ('jobs="before"', found.before_rad)]
        yield "raas_twin_error_radians", "How far the twin is off after a second: median over jobs", errors
        drifts = [] if found is None else [("", float(found.drifts))]
        yield "raas_twin_drifts", "1 where the robot no longer moves as its model says", drifts

    def _machine(self) -> list[Family]:
        disk, power = shutil.disk_usage(self.paths.data), machine_look.power(self.kernel)
        bits = power.throttled
        heat = [] if power.celsius is None else [("", power.celsius)]
        volts = [] if bits is None else [
            ('when="now"', float(bool(bits & _UNDER_VOLTAGE_NOW))),
            ('when="since_start"', float(bool(bits & _UNDER_VOLTAGE_SINCE_START))),
        ]  # fmt: skip
        return [
            ("raas_disk_free_bytes", "Free space where jobs' data lie", [("", float(disk.free))]),
            ("raas_disk_size_bytes", "All space there", [("", float(disk.total))]),
            ("raas_under_voltage", "1 where the supply has sagged (Raspberry Pi)", volts),
            ("raas_temperature_celsius", "Of the processor", heat),
        ]


def rendered(families: Iterable[Family]) -> str:
    """The text; a family without samples is left out.

    >>> print(rendered([("raas_x", "An x", [('of="y"', 2.0)]), ("raas_z", "None", [])]), end="")
    # HELP raas_x An x
    # TYPE raas_x gauge
    raas_x{of="y"} 2.0
    """
    lines = []
    for name, says, samples in families:
        if samples:
            lines += [f"# HELP {name} {says}", f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"]
            lines += [f"{name}{f'{{{labels}}}' if labels else ''} {value}" for labels, value in samples]
    return "".join(f"{line}\n" for line in lines)
