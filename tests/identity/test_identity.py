"""Passwords, sessions, and who owns an appliance."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import Conflict, RaasError
from appliance.identity import passwords, sessions
from appliance.identity.ownership import Denied, Holder, Ownership
from appliance.identity.passwords import BadPassword

PASSWORD = "correct horse battery"
SECRET = b"s" * 32
NOW_S = 1_800_000_000.0


def test_a_password_matches_its_hash_and_no_other() -> None:
    kept = passwords.hashed(PASSWORD)
    assert passwords.matches(PASSWORD, kept)
    assert not passwords.matches(PASSWORD + " ", kept)
    assert kept != passwords.hashed(PASSWORD), "each has its own salt"


@pytest.mark.parametrize(
    "kept", ["", "plain", "scrypt$1$2", "scrypt$16384$8$1$?$?", "md5$1$1$1$YQ==$YQ==", "scrypt$3$8$1$YQ==$YQ=="]
)
def test_what_is_no_hash_matches_nothing(kept: str) -> None:
    assert not passwords.matches(PASSWORD, kept)


@pytest.mark.parametrize("password", ["", "short", "x" * 201])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(BadPassword, match="10 to 200"):
        passwords.check(password)


def test_a_session_holds_until_its_end() -> None:
    session = sessions.issue(SECRET, NOW_S)
    assert sessions.read(SECRET, session, NOW_S + sessions.LIFETIME_S - 1)
    assert not sessions.read(SECRET, session, NOW_S + sessions.LIFETIME_S)


def test_a_session_from_before_the_clock_was_set_does_not_last_for_years() -> None:
    assert not sessions.read(SECRET, sessions.issue(SECRET, NOW_S + 1e8), NOW_S)


@given(st.text(max_size=300))
def test_nobody_guesses_a_session(text: str) -> None:
    assert not sessions.read(SECRET, text, NOW_S)


@given(st.data())
def test_no_character_of_a_session_can_be_changed(data: st.DataObject) -> None:
    session = sessions.issue(SECRET, NOW_S)
    place = data.draw(st.integers(0, len(session) - 1))
    other = data.draw(st.characters().filter(lambda c: c != session[place]))
    assert not sessions.read(SECRET, session[:place] + other + session[place + 1 :], NOW_S)


def test_another_secret_ends_all_sessions() -> None:
    assert not sessions.read(b"t" * 32, sessions.issue(SECRET, NOW_S), NOW_S)


def test_the_setup_code_claims_once_however_it_is_written(tmp_path: Path) -> None:
    owner = Ownership(tmp_path / "identity")
    code = owner.setup_code()
    assert Ownership(tmp_path / "identity").setup_code() == code, "a restart keeps it"
    owner.claim(code.lower().replace("-", " "), PASSWORD)
    assert Ownership(tmp_path / "identity").is_claimed
    assert not (tmp_path / "identity" / "setup-code").exists()
    with pytest.raises(Conflict):
        owner.claim(code, PASSWORD)


def test_a_wrong_code_or_a_weak_password_claims_nothing(tmp_path: Path) -> None:
    owner = Ownership(tmp_path)
    for code in ("", "AAAAA-AAAAA", owner.setup_code()[:-1]):
        with pytest.raises(Denied):
            owner.claim(code, PASSWORD)
    with pytest.raises(BadPassword):
        owner.claim(owner.setup_code(), "short")
    assert not owner.is_claimed


def claimed(folder: Path) -> Ownership:
    owner = Ownership(folder)
    owner.claim(owner.setup_code(), PASSWORD)
    return owner


def test_only_the_owners_password_opens(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    Ownership(tmp_path).check(PASSWORD)
    with pytest.raises(Denied):
        owner.check("wrong password")
    with pytest.raises(Denied):
        Ownership(tmp_path / "unclaimed").check("")


def test_a_new_password_ends_sessions_and_keeps_tokens(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    before, text = owner.log_in(NOW_S), owner.add_token("anna", "submit", NOW_S)
    assert owner.session(before, NOW_S) == Holder("owner")
    with pytest.raises(Denied):
        owner.change("wrong password", "another password")
    owner.change(PASSWORD, "another password")
    assert owner.session(before, NOW_S) is None
    assert owner.token(text, NOW_S) is not None
    with pytest.raises(Denied):
        owner.check(PASSWORD)


def test_a_token_is_kept_as_its_hash_and_can_be_taken_back(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    text = owner.add_token("anna", "submit", NOW_S)
    assert text not in (tmp_path / "owner.json").read_text()
    found = Ownership(tmp_path).token(text, NOW_S)
    assert found is not None
    assert (found.name, found.right) == ("anna", "submit")
    assert owner.token("", NOW_S) is None
    owner.remove_token("anna")
    assert Ownership(tmp_path).token(text, NOW_S) is None


def test_a_torn_owners_file_is_not_an_unclaimed_appliance(tmp_path: Path) -> None:
    claimed(tmp_path)
    (tmp_path / "owner.json").write_text('{"password":')
    with pytest.raises(RaasError, match="claim the appliance anew"):
        Ownership(tmp_path)


def test_nobody_else_may_look_into_the_folder(tmp_path: Path) -> None:
    claimed(tmp_path / "identity")
    assert (tmp_path / "identity").stat().st_mode & 0o077 == 0


def test_a_token_with_an_end_holds_until_then(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    text = owner.add_token("anna", "submit", NOW_S, lasts_s=60.0)
    assert owner.token(text, NOW_S + 59.0) is not None
    assert Ownership(tmp_path).token(text, NOW_S + 60.0) is None


def test_a_session_that_was_logged_out_is_of_no_use_to_whoever_kept_a_copy(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    one, other = owner.log_in(NOW_S), owner.log_in(NOW_S)
    owner.log_out(one, NOW_S)
    owner.log_out("nonsense", NOW_S)
    for again in (owner, Ownership(tmp_path)):
        assert again.session(one, NOW_S) is None
        assert again.session(other, NOW_S) == Holder("owner")


def test_a_session_of_a_token_may_what_the_token_may_and_ends_with_it(tmp_path: Path) -> None:
    owner = claimed(tmp_path)
    text = owner.add_token("anna", "submit", NOW_S, lasts_s=60.0)
    session = owner.log_in(NOW_S, owner.token(text, NOW_S))
    assert text not in session
    assert owner.session(session, NOW_S) == Holder("submit", "anna")
    assert owner.session(session, NOW_S + 60.0) is None
    owner.remove_token("anna")
    assert owner.session(session, NOW_S) is None


def test_what_is_kept_of_sessions_that_were_logged_out_has_a_limit(tmp_path: Path) -> None:
    claimed(tmp_path)
    owner = Ownership(tmp_path, most_ended=2)
    stays, later = owner.log_in(NOW_S), NOW_S + sessions.LIFETIME_S
    for _ in range(2):
        owner.log_out(owner.log_in(NOW_S), NOW_S)
    assert owner.session(stays, NOW_S)
    fresh = owner.log_in(later)
    owner.log_out(owner.log_in(later), later)
    assert owner.session(fresh, later), "those that have reached their end are forgotten"
    for _ in range(2):
        owner.log_out(owner.log_in(later), later)
    assert owner.session(fresh, later) is None, "too many: all of them end"
