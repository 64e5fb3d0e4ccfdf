"""Scripts as clients see them, on a daemon whose time the test turns."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.realtime.twin.protocol import Command, Refusal
from appliance.realtime.twin.scripts import Status
from tests.realtime.twin.simulated import SimulatedTwin

DEAD_MAN = b"tag 1 mils 5 dcr p0 jp 1 tag 2 w 13 0 w 19 0 inr p3 mils 2 jmp 2"


class ScriptedTwin(SimulatedTwin):
    """With ticks where scripts are due, as the server makes them."""

    def start(self, text: bytes, *parameters: int) -> int:
        script = self.ask(Command.PROC, extension=text)
        assert script >= 0
        self.run(1000)
        assert self.ask(Command.PROCR, script, extension=words(*parameters)) == 0
        return script

    def run(self, duration_us: int) -> None:
        until_us = self.now_us + duration_us
        while (due_us := self.daemon.scripts.next_us) is not None and due_us <= until_us:
            super().run(max(due_us - self.now_us, 0))
            self.daemon.tick(self.now_us)
        super().run(until_us - self.now_us)

    def registers(self, script: int) -> tuple[int, ...]:
        return self.daemon.scripts.status(script)[1]

    def status(self, script: int) -> int:
        return self.daemon.scripts.status(script)[0]


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def calculated(text: str, *parameters: int) -> int:
    """p9 after a script that ends at once."""
    twin = ScriptedTwin()
    script = twin.start(text.encode(), *parameters)
    twin.run(2000)
    assert twin.status(script) == Status.HALTED
    return twin.registers(script)[9]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("lda 7 add 5 sta p9", 12),
        ("lda 7 sub 0x10 sta p9", -9),
        ("lda 7 mlt -3 sta p9", -21),
        ("lda -7 div 2 sta p9", -3),
        ("lda -7 mod 2 sta p9", -1),
        ("lda 0xff and 0x3c or 1 xor 4 sta p9", 0x39),
        ("lda 3 rla 4 rra 1 sta p9", 24),
        ("ld p9 010", 8),
        ("ld v3 5 inr v3 dcr v3 inr v3 ld p9 v3", 6),
        ("lda 5 inra inra dcra sta p9", 6),
        ("ld v0 1 ld v1 2 x v0 v1 ld p9 v0", 2),
        ("lda 4 ld p9 9 xa p9 sta v0 ld p8 v0", 4),
        ("ld v0 3 rl v0 2 rr v0 1 ld p9 v0", 6),
        ("lda 2147483647 add 1 sta p9", -(2**31)),
        ("ld v0 3 push v0 ld v0 4 pop p9", 3),
        ("lda 6 pusha lda 1 popa sta p9", 6),
        ("call 5 halt tag 5 ld p9 77 ret", 77),
        ("lda 3 cmp 3 jz 1 ld p9 1 halt tag 1 ld p9 2", 2),
        ("lda 3 cmp 4 jm 1 ld p9 1 halt tag 1 ld p9 2", 2),
        ("lda 3 cmp 3 jp 1 ld p9 1 halt tag 1 ld p9 2", 2),
        ("lda 3 cmp 4 jnz 1 ld p9 1 halt tag 1 ld p9 2", 2),
        ("w 25 1 r 25 sta p9", 1),
        ("w 25 2 sta p9", Refusal.BAD_LEVEL),
        ("LD P9 1\n\n  NOP\tHALT ld p9 2", 1),
        ("m 25 w mg 25 sta p9", 1),
        ("", 0),
    ],
)
def test_instructions_do_what_pigpiod_does(text: str, result: int) -> None:
    assert calculated(text) == result


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_arithmetic_wraps_at_32_bits(a: int, b: int) -> None:
    wrapped = (a * b + 2**31) % 2**32 - 2**31
    assert calculated("lda p0 mlt p1 sta p9", a, b) == wrapped


@pytest.mark.parametrize("text", ["pop p0", "ret", "tag 1 pusha jmp 1", "lda 1 div 0", "tag 1 call 1"])
def test_a_script_that_misuses_its_stack_or_divides_by_zero_fails(text: str) -> None:
    twin = ScriptedTwin()
    script = twin.start(text.encode())
    twin.run(10_000)
    assert twin.status(script) == Status.FAILED


def test_a_script_without_any_delay_holds_nothing_up_and_can_be_stopped() -> None:
    twin = ScriptedTwin()
    script = twin.start(b"tag 1 inr p0 jmp 1")
    twin.run(5000)
    assert twin.status(script) == Status.RUNNING
    assert twin.registers(script)[0] > 500
    twin.ask(Command.PROCS, script)
    twin.run(5000)
    assert twin.status(script) == Status.HALTED


def test_wait_wakes_on_a_change_of_its_gpio_only() -> None:
    twin = ScriptedTwin()
    script = twin.start(b"wait 0x2000000 sta p9")
    twin.run(5000)
    twin.ask(Command.WRITE, 24, 1)
    twin.run(5000)
    assert twin.status(script) == Status.WAITING
    twin.ask(Command.WRITE, 25, 1)
    twin.run(5000)
    assert twin.status(script) == Status.HALTED
    assert twin.registers(script)[9] == 1 << 25


def test_a_waiting_script_can_be_stopped() -> None:
    twin = ScriptedTwin()
    script = twin.start(b"wait 0x2000000")
    twin.run(2000)
    twin.ask(Command.PROCS, script)
    twin.run(2000)
    assert twin.status(script) == Status.HALTED


@pytest.mark.parametrize(("budget", "after_us"), [(7, 40_000), (19, 100_000)])
def test_the_dead_man_zeroes_both_pins_when_its_budget_is_spent_and_latches(budget: int, after_us: int) -> None:
    twin = ScriptedTwin()
    twin.software_pwm()
    twin.drive(600)
    script = twin.start(DEAD_MAN, budget)
    twin.run(after_us - 1000)
    assert twin.daemon.world.command == 600.0
    twin.run(1000)
    assert twin.daemon.world.command == 0.0
    trips = twin.registers(script)[3]
    twin.ask(Command.PROCU, script, extension=words(budget))
    twin.drive(600)  # a stale client gets a pulse of 2 ms at most
    twin.run(2000)
    assert twin.daemon.world.command == 0.0
    assert twin.registers(script)[3] > trips


def test_the_dead_man_stays_quiet_while_it_is_refreshed() -> None:
    twin = ScriptedTwin()
    twin.software_pwm()
    script = twin.start(DEAD_MAN, 7)
    for _ in range(100):
        twin.drive(600)
        twin.ask(Command.PROCU, script, extension=words(7))
        twin.run(10_000)
    assert twin.daemon.world.command == 600.0
    assert twin.registers(script)[3] == 0


def test_a_tripped_dead_man_is_armed_again_by_stop_wait_and_run() -> None:
    twin = ScriptedTwin()
    script = twin.start(DEAD_MAN, 0)
    twin.run(10_000)
    assert twin.registers(script)[3] > 0
    twin.ask(Command.PROCS, script)
    twin.run(3000)
    assert twin.status(script) == Status.HALTED
    twin.ask(Command.PROCR, script, extension=words(7, 0, 0, 0))
    twin.software_pwm()
    twin.drive(500)
    twin.run(30_000)
    assert (twin.daemon.world.command, twin.registers(script)[3]) == (pytest.approx(480.0), 0)


def test_stop_and_run_within_one_delay_cancel_each_other_as_in_pigpiod() -> None:
    twin = ScriptedTwin()
    script = twin.start(b"mils 10 inr p9 mils 10 inr p9 mils 10")
    twin.run(15_000)
    twin.ask(Command.PROCS, script)
    assert twin.ask(Command.PROCR, script) == 0
    twin.run(9_000)
    assert twin.registers(script)[9] == 2


def test_a_late_wake_up_delays_a_script_and_never_makes_it_catch_up() -> None:
    """A twin that was held up for long must not count its own absence against the client."""
    twin = ScriptedTwin()
    script = twin.start(DEAD_MAN, 7)
    twin.run(1000)
    twin.now_us += 1_000_000
    twin.daemon.tick(twin.now_us)
    assert twin.registers(script)[0] == 6
    assert twin.daemon.scripts.next_us == twin.now_us + 5000


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (b"sys rm", Refusal.BAD_SCRIPT_CMD),
        (b"w 25", Refusal.BAD_SCRIPT_CMD),
        (b"w 25 1 1", Refusal.BAD_SCRIPT_CMD),
        (b"w p10 1", Refusal.BAD_SCRIPT_CMD),
        (b"inr v150", Refusal.BAD_SCRIPT_CMD),
        (b"ld 1 2", Refusal.BAD_SCRIPT_CMD),
        (b"lda 089", Refusal.BAD_SCRIPT_CMD),
        (b"\xff\xfe", Refusal.BAD_SCRIPT_CMD),
        (b"procr 0", Refusal.BAD_SCRIPT_CMD),
        (b"jmp p0", Refusal.BAD_SCRIPT_CMD),
        (b"tag 1 tag 1", Refusal.DUP_TAG),
        (b"jp 3", Refusal.BAD_TAG),
        (b" ".join(b"tag %d" % n for n in range(51)), Refusal.TOO_MANY_TAGS),
    ],
)
def test_a_bad_script_is_refused(text: bytes, refusal: Refusal) -> None:
    assert SimulatedTwin().ask(Command.PROC, extension=text) == refusal


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_text_breaks_the_daemon(text: bytes) -> None:
    assert isinstance(SimulatedTwin().ask(Command.PROC, extension=text), int)


def test_too_many_parameters_are_refused() -> None:
    twin = ScriptedTwin()
    script = twin.start(b"nop")
    assert twin.ask(Command.PROCR, script, extension=words(*range(11))) == Refusal.TOO_MANY_PARAM
    assert twin.ask(Command.PROCU, script, extension=words(*range(11))) == Refusal.TOO_MANY_PARAM
