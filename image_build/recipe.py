"""What is a job image made of, and which of its parts must be built anew? Declarations, and a plan as pure data.

An image is built in three steps, each cached under a hash of everything that went into it and into the steps before:
Debian's packages, then the base (tidied, with the locked Python packages, compiled), then gym_raas on top, which is the
one that changes often and takes seconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

# The Python that each Debian release ships; the image runs that one.
PYTHON_OF_SUITE: Final = {"bookworm": "3.11", "trixie": "3.13"}
# Debian's name of an architecture -> what Python and wheels call it.
MACHINE_OF_ARCHITECTURE: Final = {"amd64": "x86_64", "arm64": "aarch64"}
# The newest glibc that wheels may ask for; both releases have a newer one.
GLIBC_MINOR: Final = {"bookworm": 36, "trixie": 41}


@dataclass(frozen=True)
class Recipe:
    """One kind of job image. `locks` are files beside this module; the user owns nothing in the image."""

    name: str
    locks: tuple[str, ...]
    debs: tuple[str, ...]
    applets: tuple[str, ...]
    uid: int = 61000


@dataclass(frozen=True)
class Target:
    """What an image is built for: a Debian release and one of Debian's architectures."""

    suite: str
    architecture: str

    def __post_init__(self) -> None:
        """Refuse what nobody has tried, with the choices."""
        for given, known in ((self.suite, PYTHON_OF_SUITE), (self.architecture, MACHINE_OF_ARCHITECTURE)):
            if given not in known:
                raise ValueError(f"no job image can be built for {given!r}; choose one of {', '.join(known)}")

    @property
    def python(self) -> str:
        """The image's Python, such as "3.11"."""
        return PYTHON_OF_SUITE[self.suite]

    @property
    def machine(self) -> str:
        """The architecture as wheels spell it, such as "x86_64"."""
        return MACHINE_OF_ARCHITECTURE[self.architecture]

    @property
    def platforms(self) -> tuple[str, ...]:
        """Wheel platforms that run there, the newest first. pip takes each literally, so all are named."""
        # PEP 600; 2.17 is the oldest glibc for which today's wheels are built.
        numbered = [f"manylinux_2_{minor}_{self.machine}" for minor in range(GLIBC_MINOR[self.suite], 16, -1)]
        return (*numbered, f"manylinux2014_{self.machine}")


# python3-minimal brings the `python3` link; scipy and numpy need the two libraries.
_DEBS: Final = ("busybox-static", "libgomp1", "libstdc++6", "python3", "python3-minimal", "tini")
# What a program or a person reading its log expects of a shell; the rest isn't worth the surface.
_APPLETS: Final = tuple(
    "[ ash awk basename cat chmod cp cut date df dirname du echo env expr false find free grep gunzip gzip head "
    "hostname id kill ln ls md5sum mkdir mktemp mv nproc printenv printf ps pwd readlink realpath rm rmdir sed "
    "seq sh sha256sum sleep sort stat stty sync tail tee test timeout top touch tr true uname uniq uptime vi "
    "wc which whoami xargs yes zcat".split()
)

RECIPES: Final = {
    # Small enough for every card and every start.
    "standard": Recipe("standard", ("job-standard.txt",), _DEBS, _APPLETS),
    # For learning: torch, tensorflow, scikit-learn, pandas, matplotlib. Built on demand (`make job-image IMAGE=large`).
    "large": Recipe("large", ("job-large.txt", "job-torch.txt"), _DEBS, _APPLETS),
}


@dataclass(frozen=True)
class Step:
    """One cached step of a build. `key` covers its inputs and all steps before it."""

    name: str
    key: str


@dataclass(frozen=True)
class Plan:
    """The steps of one image, in order, and the tag that it will bear."""

    debs: Step
    base: Step
    image: Step
    tag: str
    base_tag: str


def plan(recipe: Recipe, target: Target, *, lock: bytes, base_sources: bytes, gym_raas: bytes, layer: bytes) -> Plan:
    """The plan for an image from the contents of everything that goes into it.

    `base_sources` is the code that shapes the base, `gym_raas` the package's files, `layer` what is put around them.
    """
    debs = Step("debs", _digest("", repr(target).encode(), repr(recipe.debs).encode()))
    base = Step("base", _digest(debs.key, repr(recipe).encode(), lock, base_sources))
    image = Step("image", _digest(base.key, gym_raas, layer))
    tag = f"raas-job:{recipe.name}-{image.key}"
    return Plan(debs, base, image, tag, f"raas-job-base:{recipe.name}-{base.key}")


def _digest(previous: str, *parts: bytes) -> str:
    """Twelve hex digits over the parts; lengths keep neighbouring parts apart."""
    digest = hashlib.sha256(previous.encode())
    for part in parts:
        digest.update(f"{len(part)}:".encode() + part)
    return digest.hexdigest()[:12]
