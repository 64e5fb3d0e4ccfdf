"""Who does the steps of a plan? The actions, bound to this machine and this checkout."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from image_build import apt_sources, job_image, lockfile, services, wheels
from image_build.process import BuildError, run
from image_build.recipe import Target
from image_build.rootfs import SOURCE_DATE_S
from image_build.sd import build, disk, files, imager, layout, packages, pigpiod, tree
from image_build.sd.plan import ARCHITECTURE, Inputs, Plan


def inputs(suite: str) -> Inputs:
    """What goes into an image, read from this checkout."""
    code = sorted(Path(__file__).parent.glob("*.py")) + list(files.units())
    return Inputs(
        lock=_lock().encode(),
        sources=_contents((name, tree.CHECKOUT / name) for name in tree.source_files()),
        services=_contents((target, source) for source, target in sorted(services.targets().items())),
        job_image=job_image.base_tag("standard", Target(suite, ARCHITECTURE)).encode(),
        code=_contents((Path(path.name), path) for path in code),
    )


@dataclass(frozen=True)
class Workshop:
    """The actions of one plan on this machine."""

    plan: Plan

    def actions(self) -> Mapping[str, build.Action]:
        """By the steps' names."""
        return {
            "packages": self._packages,
            "pigpiod": self._pigpiod,
            "python": self._python,
            "job-image": self._job_image,
            "tree": self._tree,
            "image": self._image,
        }

    @property
    def _target(self) -> Target:
        return Target(self.plan.flavour.suite, ARCHITECTURE)

    @property
    def _sources(self) -> str:
        machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
        return packages.sources(self.plan.flavour, machine_suite, apt_sources.read())

    def _packages(self, outputs: Mapping[str, Path], partial: Path) -> None:
        del outputs
        system = files.system_files(self.plan.flavour)
        early = {path: file for path, file in system.items() if path.startswith(("/etc/default", "/etc/initramfs"))}
        unfinished = partial.with_name(partial.name + ".tar")  # mmdebstrap goes by the ending
        packages.bootstrap(self.plan.flavour, self.plan.packages, early, self._sources, unfinished)
        unfinished.rename(partial)

    def _pigpiod(self, outputs: Mapping[str, Path], partial: Path) -> None:
        del outputs
        debian = [line for line in self._sources.splitlines() if "debian" in line]
        pigpiod.compile_to(partial, "\n".join(debian[:1]))

    def _python(self, outputs: Mapping[str, Path], partial: Path) -> None:
        del outputs
        pins = lockfile.pins(_lock(), python=self._target.python, machine=self._target.machine)
        with tempfile.TemporaryDirectory() as name:
            root, work = Path(name) / "root", Path(name) / "work"
            work.mkdir()
            (root / tree.SITE).mkdir(parents=True)
            wheels.install(pins, self._target, root / tree.SITE, work)
            run(["tar", "--create", "--sort=name", "--owner=0", "--group=0", "--file", partial, "-C", root, "."])

    def _job_image(self, outputs: Mapping[str, Path], partial: Path) -> None:
        del outputs
        packages.ready_for_emulation()
        base = job_image.base_archive("standard", self._target)
        partial.mkdir()
        run(["zstd", "--quiet", "-12", "--single-thread", base, "-o", partial / f"{base.name}.zst"])

    def _tree(self, outputs: Mapping[str, Path], partial: Path) -> None:
        flavour = self.plan.flavour
        partial.mkdir()
        with tempfile.TemporaryDirectory(dir=partial.parent) as name:
            root, boot = Path(name) / "root", Path(name) / "boot"
            root.mkdir()
            boot.mkdir()
            archives = {step: outputs[step] for step in ("packages", "pigpiod", "python")}
            tree.compose(root, boot, flavour, archives, next(outputs["job-image"].iterdir()))
            tree.compile_python(root)
            if said := tree.initrd_complaints(root, boot):
                raise BuildError("This image wouldn't find its root: " + " ".join(said))
            disk.make_fat(boot, partial / "boot.fat", layout.BOOT, flavour.disk_id)
            disk.make_ext4(root, partial / "root.ext4", layout.ROOT_A, flavour.name)

    def _image(self, outputs: Mapping[str, Path], partial: Path) -> None:
        flavour, made = self.plan.flavour, outputs["tree"]
        partial.mkdir()
        raw = partial / f"{self.plan.image_name}.img"
        parts = ((layout.BOOT, made / "boot.fat"), (layout.ROOT_A, made / "root.ext4"))
        disk.assemble(layout.table(flavour.disk_id), parts, raw)
        packed = disk.compress(raw)
        built = imager.Built(
            title=flavour.title,
            description=f"A robot lab in a box; root and data on one card of at least "
            f"{layout.SMALLEST_CARD_BYTES / 1e9:.0f} GB. Not yet tried on hardware.",
            file=packed.name,
            date=datetime.fromtimestamp(SOURCE_DATE_S, UTC).date().isoformat(),
            raw_bytes=raw.stat().st_size,
            raw_sha256=_sha256(raw),
            packed_bytes=packed.stat().st_size,
            packed_sha256=_sha256(packed),
        )
        (partial / "built.json").write_text(json.dumps(asdict(built), indent=1) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lock() -> str:
    """What runs, and what the job image's first build on the appliance needs."""
    return "\n".join((tree.CHECKOUT / name).read_text() for name in ("requirements.txt", "requirements-build.txt"))


def _contents(named: Iterable[tuple[Path, Path]]) -> bytes:
    """Names and digests of files, one a line."""
    return b"".join(f"{name} {_sha256(path)}\n".encode() for name, path in named)
