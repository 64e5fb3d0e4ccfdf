"""The pure parts: what passes the relay, who counts as gone, and who may have a place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.config import LeaseSection
from appliance.lease import rules, zap
from appliance.lease.ride import Again, Forward, Ride, quantile
from appliance.lease.rules import Case, Refusal
from appliance.lease.visitors import Visitor, Visitors
from gym_raas import remote_wire, wire
from gym_raas.remote_wire import Denial


def sample(seq: int) -> bytes:
    return wire.Sample(seq, 1, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0).pack()


def test_an_action_acts_once_however_often_it_comes() -> None:
    ride, action = Ride(), wire.Action(1, 0.5).pack()
    assert ride.request(action, 0.0, 0.0) == Forward(action)
    assert ride.request(action, 0.0, 0.1) is None, "its answer is on the way"
    assert ride.reply(sample(1), 0.2) == 0.2
    assert ride.request(action, 0.0, 0.3) == Again(sample(1), 0.2), "the answer that got lost"
    assert ride.repeated == 2


def test_an_action_that_the_gateway_never_had_goes_out_again() -> None:
    ride, action = Ride(), wire.Action(1, 0.5).pack()
    ride.request(action, 0.0, 0.0)
    ride.request(wire.Read(2).pack(), 0.0, 0.5)
    ride.reply(sample(2), 0.5)  # the gateway answers what came later: it has nothing before that
    assert ride.request(action, 0.0, 0.6) == Forward(action)


def test_an_action_that_was_refused_for_the_moment_goes_out_again() -> None:
    ride, action = Ride(), wire.Action(1, 0.5).pack()
    ride.request(action, 0.0, 0.0)
    ride.reply(wire.Refused(1, wire.Refusal.TOO_FAST, "").pack(), 0.1)
    assert ride.request(action, 0.0, 0.2) == Forward(action)


def test_it_tells_the_network_from_the_robot() -> None:
    ride = Ride()
    for k in range(10):
        start_s = k * 0.05
        ride.request(wire.Action(k + 1, 0.0).pack(), 0.012, start_s + 0.01)
        ride.reply(sample(k + 1), start_s + 0.05)
    found = ride.network("here", 0)
    assert found.exchanges == 10
    assert (round(found.network_p50_s, 6), round(found.away_p50_s, 6), round(found.at_robot_p50_s, 6)) == (
        0.012,
        0.01,
        0.04,
    )


@given(st.lists(st.floats(0.0, 1e3), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_one_of_the_values(values: list[float], share: float) -> None:
    assert quantile(values, share) in values
    assert quantile(values, 1.0) == max(values)


@given(st.binary(max_size=600))
def test_bytes_are_a_message_or_refused(data: bytes) -> None:
    for parse in (remote_wire.parse_from_client, remote_wire.parse_from_service):
        try:
            parse(data)
        except wire.WireError:
            pass


@given(st.text(max_size=300), st.integers(0, 2**32 - 1))
def test_texts_arrive_as_one_line_that_a_person_can_read(text: str, position: int) -> None:
    found = remote_wire.parse_from_service(remote_wire.Place(position, text).pack())
    assert isinstance(found, remote_wire.Place)
    assert found.position == position
    assert found.text.isprintable()


def visitor(heard_s: float) -> tuple[Visitors, Visitor]:
    visitors = Visitors()
    one = Visitor("anna", 1, "run.py", "10.0.0.2", b"peer", 20, heard_s)
    visitors.enter(one)
    return visitors, one


def test_a_silent_program_is_there_as_long_as_its_connection_is() -> None:
    visitors, _ = visitor(0.0)
    assert visitors.vanished(1000.0) == [], "it computes"


def test_a_connection_that_comes_back_soon_is_the_same_program() -> None:
    visitors, one = visitor(9.9)
    visitors.lost(20, 10.0)
    assert visitors.vanished(11.0) == []
    assert visitors.heard(one, b"new", 21, 11.0) == 1.0
    assert visitors.vanished(1000.0) == []


def test_one_that_does_not_come_back_has_vanished_within_two_seconds_of_its_last_word() -> None:
    visitors, one = visitor(10.0)
    visitors.lost(20, 11.5)  # by libzmq's heartbeats
    assert visitors.vanished(11.7) == []
    assert visitors.vanished(11.76) == [one]


def test_the_end_of_somebody_elses_connection_is_nobodys_business() -> None:
    visitors, _ = visitor(0.0)
    assert visitors.lost(99, 1.0) == []
    assert visitors.vanished(1000.0) == []


def test_the_owners_rules() -> None:
    section = LeaseSection(limit_s=100.0, quota_s=150.0, max_waiting=2)
    case = Case("anna", True, 0.0, 0, 0.0)
    assert rules.judge(case, section) == 100.0
    assert rules.judge(Case("anna", True, 20.0, 0, 0.0), section) == 20.0
    assert rules.judge(Case("anna", True, 0.0, 0, 120.0), section) == 30.0, "what is left of the day"
    for bad, code in (
        (Case("anna", False, 0.0, 0, 0.0), Denial.NOT_ALLOWED),
        (Case("anna", True, 0.0, 2, 0.0), Denial.FULL),
        (Case("anna", True, 0.0, 0, 149.5), Denial.QUOTA),
    ):
        found = rules.judge(bad, section)
        assert isinstance(found, Refusal)
        assert found.code is code


def test_only_keys_that_were_let_in_pass_the_door() -> None:
    key = b"k" * 32
    question = [b"1.0", b"7", b"raas-lease", b"10.0.0.2", b"", b"CURVE", key]
    assert zap.answer(question, {key: "anna"})[2:5] == [b"200", b"OK", b"anna"]
    for bad in (
        [*question[:6], b"x" * 32], [*question[:5], b"PLAIN", key], [*question[:5], b"NULL"], question[:3], [],
        [b"2.0", *question[1:]],
    ):  # fmt: skip
        assert zap.answer(bad, {key: "anna"})[2] == b"400"
