from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.messages import DriverReply, DriverRequest
from appliance.realtime.wheel import Answer, Forward, Greet, Outcome, Wheel
from gym_raas import wire
from gym_raas.wire import Kind, Refusal

SESSION = 7
FIRST, SECOND = 1, 2


def new_wheel() -> Wheel:
    return Wheel(SESSION, 100, 0.0)


def driven_wheel() -> Wheel:
    wheel = new_wheel()
    assert wheel.receive(FIRST, wire.Hello(11).pack(), 0.0) == [Greet(FIRST)]
    return wheel


def refusal(outcomes: list[Outcome]) -> tuple[int, Refusal]:
    """Who was refused, and why, where that is the only outcome."""
    (outcome,) = outcomes
    assert isinstance(outcome, Answer)
    message = wire.parse_reply(outcome.message)
    assert isinstance(message, wire.Refused)
    assert message.text
    return outcome.peer, message.code


def forwarded(outcomes: list[Outcome]) -> DriverRequest:
    (outcome,) = outcomes
    assert isinstance(outcome, Forward)
    return outcome.request


def test_the_first_hello_drives_and_its_actions_reach_the_loop() -> None:
    wheel = driven_wheel()
    request = forwarded(wheel.receive(FIRST, wire.Action(5, -1.5).pack(), 0.0))
    assert request == DriverRequest(SESSION, 101, Kind.ACTION, 0, 5, -1.5)


def test_the_answer_goes_to_the_driver_once() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Read(5).pack(), 0.0)
    reply = DriverReply(SESSION, 101, b"sample")
    assert wheel.replied(reply) == [Answer(FIRST, b"sample")]
    assert wheel.replied(reply) == []


def test_answers_to_another_session_or_an_old_driver_are_dropped() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Read(5).pack(), 0.0)
    assert wheel.replied(DriverReply(SESSION + 1, 101, b"")) == []
    assert wheel.replied(DriverReply(SESSION, 100, b"")) == []


def test_a_second_environment_is_told_to_close_the_first() -> None:
    wheel = driven_wheel()
    assert refusal(wheel.receive(SECOND, wire.Hello(22).pack(), 0.0)) == (SECOND, Refusal.BUSY)
    assert refusal(wheel.receive(SECOND, wire.Action(1, 2.0).pack(), 0.0)) == (SECOND, Refusal.NOT_DRIVER)
    assert wheel.driver == FIRST


def test_close_then_make_works_and_switches_the_motor_off_between() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Action(1, 2.0).pack(), 0.0)
    off = forwarded(wheel.receive(FIRST, wire.Bye().pack(), 0.0))
    assert (off.kind, off.mode, off.driver) == (Kind.RESET, wire.ResetMode.MOTOR_OFF, 101)
    assert wheel.receive(SECOND, wire.Hello(22).pack(), 0.0) == [Greet(SECOND)]
    assert forwarded(wheel.receive(SECOND, wire.Read(1).pack(), 0.0)).driver == 102


def test_a_driver_whose_connection_ends_gives_the_wheel_back() -> None:
    wheel = driven_wheel()
    assert forwarded(wheel.gone(FIRST)).kind == Kind.RESET
    assert wheel.gone(FIRST) == []
    assert wheel.receive(SECOND, wire.Hello(22).pack(), 0.0) == [Greet(SECOND)]


def test_bye_and_end_of_a_stranger_change_nothing() -> None:
    wheel = driven_wheel()
    assert wheel.receive(SECOND, wire.Bye().pack(), 0.0) == []
    assert wheel.gone(SECOND) == []
    assert wheel.driver == FIRST


def test_greeting_twice_keeps_the_driver_and_what_it_waits_for() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Read(5).pack(), 0.0)
    assert wheel.receive(FIRST, wire.Hello(11).pack(), 0.0) == [Greet(FIRST)]
    assert wheel.is_pending


def test_asking_the_same_again_is_no_second_request_and_no_error() -> None:
    wheel = driven_wheel()
    reset = wire.Reset(5, wire.ResetMode.SETTLE).pack()
    forwarded(wheel.receive(FIRST, reset, 0.0))
    assert wheel.receive(FIRST, reset, 0.0) == []


