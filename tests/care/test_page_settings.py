"""Values from the page lie over raas.yaml, as far as the list goes; whoever writes the file can't set anything else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance import config as configuration
from appliance.care import page_settings
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.paths import Paths

NEVER = [
    ("sandbox.docker_host", "tcp://evil"), ("sandbox.uid", 1000), ("job.image", "evil"), ("job.memory_mb", 65536),
    ("job.pids", 4096), ("job.cpus", 64.0), ("fetch.allow_private", True), ("fetch.allow_http", True), ("fetch.ca_file", "/x"),
    ("robot.file", "/tmp/evil.yaml"), ("robot.link", "pigpiod"), ("robot.host", "192.0.2.1"), ("realtime.dead_man_s", 1.0),
    ("realtime.job_silence_s", 30.0), ("realtime.priority", 0), ("web.address", "0.0.0.0"), ("web.hosts", "evil.example"),
    ("name.x", "x"), ("", "x"), ("__class__", "x"), ("job", {"memory_mb": 1}), ("sandbox", {"uid": 1}),
]  # fmt: skip


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(tmp_path)


def put(paths: Paths, content: Any) -> None:
    """What a page that was taken over would write."""
    target = page_settings.path(paths)
    target.parent.mkdir(exist_ok=True)
    target.write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_can_be_set_exists_and_has_a_label() -> None:
    known = {option.key for option in configuration.options()}
    assert page_settings.EFFECT.keys() == page_settings.LABELS.keys() <= known
    assert not [key for key, _ in NEVER if key in page_settings.EFFECT]


def test_a_value_lies_over_raas_yaml_and_survives(paths: Paths) -> None:
    paths.config.write_text("name: lab\njob: {limit_s: 90, pids: 32}\n")
    page_settings.save(paths, {"job.limit_s": 60.0, "web.submit": "token"})
    found = page_settings.load(paths.config, paths)
    assert (found.config.job.limit_s, found.config.web.submit, found.config.job.pids) == (60.0, "token", 32)
    assert (found.base.job.limit_s, found.config.name, found.problems) == (90.0, "lab", ())


@pytest.mark.parametrize(("key", "value"), NEVER)
def test_what_isnt_on_the_list_is_left_out_by_whoever_reads(paths: Paths, key: str, value: Any) -> None:
    put(paths, {key: value, "name": "still read"})
    found = page_settings.load(None, paths)
    assert msgspec.structs.replace(found.config, name="pendulum") == Config()
    assert found.config.name == "still read"
    assert "raas.yaml" in found.problems[0]
    with pytest.raises(ConfigError):
        page_settings.changed(Config(), key, value)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{", "null", '"x"', "\xff", '{"name": ["x"]}', '{"name": null}', '{"job.limit_s": 1e999}', '{"job.limit_s": "nan"}',
        '{"job.limit_s": 601}', '{"job.limit_s": true}', '{"name": ""}', '{"name": "a\\nb"}', '{"name": "' + "x" * 41 + '"}',
        '{"web.submit": "nobody"}', '{"storage.min_free_mb": -1}', '{"name": "' + "x" * 100_000, "[" * 50_000,
    ],
    ids=lambda content: content[:20],
)  # fmt: skip
def test_a_bad_file_stops_nobody_and_changes_nothing(paths: Paths, content: str) -> None:
    put(paths, content)
    found = page_settings.load(None, paths)
    assert found.config == Config()
    assert found.problems


def test_links_and_pipes_are_not_followed(paths: Paths, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"name": "from a secret file"}')
    target = page_settings.path(paths)
    target.parent.mkdir()
    target.symlink_to(secret)
    found = page_settings.load(None, paths)
    assert found.config == Config()
    assert "secret" not in found.problems[0]
    target.unlink()
    os.mkfifo(target)
    assert page_settings.load(None, paths).config == Config()


@settings(max_examples=40)
@given(
    st.dictionaries(st.text(max_size=20), st.one_of(st.text(max_size=50), st.integers(), st.floats(), st.booleans()))
)
def test_nothing_but_the_list_ever_changes(given_values: dict[str, Any]) -> None:
    found = page_settings.overlay(Config(), given_values)
    before, after = (msgspec.to_builtins(config) for config in (Config(), found.config))
    for key in page_settings.EFFECT:
        *sections, last = key.split(".")
        for content in (before, after):
            inner = content
            for section in sections:
                inner = inner[section]
            inner.pop(last)
    assert before == after


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("job.limit_s", " 60 ", 60.0), ("storage.min_free_mb", "300", 300), ("storage.min_free_mb", "3.5", "3.5"),
     ("name", "42", "42"), ("job.limit_s", "soon", "soon"), ("web.submit", "token", "token"), ("job.preflight", "yes", True), ("job.preflight", "perhaps", "perhaps")],
)  # fmt: skip
def test_a_forms_text_becomes_what_the_key_wants(key: str, text: str, value: Any) -> None:
    assert page_settings.understood(key, text) == value
