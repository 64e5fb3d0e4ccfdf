"""The pigpio client library against the twin: GPIO 25 as the daemon's own test programs exercise it, and refusals."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pigpio
import pytest

from appliance.realtime.twin.protocol import Command
from tests.patience import eventually
from tests.realtime.twin.running_twin import RawClient, RunningTwin

GPIO = 25
Ask = Callable[[Any], Any]

#: name, what is asked, the answer
ANSWERS: list[tuple[str, Ask, Any]] = [
    ("board", lambda pi: pi.get_hardware_revision(), 0xC03111),
    ("version", lambda pi: pi.get_pigpio_version(), 78),
    ("mode that was set", lambda pi: [pi.set_mode(GPIO, pigpio.ALT3), pi.get_mode(GPIO)], [0, pigpio.ALT3]),
    ("pulled up input", lambda pi: [pi.set_pull_up_down(GPIO, pigpio.PUD_UP), pi.read(GPIO)], [0, 1]),
    ("pulled down input", lambda pi: [pi.set_pull_up_down(GPIO, pigpio.PUD_DOWN), pi.read(GPIO)], [0, 0]),
    ("write makes an output", lambda pi: [pi.write(GPIO, 0), pi.get_mode(GPIO)], [0, pigpio.OUTPUT]),
    ("low is read back", lambda pi: [pi.write(GPIO, 0), pi.read(GPIO)], [0, 0]),
    ("high is read back", lambda pi: [pi.write(GPIO, 1), pi.read(GPIO)], [0, 1]),
    ("high in bank 1", lambda pi: [pi.write(GPIO, 1), pi.read_bank_1() >> GPIO & 1], [0, 1]),
    ("bank clear", lambda pi: [pi.write(GPIO, 1), pi.clear_bank_1(1 << GPIO), pi.read(GPIO)], [0, 0, 0]),
    ("bank set", lambda pi: [pi.write(GPIO, 0), pi.set_bank_1(1 << GPIO), pi.read(GPIO)], [0, 0, 1]),
    ("bank clear beyond permission", lambda pi: pi.clear_bank_1(1 << GPIO | 1), pigpio.PI_SOME_PERMITTED),
    ("bank set beyond permission", lambda pi: pi.set_bank_1(1 << GPIO | 1 << 31), pigpio.PI_SOME_PERMITTED),
    ("second bank, nothing", lambda pi: pi.clear_bank_2(0), 0),
    ("second bank, all", lambda pi: pi.set_bank_2(0xFFFFFF), pigpio.PI_SOME_PERMITTED),
    ("second bank clear, all", lambda pi: pi.clear_bank_2(0xFFFFFF), pigpio.PI_SOME_PERMITTED),
    ("frequency 0 is the lowest", lambda pi: [pi.set_PWM_frequency(GPIO, 0), pi.get_PWM_frequency(GPIO)], [10, 10]),
    ("10 kHz becomes 8", lambda pi: pi.set_PWM_frequency(GPIO, 10_000), 8000),
    ("nearest frequency", lambda pi: pi.set_PWM_frequency(GPIO, 900), 1000),
    ("real range at 8 kHz", lambda pi: [pi.set_PWM_frequency(GPIO, 8000), pi.get_PWM_real_range(GPIO)], [8000, 25]),
    ("real range at 1 kHz", lambda pi: [pi.set_PWM_frequency(GPIO, 1000), pi.get_PWM_real_range(GPIO)], [1000, 200]),
    ("real range at 800 Hz", lambda pi: [pi.set_PWM_frequency(GPIO, 800), pi.get_PWM_real_range(GPIO)], [800, 250]),
    ("range answers the real one", lambda pi: [pi.set_PWM_frequency(GPIO, 1000), pi.set_PWM_range(GPIO, 2000)], [1000, 200]),
    ("range that was set", lambda pi: [pi.set_PWM_range(GPIO, 2000) > 0, pi.get_PWM_range(GPIO)], [True, 2000]),
    ("duty that was set", lambda pi: [pi.set_PWM_range(GPIO, 255) > 0, pi.set_PWM_dutycycle(GPIO, 128), pi.get_PWM_dutycycle(GPIO)], [True, 0, 128]),
    ("no PWM after a write", lambda pi: [pi.set_PWM_dutycycle(GPIO, 9), pi.write(GPIO, 0), pi.get_PWM_dutycycle(GPIO)], [0, 0, pigpio.PI_NOT_PWM_GPIO]),
    ("servo width", lambda pi: [pi.set_servo_pulsewidth(GPIO, 1500), pi.get_servo_pulsewidth(GPIO)], [0, 1500]),
    ("no servo after a write", lambda pi: [pi.write(GPIO, 0), pi.get_servo_pulsewidth(GPIO)], [0, pigpio.PI_NOT_SERVO_GPIO]),
    ("hardware PWM", lambda pi: [pi.hardware_PWM(18, 8000, 250_000), pi.get_PWM_dutycycle(18), pi.get_PWM_range(18), pi.get_PWM_real_range(18), pi.get_PWM_frequency(18), pi.get_mode(18), pi.write(18, 0)], [0, 250_000, 1_000_000, 46_875, 8000, pigpio.ALT5, 0]),
    ("glitch filter", lambda pi: pi.set_glitch_filter(GPIO, 100), 0),
    ("noise filter", lambda pi: pi.set_noise_filter(GPIO, 100, 100), 0),
    ("watchdog off", lambda pi: pi.set_watchdog(GPIO, 0), 0),
    ("mode, GPIO 54", lambda pi: pi.set_mode(54, 0), pigpio.PI_BAD_GPIO),
    ("mode 8", lambda pi: pi.set_mode(GPIO, 8), pigpio.PI_BAD_MODE),
    ("mode, not permitted", lambda pi: pi.set_mode(28, 1), pigpio.PI_NOT_PERMITTED),
    ("pull 3", lambda pi: pi.set_pull_up_down(GPIO, 3), pigpio.PI_BAD_PUD),
    ("read, GPIO 54", lambda pi: pi.read(54), pigpio.PI_BAD_GPIO),
    ("write level 2", lambda pi: pi.write(GPIO, 2), pigpio.PI_BAD_LEVEL),
    ("write, not permitted", lambda pi: pi.write(0, 1), pigpio.PI_NOT_PERMITTED),
    ("duty, not permitted", lambda pi: pi.set_PWM_dutycycle(32, 1), pigpio.PI_NOT_PERMITTED),
    ("duty above the range", lambda pi: [pi.set_PWM_range(GPIO, 255) > 0, pi.set_PWM_dutycycle(GPIO, 256)], [True, pigpio.PI_BAD_DUTYCYCLE]),
    ("range 24", lambda pi: pi.set_PWM_range(GPIO, 24), pigpio.PI_BAD_DUTYRANGE),
    ("range 40001", lambda pi: pi.set_PWM_range(GPIO, 40_001), pigpio.PI_BAD_DUTYRANGE),
    ("duty of no PWM, GPIO 32", lambda pi: pi.get_PWM_dutycycle(32), pigpio.PI_BAD_USER_GPIO),
    ("servo 499", lambda pi: pi.set_servo_pulsewidth(GPIO, 499), pigpio.PI_BAD_PULSEWIDTH),
    ("hardware PWM on 25", lambda pi: pi.hardware_PWM(GPIO, 800, 0), pigpio.PI_NOT_HPWM_GPIO),
    ("hardware duty", lambda pi: pi.hardware_PWM(18, 800, 1_000_001), pigpio.PI_BAD_HPWM_DUTY),
    ("hardware frequency", lambda pi: pi.hardware_PWM(18, 187_500_001, 0), pigpio.PI_BAD_HPWM_FREQ),
    ("trigger too long", lambda pi: pi.gpio_trigger(GPIO, 101, 1), pigpio.PI_BAD_PULSELEN),
    ("trigger of no length", lambda pi: pi.gpio_trigger(GPIO, 0, 1), pigpio.PI_BAD_PULSELEN),
    ("trigger level", lambda pi: pi.gpio_trigger(GPIO, 10, 2), pigpio.PI_BAD_LEVEL),
    ("watchdog too long", lambda pi: pi.set_watchdog(GPIO, 60_001), pigpio.PI_BAD_WDOG_TIMEOUT),
    ("watchdog, GPIO 32", lambda pi: pi.set_watchdog(32, 1), pigpio.PI_BAD_USER_GPIO),
    ("steady too long", lambda pi: pi.set_glitch_filter(GPIO, 300_001), pigpio.PI_BAD_FILTER),
    ("active too long", lambda pi: pi.set_noise_filter(GPIO, 1, 1_000_001), pigpio.PI_BAD_FILTER),
    ("handle 31 isn't open", lambda pi: pi.notify_begin(31, 1), pigpio.PI_BAD_HANDLE),
    ("handle 99", lambda pi: pi.notify_close(99), pigpio.PI_BAD_HANDLE),
    ("handle opened, begun, paused, closed", lambda pi: (lambda h: [pi.notify_begin(h, 1), pi.notify_pause(h), pi.notify_close(h)])(pi.notify_open()), [0, 0, 0]),
    ("event 32", lambda pi: pi.event_trigger(32), pigpio.PI_BAD_EVENT_ID),
    ("no waves", lambda pi: pi.wave_clear(), pigpio.PI_UNKNOWN_COMMAND),
    ("script 5 isn't there", lambda pi: pi.run_script(5), pigpio.PI_BAD_SCRIPT_ID),
    ("nonsense script", lambda pi: pi.store_script(b"frobnicate 1"), pigpio.PI_BAD_SCRIPT_CMD),
    ("script with a bad register", lambda pi: pi.store_script(b"dcr p10"), pigpio.PI_BAD_SCRIPT_CMD),
    ("script without its tag", lambda pi: pi.store_script(b"jmp 7"), pigpio.PI_BAD_TAG),
    ("script with a tag twice", lambda pi: pi.store_script(b"tag 1 nop tag 1"), pigpio.PI_DUP_TAG),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "answer"), [pytest.param(a, b, id=name) for name, a, b in ANSWERS])
def test_a_command_is_answered_as_pigpiod_answers_it(pi: pigpio.pi, ask: Ask, answer: object) -> None:
    assert ask(pi) == answer


@pytest.mark.parametrize(("asked_hz", "edges_per_s"), [(0, 20), (100, 200), (1000, 2000), (8000, 16_000)])
def test_software_pwm_makes_edges_at_its_frequency(pi: pigpio.pi, asked_hz: int, edges_per_s: int) -> None:
    ticks: list[int] = []
    pi.set_PWM_range(GPIO, 255)
    pi.set_PWM_frequency(GPIO, asked_hz)
    pi.set_PWM_dutycycle(GPIO, 128)
    callback = pi.callback(GPIO, pigpio.EITHER_EDGE, lambda _, __, tick: ticks.append(tick))
    eventually(lambda: len(ticks) > edges_per_s // 2, 10.0)
    callback.cancel()
    pi.set_PWM_dutycycle(GPIO, 0)
    span_s = pigpio.tickDiff(ticks[1], ticks[-1]) * 1e-6
    assert (len(ticks) - 2) / span_s == pytest.approx(edges_per_s, rel=0.1)
    assert all(tick % 5 == ticks[0] % 5 for tick in ticks)


@pytest.mark.parametrize("duty", [20, 40, 60, 80])
def test_software_pwm_is_high_for_its_share_of_the_time(pi: pigpio.pi, duty: int) -> None:
    assert share_high(pi, lambda: (pi.set_PWM_frequency(GPIO, 1000), pi.set_PWM_range(GPIO, 100), pi.set_PWM_dutycycle(GPIO, duty))) == pytest.approx(duty / 100, rel=0.01)  # fmt: skip


@pytest.mark.parametrize("width_us", [500, 1500, 2500])
def test_servo_pulses_have_their_width(pi: pigpio.pi, width_us: int) -> None:
    assert share_high(pi, lambda: pi.set_servo_pulsewidth(GPIO, width_us)) == pytest.approx(width_us / 20_000, rel=0.01)


def share_high(pi: pigpio.pi, start: Callable[[], object]) -> float:
    """Share of the time that GPIO 25 is high, over whole periods."""
    edges: list[tuple[int, int]] = []
    start()
    callback = pi.callback(GPIO, pigpio.EITHER_EDGE, lambda _, level, tick: edges.append((level, tick)))
    eventually(lambda: len(edges) >= 12)
    callback.cancel()
    rises = [tick for level, tick in edges[1:] if level == 1]
    highs = [b[1] - a[1] for a, b in itertools.pairwise(edges) if a[0] == 1]
    assert len(highs) >= 4
    return sum(highs) / len(highs) / ((rises[-1] - rises[0]) / (len(rises) - 1))


def test_triggers_are_pulses_of_their_length(pi: pigpio.pi) -> None:
    edges: list[tuple[int, int]] = []
    pi.write(GPIO, 0)
    callback = pi.callback(GPIO, pigpio.EITHER_EDGE, lambda _, level, tick: edges.append((level, tick)))
    for length_us in range(10, 60, 10):
        assert pi.gpio_trigger(GPIO, length_us, 1) == 0
        time.sleep(0.005)  # apart from each other, as a person's would be
    eventually(lambda: len(edges) == 10)
    callback.cancel()
    assert [level for level, _ in edges] == [1, 0] * 5
    lengths_us = [down[1] - up[1] for up, down in zip(edges[::2], edges[1::2], strict=True)]
    assert lengths_us == [10, 20, 30, 40, 50]


def test_a_watchdog_reports_silence_until_it_is_switched_off(pi: pigpio.pi) -> None:
    ticks: list[int] = []
    callback = pi.callback(GPIO, pigpio.FALLING_EDGE, lambda _, level, tick: ticks.append(tick) if level == 2 else None)
    pi.set_watchdog(GPIO, 10)
    eventually(lambda: len(ticks) >= 50)
    pi.set_watchdog(GPIO, 0)
    assert 10_000 <= (ticks[49] - ticks[0]) / 49 < 50_000  # each counts from when the last was noticed
    time.sleep(0.05)
    count = len(ticks)
    time.sleep(0.1)
    callback.cancel()
    assert len(ticks) == count


def test_a_watchdog_is_content_while_the_level_changes(pi: pigpio.pi) -> None:
    barks: list[int] = []
    pi.set_PWM_frequency(GPIO, 100)
    pi.set_PWM_dutycycle(GPIO, 128)
    callback = pi.callback(GPIO, pigpio.EITHER_EDGE, lambda _, level, tick: barks.append(tick) if level == 2 else None)
    pi.set_watchdog(GPIO, 200)
    time.sleep(0.5)
    pi.set_watchdog(GPIO, 0)
    callback.cancel()
    assert barks == []


def test_events_reach_who_asked_for_them(pi: pigpio.pi) -> None:
    events: list[int] = []
    callback = pi.event_callback(7, lambda event, _: events.append(event))
    pi.event_trigger(7)
    pi.event_trigger(8)
    eventually(lambda: bool(events))
    callback.cancel()
    assert events == [7]


def test_a_script_loops_counts_and_is_stopped(pi: pigpio.pi) -> None:
    script = pi.store_script(b"ld p9 p0 tag 0 w p1 1 mils 5 w p1 0 mils 5 dcr p9 jp 0")
    eventually(lambda: pi.script_status(script)[0] != pigpio.PI_SCRIPT_INITING)
    pi.write(GPIO, 0)
    callback = pi.callback(GPIO)
    assert pi.run_script(script, [19, GPIO]) == 0
    eventually(lambda: pi.script_status(script)[0] == pigpio.PI_SCRIPT_HALTED)
    eventually(lambda: callback.tally() == 20)
    assert pi.run_script(script, [2000, GPIO]) == 0
    eventually(lambda: callback.tally() > 30)
    pi.stop_script(script)
    eventually(lambda: pi.script_status(script)[0] == pigpio.PI_SCRIPT_HALTED)
    loops_left = pi.script_status(script)[1][9]
    assert 0 < loops_left < 2000
    time.sleep(0.05)
    assert pi.script_status(script)[1][9] == loops_left
    assert pi.delete_script(script) == 0
    callback.cancel()


def test_a_new_script_is_not_ready_at_once(pi: pigpio.pi) -> None:
    results = []
    for _ in range(10):  # one of ten may be slower than the script's start
        script = pi.store_script(b"nop")
        results.append(pi.run_script(script))
        pi.delete_script(script)
    assert pigpio.PI_SCRIPT_NOT_READY in results


def test_only_32_scripts_fit(pi: pigpio.pi) -> None:
    stored = [pi.store_script(b"nop") for _ in range(33)]
    for script in stored[:32]:
        assert pi.delete_script(script) == 0
    assert stored == [*range(32), pigpio.PI_NO_SCRIPT_ROOM]


def test_the_tick_is_the_monotonic_clock_in_microseconds(pi: pigpio.pi) -> None:
    before = time.monotonic_ns() // 1000 & 0xFFFFFFFF
    tick = pi.get_current_tick()
    after = time.monotonic_ns() // 1000 & 0xFFFFFFFF
    assert pigpio.tickDiff(before, tick) <= pigpio.tickDiff(before, after)


def test_a_permission_mask_can_be_given(start_twin: Callable[..., RunningTwin]) -> None:
    raw = RawClient(start_twin("--permissions", "0x02000000").port)
    both = 1 << 25 | 1 << 24
    assert raw.ask(Command.WRITE, 13, 1) == pigpio.PI_NOT_PERMITTED
    assert raw.ask(Command.WRITE, 25, 1) == 0
    assert raw.ask(Command.BC1, both) == pigpio.PI_SOME_PERMITTED
    assert raw.ask(Command.READ, 25) == 0
