from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.realtime.kinds.pendulum import stuck_angle_rad
from appliance.realtime.twin.protocol import Command
from gym_raas.actuator import quantised
from gym_raas.physics import Pendulum, State
from tests.realtime.twin.simulated import SimulatedTwin, robot_with


@pytest.mark.parametrize("counts_per_turn", [445, 480])
@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(1_000, 120_000)), min_size=1, max_size=15))
@settings(max_examples=25, deadline=None)
def test_counts_follow_the_physics_through_the_pins(counts_per_turn: int, plan: list[tuple[int, int]]) -> None:
    twin = SimulatedTwin(robot_with(counts_per_turn), seed=3)
    twin.software_pwm()
    pendulum, state = Pendulum(twin.robot.model), twin.daemon.world.state
    start_rad = state.angle_rad
    for command, span_us in plan:
        twin.drive(command)
        twin.run(span_us)
        state = pendulum.advance(state, quantised(command, twin.robot.pwm), span_us * 1e-6)
    expected = (state.angle_rad - start_rad) * counts_per_turn / (2.0 * math.pi)
    assert twin.lost == 0
    assert abs(twin.count - expected) <= 1.5


def test_many_turns_at_full_drive_lose_no_edge() -> None:
    twin = SimulatedTwin(robot_with(445))
    twin.software_pwm()
    start_rad = twin.daemon.world.state.angle_rad
    twin.drive(1000)
    twin.run(10_000_000)
    turns = (twin.daemon.world.state.angle_rad - start_rad) / (2.0 * math.pi)
    assert turns > 20
    assert twin.lost == 0
    assert abs(twin.count - turns * 445) <= 1.0
    assert [report[0] for report in twin.reports] == [n & 0xFFFF for n in range(len(twin.reports))]


def test_ticks_of_edges_lie_on_the_grid_and_give_the_speed() -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.drive(1000)
    twin.run(3_000_000)
    assert all(tick % 5 == 0 for tick, _ in twin.counted)
    (before_us, _), (after_us, _) = twin.counted[-9], twin.counted[-1]
    speed_rad_s = 8 * twin.robot.encoder.rad_per_count / ((after_us - before_us) * 1e-6)
    assert speed_rad_s == pytest.approx(twin.daemon.world.state.velocity_rad_s, rel=0.05)


def test_without_drive_energy_only_falls_and_the_arm_ends_in_the_stuck_zone() -> None:
    twin = SimulatedTwin(start_angle_rad=1.0)
    twin.software_pwm()
    pendulum = Pendulum(twin.robot.model)
    energies = []
    for _ in range(1200):
        twin.run(10_000)
        energies.append(pendulum.energy_rad2_s2(twin.daemon.world.state))
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(energies))
    assert twin.daemon.world.state.velocity_rad_s == 0.0
    assert abs(twin.daemon.world.state.angle_rad - math.pi) <= stuck_angle_rad(twin.robot.model)


def test_the_count_starts_where_the_arm_hangs_and_its_phase_depends_on_the_seed() -> None:
    states = [SimulatedTwin(seed=seed).daemon.world.state for seed in range(20)]
    offsets = [state.angle_rad - math.pi for state in states]
    assert max(map(abs, offsets)) < math.radians(2.64)
    assert len(set(offsets)) == 20
    levels = {SimulatedTwin(seed=seed).ask(Command.BR1) >> 14 & 3 for seed in range(20)}
    assert len(levels) > 1
    assert SimulatedTwin(seed=7).daemon.world.state == states[7]


def test_a_resting_arm_stays_until_it_is_pushed() -> None:
    twin = SimulatedTwin()
    twin.run(100_000)
    assert not twin.daemon.busy
    assert twin.count == 0
    angle_rad, _ = twin.daemon.world.state
    twin.daemon.world.place(State(angle_rad, 3.0))
    assert twin.daemon.busy
    twin.run(100_000)
    assert twin.count > 5


@pytest.mark.parametrize(
    ("forward", "backward", "command"),
    [(0, 0, 0.0), (1000, 0, 1000.0), (0, 1000, -1000.0), (1000, 1000, 0.0), (250, 0, 240.0), (30, 0, 0.0), (39, 0, 0.0), (40, 0, 40.0), (600, 200, 400.0)],
)  # fmt: skip
def test_software_pwm_at_8_khz_has_25_steps_at_the_bridge(forward: int, backward: int, command: float) -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.ask(Command.PWM, 13, forward)
    twin.ask(Command.PWM, 19, backward)
    assert twin.daemon.world.command == pytest.approx(command)


def test_what_the_bridge_gets_is_what_the_shared_actuator_says() -> None:
    for frequency_hz in (8000, 1000, 800):
        twin = SimulatedTwin(robot_with(frequency_hz=frequency_hz))
        twin.software_pwm()
        for command in range(-1000, 1001, 37):
            twin.drive(command)
            assert twin.daemon.world.command == pytest.approx(quantised(command, twin.robot.pwm))
