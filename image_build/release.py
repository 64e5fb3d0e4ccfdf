"""What does one release consist of, and how is it made? `make release`, from the last commit, into an empty folder.

python -m image_build.release                   build into build/release
python -m image_build.release FOLDER            build into another empty folder
python -m image_build.release --version 0.2.0   set the version, in both projects and the changelog; builds nothing

Wheels and source distributions of the two packages, the whole source (what `make run` needs), the SD-card image if one
has been built from these very sources, a bill of materials, and SHA256SUMS over all of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.errors import RaasError
from image_build import sbom, sd_image, wheels
from image_build.process import BuildError, run

CHECKOUT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = CHECKOUT / "build" / "release"
SUMS: Final = "SHA256SUMS"
#: The two projects; both bear the release's version.
PROJECTS: Final = (Path(), Path("gym_raas"))
#: Made by set-up, not by git, but part of the appliance's pages.
VENDOR: Final = Path("appliance/webui/static/vendor")
LOCKS: Final = (
    "requirements.txt",
    "image_build/job-standard.txt",
    "image_build/job-large.txt",
    "image_build/job-torch.txt",
)
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_SDIST: Final = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


def main(arguments: list[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m image_build.release", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--version", default="", metavar="X.Y.Z", help="set the version and build nothing")
    options = parser.parse_args(arguments)
    try:
        if options.version:
            set_version(CHECKOUT, options.version, datetime.now(UTC).date().isoformat())
        else:
            absent = build(CHECKOUT, options.folder.resolve())
            print((options.folder / SUMS).read_text(), end="")
            if absent:
                print(f"No card image of these sources is built ({', '.join(absent)}); `make image` builds one.")
    except RaasError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build(checkout: Path, folder: Path) -> list[str]:
    """Make a release of the checkout's last commit; returns the flavours whose card image isn't in it.

    Raises BuildError; the folder then isn't there.
    """
    version = agreed_version(checkout)
    if folder.exists() and any(folder.iterdir()):
        raise BuildError(f"{folder} isn't empty; remove what is in it, or name another folder.")
    if not any((checkout / VENDOR).glob("*")):
        raise BuildError(
            "The page's libraries aren't here, and a release without them has no charts; run `make setup`."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".release-") as name:
        work, made = Path(name), Path(name) / "made"
        made.mkdir()
        _packages(checkout, version, work, made)
        absent = add_images(sd_image.CACHE, made)
        (made / f"raas-{version}.cdx.json").write_text(_bill(checkout, version))
        (made / SUMS).write_text(sums(made))
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    return absent


def agreed_version(checkout: Path) -> str:
    """The version that both projects state. Raises BuildError if they differ."""
    stated = {_stated(checkout / project / "pyproject.toml") for project in PROJECTS}
    if len(stated) != 1:
        raise BuildError(
            f"The two projects state the versions {' and '.join(sorted(stated))}; "
            "set both with `python -m image_build.release --version X.Y.Z`."
        )
    return stated.pop()


def set_version(checkout: Path, version: str, date: str) -> None:
    """Write the version into both projects, and give the changelog's unreleased part its heading."""
    if not _VERSION.fullmatch(version):
        raise BuildError(f"{version!r} is no version; expected is one like 1.2.3 or 1.2.3rc1.")
    changelog = checkout / "CHANGELOG.md"
    text = changelog.read_text()
    if f"\n## [{version}]" in text or "\n## [Unreleased]\n" not in text:
        raise BuildError(f"CHANGELOG.md has a part [{version}] already, or no part [Unreleased] that could become it.")
    for project in PROJECTS:
        path = checkout / project / "pyproject.toml"
        path.write_text(
            re.sub(r'^version = ".*"$', f'version = "{version}"', path.read_text(), count=1, flags=re.MULTILINE)
        )
    changelog.write_text(text.replace("\n## [Unreleased]\n", f"\n## [Unreleased]\n\n## [{version}] - {date}\n", 1))


def sums(folder: Path) -> str:
    """One line for each file, as `sha256sum --check` reads them."""
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    return "".join(lines)


def add_images(cache: Path, made: Path) -> list[str]:
    """Put in the card images of the present sources that the cache holds; returns the flavours that it doesn't.

    A hard link needs no second place.
    """
    absent = []
    for flavour in sd_image.FLAVOURS.values():
        finished = cache / sd_image.plan_of(flavour).steps[-1].output
        if not (found := list(finished.glob("*.img.zst"))):
            absent.append(flavour.name)
        for packed in found:
            try:
                os.link(packed, made / packed.name)
            except OSError:  # another disk
                shutil.copyfile(packed, made / packed.name)
    return absent


def _packages(checkout: Path, version: str, work: Path, made: Path) -> None:
    """Everything that is built from the source alone, in a folder that holds the commit and nothing else."""
    name = f"raas-{version}"
    archive = work / f"{name}.tar"
    _git(checkout, "archive", "--format=tar", f"--prefix={name}/", "--output", archive, "HEAD")
    run(["tar", "--extract", "--file", archive, "--directory", work])
    run(["gzip", "--no-name", "-9", archive])
    shutil.move(f"{archive}.gz", made / f"{name}-source.tar.gz")
    shutil.copytree(checkout / VENDOR, work / name / VENDOR)
    when = {**os.environ, "SOURCE_DATE_EPOCH": str(_committed_s(checkout))}
    for project in PROJECTS:
        source = work / name / project
        run([sys.executable, "-c", _SDIST, made], cwd=source, environment=when)
        built = wheels.wheel(source, Path(tempfile.mkdtemp(dir=work)))
        shutil.move(built, made / built.name)


def _bill(checkout: Path, version: str) -> str:
    locks = {lock: (checkout / lock).read_text() for lock in LOCKS}
    npm = json.loads((checkout / "package-lock.json").read_text())
    content = sbom.bill("raas-appliance", version, _committed_s(checkout), locks, npm)
    return json.dumps(content, indent=1) + "\n"


def _committed_s(checkout: Path) -> int:
    return int(_git(checkout, "log", "-1", "--format=%ct"))


def _git(checkout: Path, *arguments: str | Path) -> str:
    hint = "A release is made from a clone with its history."
    return run(["git", "-c", "safe.directory=*", *arguments], cwd=checkout, hint=hint)


def _stated(path: Path) -> str:
    return str(tomllib.loads(path.read_text())["project"]["version"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
