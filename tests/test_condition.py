"""Which units does a configuration switch on?"""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import condition


@pytest.mark.parametrize(
    ("key", "wanted", "status"),
    [
        (["robot.link", "twin"], "robot: {link: twin}", condition.HOLDS),
        (["robot.link", "pigpiod"], "robot: {link: twin}", condition.DOES_NOT),
        (["robot.link", "twin"], "", condition.HOLDS),
        (["robot.file"], "", condition.DOES_NOT),
        (["robot.file"], "robot: {file: /x}", condition.HOLDS),
        (["fetch.allow_http", "true"], "fetch: {allow_http: true}", condition.HOLDS),
        (["no.such.key"], "", condition.DOES_NOT),
        (["robot.link.more"], "", condition.DOES_NOT),
        (["robot.link", "twin"], "robot: {lnk: twin}", condition.UNUSABLE),
    ],
)
def test_a_setting_decides(tmp_path: Path, key: list[str], wanted: str, status: int) -> None:
    (tmp_path / "raas.yaml").write_text(wanted)
    assert condition.main([str(tmp_path / "raas.yaml"), *key]) == status


def test_a_unit_with_a_wrong_condition_fails_instead_of_being_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert condition.main(["raas.yaml"]) == condition.UNUSABLE
    assert "usage" in capsys.readouterr().err
