"""What is refused in a configuration file, and whether a person can mend it from the message."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import config
from appliance.errors import ConfigError


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "raas.yaml") == config.Config()


def test_given_values_replace_defaults_and_leave_the_rest() -> None:
    parsed = config.parse("name: lab-3\njob: {limit_s: 30}\n", "raas.yaml")
    assert (parsed.name, parsed.job.limit_s, parsed.job.grace_s) == ("lab-3", 30.0, 10.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "job: {limit_s: 1000}",
            "raas.yaml: 'job.limit_s' is 1000; it must be a number from 1 to 600 (default 120.0).",
        ),
        ("job: {limits: 3}", "there is no key 'job.limits'; did you mean 'job.limit_s'?"),
        ("nonsense: 1", "there is no key 'nonsense'; `raas config` lists all keys."),
        ("web: {port: x}", "'web.port' is 'x'; it must be a whole number from 0 to 65535"),
        ("job: 3", "'job' is 3; it must be a section with keys like 'job.cpus'."),
        ("- 1", "raas.yaml holds [1]; a configuration is a list of 'key: value' lines."),
        ("a: [", "raas.yaml is not valid YAML"),
        ("robot: {link: bluetooth}", "'robot.link' is 'bluetooth'; it must be pigpiod or twin"),
        ("job: {limit_s: .nan}", "'job.limit_s' is nan; it must be a number"),
        ("job: {limit_s: .inf}", "'job.limit_s' is inf; it must be a number"),
        ("5: 1", "5 is no key"),
        ("fetch: {allow_http: 1}", "'fetch.allow_http' is 1; it must be true or false (default false)."),
    ],
)
def test_a_bad_file_is_refused_with_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, "raas.yaml")
    assert message in str(caught.value)


@given(st.text(max_size=200))
def test_no_text_does_anything_but_parse_or_raise_config_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        config.parse(text, "raas.yaml")


def test_every_option_says_what_it_is() -> None:
    for option in config.options():
        assert option.description, option.key
        assert option.right, option.key


@pytest.mark.parametrize(
    ("text", "budget_s"),
    [("", 0.5), ("robot: {link: pigpiod}", 0.1), ("realtime: {dead_man_s: 0.2}", 0.2)],
)
def test_the_dead_man_is_patient_with_the_twin_only(text: str, budget_s: float) -> None:
    assert config.parse(text, "raas.yaml").dead_man_s == budget_s
