"""Which steps make an image, and which must be done anew? Pure: from the contents of what goes in to keys.

A step's key covers its own inputs and those of the steps that it builds on. A step whose output is in the cache under
its key is not repeated; so an interrupted build goes on where it was, and a change rebuilds what it touches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from image_build.sd import boot_line, contents, files, layout
from image_build.sd.flavour import Flavour

ARCHITECTURE: Final = "arm64"


@dataclass(frozen=True)
class Step:
    """One step: what a person is told, the steps that it builds on, and the ending of its output."""

    name: str
    says: str
    after: tuple[str, ...]
    ending: str
    key: str

    @property
    def output(self) -> str:
        """Name of the file or folder in the cache."""
        return f"{self.name}-{self.key}{self.ending}"


@dataclass(frozen=True)
class Inputs:
    """Contents of what goes into an image from this checkout, as digests or texts. `code`: the modules of this folder."""

    lock: bytes
    sources: bytes
    services: bytes
    job_image: bytes
    code: bytes


@dataclass(frozen=True)
class Plan:
    """Everything about one image that can be known before it is built."""

    flavour: Flavour
    steps: tuple[Step, ...]
    packages: tuple[str, ...]

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.steps if step.name == name)

    @property
    def image_name(self) -> str:
        """Name of the finished image, without ending."""
        return f"raas-{self.flavour.name}-{self.step('image').key}"


def plan(flavour: Flavour, inputs: Inputs) -> Plan:
    """The plan for one image."""
    packages = tuple(sorted({*contents.PACKAGES, *flavour.packages}))
    system = {path: (file.text, file.mode) for path, file in files.system_files(flavour).items()}
    early = {path: content for path, content in system.items() if path.startswith(("/etc/default", "/etc/initramfs"))}
    boot = {path: file.text for path, file in files.boot_files(flavour).items()}
    owned = {
        "packages": _packed(
            *(flavour.suite, flavour.debian_components, flavour.archives, packages, early),
            *(contents.EXCLUDED, contents.INCLUDED),
        ),
        "pigpiod": _packed(flavour.suite),
        "python": inputs.lock,
        "job-image": inputs.job_image,
        "tree": _packed(
            *(hashlib.sha256(content).hexdigest() for content in (inputs.sources, inputs.services, inputs.code)),
            *(system, boot, contents.ENABLED, contents.MASKED, contents.DISABLED, contents.PERSISTENT),
            boot_line.cmdline(flavour),
        ),
        "image": _packed(layout.table(flavour.disk_id)),
    }  # fmt: skip
    steps: dict[str, Step] = {}
    for name, says, after, ending in STEPS:
        keys = [steps[other].key.encode() for other in after]
        steps[name] = Step(name, says, after, ending, _digest(name.encode(), *keys, owned[name]))
    return Plan(flavour, tuple(steps.values()), packages)


#: Name, what a person is told, the steps it builds on, the ending of its output; in order.
STEPS: Final = (
    ("packages", "fetching and configuring Debian's packages (minutes, emulated)", (), ".tar"),
    ("pigpiod", "compiling pigpiod", (), ".tar"),
    ("python", "installing the locked Python packages", (), ".tar"),
    ("job-image", "making the base of the job image", (), ".tar"),
    (
        "tree",
        "putting the tree together and making the file systems",
        ("packages", "pigpiod", "python", "job-image"),
        "",
    ),
    ("image", "writing the image and compressing it", ("tree",), ""),
)


def _packed(*parts: object) -> bytes:
    return json.dumps(parts, sort_keys=True, default=repr).encode()


def _digest(*parts: bytes) -> str:
    """Twelve hex digits over the parts; lengths keep neighbouring parts apart."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()[:12]


def summary(planned: Plan) -> Mapping[str, object]:
    """The plan as `--plan` prints it."""
    flavour = planned.flavour
    return {
        "flavour": flavour.name,
        "robot": flavour.robot_link,
        "image": planned.image_name,
        "image_mib": layout.image_mib(),
        "partitions": {part.name: [part.start_mib, part.size_mib or "rest"] for part in layout.PARTITIONS},
        "cmdline": boot_line.cmdline(flavour),
        "config.txt": boot_line.config_txt(flavour).splitlines(),
        "initrd_modules": list(contents.INITRD_MODULES),
        "packages": list(planned.packages),
        "files": sorted(files.system_files(flavour)),
        "boot_files": sorted(files.boot_files(flavour)),
        "persistent": dict(contents.PERSISTENT),
        "steps": {step.name: step.key for step in planned.steps},
    }