def test_one_environment_has_one_request_in_the_air() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Action(1, 0.0).pack(), 0.0)
    assert refusal(wheel.receive(FIRST, wire.Action(2, 0.0).pack(), 0.0)) == (FIRST, Refusal.PENDING)


def test_a_full_loop_frees_the_driver_to_ask_again() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Action(1, 0.0).pack(), 0.0)
    assert refusal(wheel.not_sent()) == (FIRST, Refusal.PENDING)
    forwarded(wheel.receive(FIRST, wire.Action(1, 0.0).pack(), 0.0))


def test_actions_that_are_no_numbers_never_reach_the_loop() -> None:
    wheel = driven_wheel()
    for action in (math.nan, math.inf, -math.inf):
        assert refusal(wheel.receive(FIRST, wire.Action(1, action).pack(), 0.0)) == (FIRST, Refusal.MALFORMED)
    assert not wheel.is_pending


def test_complaints_turn_to_too_fast_and_then_to_silence() -> None:
    wheel = new_wheel()
    codes = [wheel.receive(FIRST, b"garbage", 0.0) for _ in range(1000)]
    spoken = [refusal(outcomes)[1] for outcomes in codes if outcomes]
    assert spoken[0] is Refusal.MALFORMED
    assert spoken[-1] is Refusal.TOO_FAST
    assert len(spoken) < 30
    assert refusal(wheel.receive(FIRST, b"garbage", 10.0)) == (FIRST, Refusal.MALFORMED)


def test_the_end_answers_what_is_pending_and_everything_afterwards() -> None:
    wheel = driven_wheel()
    wheel.receive(FIRST, wire.Action(1, 0.0).pack(), 0.0)
    assert refusal(wheel.end(Refusal.STOPPED, "stop")) == (FIRST, Refusal.STOPPED)
    assert wheel.end(Refusal.OVER, "over") == []
    assert refusal(wheel.receive(FIRST, wire.Action(2, 0.0).pack(), 0.0)) == (FIRST, Refusal.STOPPED)
    assert refusal(wheel.receive(SECOND, wire.Hello(2).pack(), 0.0)) == (SECOND, Refusal.STOPPED)
    assert wheel.replied(DriverReply(SESSION, 101, b"late")) == []
    assert wheel.gone(FIRST) == []


messages = st.one_of(
    st.binary(max_size=40),
    st.builds(wire.Hello, st.integers(0, 3)).map(wire.Hello.pack),
    st.builds(wire.Action, st.integers(0, 3), st.floats(width=64)).map(wire.Action.pack),
    st.builds(wire.Read, st.integers(0, 3)).map(wire.Read.pack),
    st.builds(wire.Reset, st.integers(0, 3), st.sampled_from(wire.ResetMode)).map(wire.Reset.pack),
    st.just(wire.Bye().pack()),
)
events = st.one_of(
    st.tuples(st.just("message"), st.integers(1, 3), messages),
    st.tuples(st.just("gone"), st.integers(1, 3), st.just(b"")),
    st.tuples(st.just("reply"), st.integers(99, 110), st.just(b"sample")),
    st.tuples(st.just("end"), st.just(0), st.just(b"")),
)


@given(st.lists(events, max_size=60))
def test_whatever_happens_only_one_sane_request_of_the_driver_is_in_the_air(
    happens: list[tuple[str, int, bytes]],
) -> None:
    wheel, is_over = new_wheel(), False
    for what, who, data in happens:
        driver, was_pending = wheel.driver, wheel.is_pending
        if what == "message":
            outcomes = wheel.receive(who, data, 0.0)
        elif what == "gone":
            outcomes = wheel.gone(who)
        elif what == "reply":
            outcomes = wheel.replied(DriverReply(SESSION, who, data))
            assert not outcomes or was_pending
        else:
            outcomes, is_over = wheel.end(Refusal.OVER, "over"), True
        assert len(outcomes) <= 1
        for request in (outcome.request for outcome in outcomes if isinstance(outcome, Forward)):
            assert not is_over
            assert who == driver
            assert math.isfinite(request.action)
            assert request.kind in (Kind.ACTION, Kind.READ, Kind.RESET)
            assert wheel.driver is None or not was_pending
        if is_over:
            assert wheel.driver is None
