"""How do the locked Python packages get into an image, for a Python that isn't the one running here?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from image_build.lockfile import Pin
from image_build.process import run
from image_build.recipe import Target

# Published as source only; each is pure Python, so that a wheel built here fits every image.
SOURCE_ONLY: Final = frozenset({"gym"})
# Test suites are a third of these packages' files, and no job runs them.
TESTED_IN_PLACE: Final = ("numpy", "pandas", "scipy", "sklearn")

HINT: Final = (
    "PyPI must be reachable with pip; for torch on x86-64 also PyTorch's index of builds for the processor alone "
    "(extra-index-url in pip.conf). If the files changed there, recreate the lock with `make lock`."
)


def install(pins: tuple[Pin, ...], target: Target, folder: Path, work: Path) -> None:
    """Install the pins into `folder`, every file checked against the lock; `work` takes intermediate files."""
    source, binary, built = work / "source.txt", work / "binary.txt", work / "wheels"
    source.write_text("".join(f"{pin}\n" for pin in pins if pin.name in SOURCE_ONLY))
    binary.write_text("".join(f"{pin}\n" for pin in pins if pin.name not in SOURCE_ONLY))
    _pip("wheel", "--no-deps", "--no-build-isolation", "--require-hashes", "-w", built, "-r", source)
    abi = f"cp{target.python.replace('.', '')}"
    foreign = ["--implementation=cp", f"--python-version={target.python}", f"--abi={abi}", "--abi=abi3", "--abi=none"]
    foreign += [f"--platform={platform}" for platform in target.platforms]
    into: tuple[str | Path, ...] = ("--no-deps", "--no-compile", "--target", folder)
    _pip("install", *into, *foreign, "--only-binary=:all:", "--require-hashes", "-r", binary)
    _pip("install", *into, "--no-index", "--upgrade", *sorted(built.glob("*.whl")))
    _tidy(folder)


def wheel(sources: Path, work: Path) -> Path:
    """Build the wheel of the project in `sources`, which gets a `build` folder in it."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", work, sources)
    return next(work.glob("*.whl"))


def _pip(command: str, *arguments: str | Path) -> None:
    options = ("--no-input", "--disable-pip-version-check", "--quiet")
    run([sys.executable, "-m", "pip", command, *options, *arguments], hint=HINT)


def _tidy(folder: Path) -> None:
    """Take out scripts and test suites, and silence gym's farewell."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for package in TESTED_IN_PLACE:
        for tests in list((folder / package).glob("**/tests")):
            shutil.rmtree(tests, ignore_errors=True)
    # gym 0.26 prints four lines on stderr at import, and into every job's log, unless there are no notices.
    notices = folder / "gym_notices/notices.py"
    if notices.exists():
        notices.write_text('"""Empty: the appliance keeps gym 0.26 on purpose."""\n\nnotices: dict[str, str] = {}\n')
