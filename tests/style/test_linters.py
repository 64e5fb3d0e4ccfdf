"""The linters and the type checker, as tests. `make format` mends most of what ruff finds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.style.tree import PACKAGES, ROOT, files

SCRIPTS = [
    path
    for path in files()
    if path.suffix == ".sh"
    or (
        path.suffix == ""
        and (ROOT / path).read_bytes()[:30].startswith((b"#!/bin/sh", b"#!/usr/bin/env bash", b"#!/bin/bash"))
    )
]


def check(*arguments: str | Path) -> None:
    """Run a checker from the environment of the tests; what it prints is the message of the failure."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", "--quiet", "--output-format=concise", ".")


def test_the_code_is_laid_out_by_ruff() -> None:
    check("ruff", "format", "--check", "--output-format=concise", ".")


def test_types_are_complete() -> None:
    check("mypy", *(f"--package={package}" for package in PACKAGES))


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_shellcheck_finds_nothing(script: Path) -> None:
    beside_python = Path(sys.executable).with_name("shellcheck")
    program = str(beside_python) if beside_python.exists() else shutil.which("shellcheck")
    assert program, "shellcheck isn't installed; run `make setup-dev`"
    done = subprocess.run([program, "--severity=style", str(script)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
