"""Which image do jobs run in, and how is it built? Without an image registry: Debian's packages, locked wheels, gym_raas.

    python -m image_build.job_image build      build the image of the present sources, unless the engine has it
    python -m image_build.job_image tag        print its tag
    python -m image_build.job_image packages   print what a program finds in it, as JSON
    python -m image_build.job_image prune      remove images of older sources from the engine

The appliance calls `ensure_job_image()` and `packages()`. What is declared stands in recipe.py.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import json
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import docker
import docker.errors

from appliance.engine import docker_host, ensure_engine, silent
from appliance.errors import EngineError, RaasError
from image_build import apt_sources, rootfs, wheels
from image_build.lockfile import Pin, pins
from image_build.process import BuildError
from image_build.recipe import RECIPES, Plan, Recipe, Target, plan

HERE: Final = Path(__file__).resolve().parent
GYM_RAAS: Final = HERE.parent / "gym_raas"
CACHE: Final = HERE.parent / ".cache" / "job_image"
LABEL: Final = "raas.job_image"
# The code that decides what the base contains; a change to it makes a new base.
BASE_SOURCES: Final = ("rootfs.py", "wheels.py")
LAYER_SOURCES: Final = ("job.dockerfile", "raas_cell.py")
# gym_raas's files as they get into the image; the rest of its folder is build output.
GYM_RAAS_FILES: Final = ("**/*.py", "*.yaml", "*.toml", "py.typed", "examples/**/*")
GENERATED: Final = {"__pycache__", "build", "dist"}


def image_tag(name: str = "standard", target: Target | None = None) -> str:
    """The tag of the image that the present sources make. Reads files only; needs no engine."""
    return _plan(RECIPES[name], target or this_machine()).tag


def packages(name: str = "standard", target: Target | None = None) -> dict[str, str]:
    """Python distributions in the image: normalised name -> version; what a `requirements.txt` is checked against."""
    locked = {pin.name: pin.version for pin in _pins(RECIPES[name], target or this_machine())}
    return locked | {"gym-raas": tomllib.loads((GYM_RAAS / "pyproject.toml").read_text())["project"]["version"]}


def ensure_job_image(client: docker.DockerClient, name: str = "standard", say: Callable[[str], None] = silent) -> str:
    """Return the tag of the image for the present sources, building it first when the engine doesn't have it.

    Building takes seconds when only gym_raas changed, about a minute from nothing, and needs root. `say` is told each
    step. Raises `BuildError` or `EngineError`.
    """
    recipe, target = RECIPES[name], this_machine()
    wanted = _plan(recipe, target)
    if _has(client, wanted.tag):
        return wanted.tag
    with _only_builder(name):
        if not _has(client, wanted.base_tag):
            _load_base(client, wanted, _base(wanted, recipe, target, say), say)
        say("job image: adding gym_raas")
        _build_image(client, wanted, recipe, target)
    return wanted.tag


def base_tag(name: str, target: Target) -> str:
    """The tag of the base that the present sources make for a target. Reads files only."""
    return _plan(RECIPES[name], target).base_tag


def base_archive(name: str, target: Target, say: Callable[[str], None] = silent) -> Path:
    """The archive of a base, from the cache or made first; needs no engine. Raises `BuildError`."""
    recipe = RECIPES[name]
    with _only_builder(name):
        return _base(_plan(recipe, target), recipe, target, say)


def this_machine() -> Target:
    """The target of this machine: its own Debian release and architecture."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return Target(apt_sources.codename(Path("/etc/os-release").read_text()), architecture)


def _plan(recipe: Recipe, target: Target) -> Plan:
    return plan(
        recipe,
        target,
        lock="\n".join((HERE / name).read_text() for name in recipe.locks).encode(),
        base_sources=b"".join((HERE / name).read_bytes() for name in BASE_SOURCES),
        gym_raas=b"".join(f"{path.relative_to(GYM_RAAS)}\0".encode() + path.read_bytes() for path in _gym_raas_files()),
        layer=b"".join((HERE / name).read_bytes() for name in LAYER_SOURCES),
    )


def _pins(recipe: Recipe, target: Target) -> tuple[Pin, ...]:
    text = "\n".join((HERE / name).read_text() for name in recipe.locks)
    return pins(text, python=target.python, machine=target.machine)


def _gym_raas_files() -> list[Path]:
    found = {path for pattern in GYM_RAAS_FILES for path in GYM_RAAS.glob(pattern)}
    return sorted(path for path in found if path.is_file() and not GENERATED & set(path.relative_to(GYM_RAAS).parts))


