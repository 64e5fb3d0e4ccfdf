"""What a requirements.txt may ask for."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import BadSource
from appliance.intake import requirements
from tests.submissions import RUN, Bench, zip_of

IMAGE = {"numpy": "1.26.4", "gym": "0.26.2", "PyYAML": "6.0.2", "scipy": "1.17.0rc1", "pyzmq": "27.0"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n\n",
        "numpy\ngym==0.26.2\n",
        "NumPy >= 1.20, < 2 # new enough\r\nPy_yaml\n".replace("Py_yaml", "pyyaml"),
        "gym_raas\ngym-raas\n",
        "scipy>=1.16\n",
        "torch; sys_platform == 'win32'\n",
        "tomli; python_version < '3.11'\n",
        "numpy \\\n  >=1.20\n",
        "--index-url https://example.org/simple\n-i https://example.org\nnumpy\n",
        "numpy==1.26.4 --hash=sha256:" + "0" * 64 + "\n",
        "numpy==1.26.4 \\\n    --hash=sha256:" + "0" * 64 + "\n",
        "\ufeffnumpy\n",
        "numpy~=1.26.0",
    ],
)
def test_what_the_image_has_is_enough(text: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    requirements.check(tmp_path / "requirements.txt", IMAGE)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("torch\nnumpy\n", ["torch"]),
        ("numpy>=2\n", ["numpy>=2 (there is 1.26.4)"]),
        ("numpy==1.26.3\ngym<0.26", ["numpy==1.26.3 (there is 1.26.4)", "gym<0.26 (there is 0.26.2)"]),
        ("numpy[extra]\n", ["numpy[extra]"]),
        ("torch; sys_platform == 'linux'\n", ["torch"]),
        ("torch; python_version >= '3.11'\n", ["torch"]),
    ],
)
def test_what_the_image_lacks_is_named(text: str, missing: list[str]) -> None:
    assert requirements.unmet(text, IMAGE) == missing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("numpy\n-r other.txt\n", "line 2: other files are not read"),
        ("--requirement=other.txt", "other files are not read"),
        ("-c limits.txt", "other files are not read"),
        ("-e .", "the option “-e .”"),
        ("--find-links=file:///etc", "option"),
        ("numpy @ https://example.org/numpy.whl", "from a URL"),
        ("numpy @ file:///etc/passwd", "from a URL"),
        ("git+https://example.org/a.git", "no requirement"),
        ("./local", "no requirement"),
        ("numpy=1.20", "no requirement"),
        ("numpy>=", "no requirement"),
        ("\x1b[31mnumpy", "no requirement"),
        ("numpy; nonsense == 'x'", "no requirement"),
    ],
)
def test_lines_that_cant_be_checked_are_refused_with_their_number(text: str, message: str) -> None:
    with pytest.raises(BadSource) as refused:
        requirements.unmet(text, IMAGE)
    assert message in str(refused.value)
    assert "requirements.txt, line" in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_pip_is_asked_for_plain_requirements_only(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("--index-url https://evil.example/simple\nNumPy>=1.20 # here\nFlask[async] >=2,<4\n"
                    "pywin32; sys_platform == 'win32'\nflask[async]<4,>=2\n")  # fmt: skip
    assert requirements.wanted(path, IMAGE) == "flask[async]<4,>=2\nnumpy>=1.20\n"
    path.write_text("numpy\n")
    assert requirements.wanted(path, IMAGE) == ""


@given(st.text(max_size=200))
def test_any_text_is_either_checked_or_refused(text: str) -> None:
    with contextlib.suppress(BadSource):
        assert isinstance(requirements.unmet(text, IMAGE), list)


def test_a_submission_that_needs_more_is_refused_with_names_and_what_there_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    message = bench.refusal(bench.archive(zip_of({"a/run.py": RUN, "a/requirements.txt": "torch>=2\nnumpy\nflask\n"})))
    assert "doesn't have: torch>=2, flask." in message
    assert "numpy 1.26.4" in message


@pytest.mark.parametrize("content", [b"numpy\n" * 20_000, "größe".encode("latin-1")])
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    bench = Bench(tmp_path)
    assert "requirements.txt is" in bench.refusal(bench.archive(zip_of({"run.py": RUN, "requirements.txt": content})))


A, B = "--hash=sha256:" + "a" * 64, "--hash=sha512:" + "b" * 128


def test_hashes_are_handed_on_and_then_asked_for_everything_that_the_image_lacks(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"numpy>=1.20\nFlask==3.0 \\\n    {B} \\\n    {A}\ntorch\n")
    assert requirements.wanted(path, IMAGE) == f"--require-hashes\nflask==3.0 {A} {B}\ntorch\n"
    path.write_text("--require-hashes\nFlask==3.0\n")
    assert requirements.wanted(path, IMAGE) == "--require-hashes\nflask==3.0\n"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--hash=sha256:00", "is no hash"),
        ("--hash=md5:" + "0" * 64, "is no hash"),
        ("--hash=sha256:" + "0" * 64 + "\t--config-settings=x=y", "option"),
        ("--global-option=x", "option"),
    ],
)
def test_what_stands_after_a_requirement_is_a_hash_or_refused(option: str, message: str) -> None:
    with pytest.raises(BadSource, match=message):
        requirements.unmet(f"flask==3.0 {option}\n", {})
