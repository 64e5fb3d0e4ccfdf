"""What a program that lacks a module is told."""

from __future__ import annotations

import pytest

from appliance.layers.advice import missing_module

IMAGES = {"standard": {"numpy": "2"}, "large": {"numpy": "2", "torch": "2", "scikit-learn": "1"}}


@pytest.mark.parametrize(
    ("module", "line", "image"),
    [("torch", "“torch”", True), ("sklearn.svm", "“scikit-learn”", True), ("cv2", "“opencv-python-headless”", False), ("my_code", "“my-code”", False)],
)  # fmt: skip
def test_the_line_and_the_image_are_named(module: str, line: str, image: bool) -> None:
    said = missing_module(
        f"run.py ended with exit code 1: ModuleNotFoundError: No module named '{module}'", "standard", IMAGES
    )
    assert line in said
    assert ("image “large”" in said) == image


@pytest.mark.parametrize(
    "said", ["", "ValueError: x", "ModuleNotFoundError: No module named '<b>'", "No module named 'x'"]
)
def test_other_ends_get_no_advice(said: str) -> None:
    assert missing_module(said, "standard", IMAGES) == ""


def test_what_debians_python_lacks_is_said_to_be_absent() -> None:
    assert "comes without tkinter" in missing_module(
        "ModuleNotFoundError: No module named 'tkinter'", "standard", IMAGES
    )