def _base(wanted: Plan, recipe: Recipe, target: Target, say: Callable[[str], None]) -> Path:
    """The cached archive of the base, made first if need be."""
    debs, base = (CACHE / f"{step.name}-{step.key}.tar" for step in (wanted.debs, wanted.base))
    if base.exists():
        return base
    if not debs.exists():
        say("job image: fetching Debian's packages")
        partial = debs.with_suffix(".partial")
        rootfs.extract_debs(recipe, target, partial)
        partial.rename(debs)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        root, work = Path(name) / "root", Path(name) / "work"
        root.mkdir()
        work.mkdir()
        rootfs.unpack(debs, root)
        rootfs.tidy(root, recipe)
        site = f"usr/local/lib/python{target.python}/dist-packages"
        say("job image: installing Python packages")
        wheels.install(_pins(recipe, target), target, root / site, work)
        say("job image: compiling")
        rootfs.compile_python(root, (f"/usr/lib/python{target.python}", f"/{site}"))
        rootfs.pack(root, base)
    return base


def _load_base(client: docker.DockerClient, wanted: Plan, base: Path, say: Callable[[str], None]) -> None:
    say("job image: loading the base into Docker")
    repository, tag = wanted.base_tag.split(":")
    with _engine_errors():
        client.api.import_image_from_file(str(base), repository=repository, tag=tag)
        client.images.get(wanted.base_tag)


def _build_image(client: docker.DockerClient, wanted: Plan, recipe: Recipe, target: Target) -> None:
    """Put gym_raas on the base and tag the result."""
    contents = json.dumps({"python": target.python, "packages": packages(recipe.name, target)}, indent=1)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        sources = folder / "gym_raas"
        for path in _gym_raas_files():
            copy = sources / path.relative_to(GYM_RAAS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        context = folder / "context"
        with zipfile.ZipFile(wheels.wheel(sources, folder)) as archive:
            archive.extractall(context / "site-packages")  # noqa: S202 - the wheel was built from our own sources above
        shutil.copyfile(HERE / "raas_cell.py", context / "site-packages" / "raas_cell.py")
        (context / "packages.json").write_text(contents + "\n")
        shutil.copyfile(HERE / "job.dockerfile", context / "Dockerfile")
        with _engine_errors():
            client.images.build(
                fileobj=_context(context),
                custom_context=True,
                tag=wanted.tag,
                buildargs={"BASE": wanted.base_tag, "PYTHON": target.python},
                labels={LABEL: recipe.name},
                network_mode="none",
                rm=True,
                forcerm=True,
            )


def _context(folder: Path) -> io.BytesIO:
    """An archive of `folder` that depends on its content only."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = rootfs.SOURCE_DATE_S
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, str(path.relative_to(folder)), recursive=False, filter=plain)
    buffer.seek(0)
    return buffer


def _has(client: docker.DockerClient, tag: str) -> bool:
    with _engine_errors():
        return bool(client.images.list(name=tag))


@contextmanager
def _engine_errors() -> Iterator[None]:
    """Turn the Docker library's errors into ours."""
    try:
        yield
    except docker.errors.DockerException as error:
        raise EngineError(f"Docker refused a step of the job image: {error}") from error


@contextmanager
def _only_builder(name: str) -> Iterator[None]:
    """One build of an image at a time in this checkout; the next one then finds everything done."""
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        lock = (CACHE / f"{name}.lock").open("w")
    except OSError as error:
        raise BuildError(f"{CACHE} can't be written ({error.strerror}); run `sudo make job-image`.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prune(client: docker.DockerClient, name: str) -> None:
    """Remove this recipe's images except the present one; one that a container uses stays."""
    wanted = _plan(RECIPES[name], this_machine())
    ours = (f"raas-job:{name}-", f"raas-job-base:{name}-")
    tags = [tag for image in client.images.list() for tag in image.tags if tag.startswith(ours)]
    for tag in sorted(set(tags) - {wanted.tag, wanted.base_tag}, reverse=True):  # images before their bases
        try:
            client.images.remove(tag)
            print("removed", tag)
        except docker.errors.APIError as error:
            print("kept", tag, f"({error.explanation})")


def main() -> int:
    """The module's commands, as its docstring lists them."""
    parser = argparse.ArgumentParser(prog="python -m image_build.job_image", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["build", "tag", "packages", "prune"])
    parser.add_argument("--image", choices=sorted(RECIPES), default="standard")
    parser.add_argument("--docker-host", default=docker_host(os.environ), help="the engine (default: %(default)s)")
    options = parser.parse_args()
    try:
        if options.command == "tag":
            print(image_tag(options.image))
        elif options.command == "packages":
            print(json.dumps(packages(options.image), indent=1))
        else:
            with ensure_engine(CACHE / "engine", options.docker_host) as client:
                if options.command == "prune":
                    _prune(client, options.image)
                else:
                    print(ensure_job_image(client, options.image, print))
    except RaasError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
