"""Locks are cut to one Python before pip sees them."""

from __future__ import annotations

import pytest

from image_build.lockfile import pins

LOCK = """\
# made by a tool
numpy==2.4.6 ; python_full_version < '3.12' and sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via gym
numpy==2.5.5 ; python_full_version >= '3.12' and sys_platform == 'linux' \\
    --hash=sha256:cc
cffi==2.1.1 ; implementation_name == 'pypy' \\
    --hash=sha256:dd
Typing_Extensions==4.16.0 \\
    --hash=sha256:ee
"""


def test_the_pin_for_the_images_python_is_chosen() -> None:
    assert [(pin.name, pin.version) for pin in pins(LOCK, python="3.11", machine="x86_64")] == [
        ("numpy", "2.4.6"),
        ("typing-extensions", "4.16.0"),
    ]
    assert pins(LOCK, python="3.13", machine="aarch64")[0].version == "2.5.5"


def test_a_pin_keeps_all_hashes() -> None:
    assert str(pins(LOCK, python="3.11", machine="x86_64")[0]) == "numpy==2.4.6 --hash=sha256:aa --hash=sha256:bb"


@pytest.mark.parametrize("line", ["numpy>=2 --hash=sha256:aa", "numpy==2.4.6", "numpy --hash=sha256:aa"])
def test_a_line_that_is_not_locked_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="isn't pinned to one version with hashes"):
        pins(line, python="3.11", machine="x86_64")
