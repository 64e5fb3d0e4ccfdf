"""What is in a release that others wrote? A bill of materials (CycloneDX 1.6, JSON) from the lock files, as pure data.

The locks say names, versions and digests, and nothing about licences: so neither does the bill.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from image_build.lockfile import Pin, pins
from image_build.recipe import MACHINE_OF_ARCHITECTURE, PYTHON_OF_SUITE

SPEC_VERSION: Final = "1.6"
#: Says in which lock a component stands; CycloneDX leaves such names to their makers.
LOCK_PROPERTY: Final = "raas:lock"


def bill(
    name: str, version: str, at_s: int, locks: Mapping[str, str], npm_lock: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The bill of `name` at `version`; `locks` are requirements files by name. The same input gives the same bill."""
    components = sorted([*_from_pip(locks), *_from_npm(npm_lock)], key=lambda each: str(each["bom-ref"]))
    own = f"pkg:pypi/{name}@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, own + _digest(components))}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": own, "name": name, "version": version, "purl": own},
        },
        "components": components,
    }


def _from_pip(locks: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One component for each version of a distribution, however many locks it stands in."""
    digests: dict[tuple[str, str], set[str]] = {}
    standing: dict[tuple[str, str], set[str]] = {}
    for lock, text in locks.items():
        for pin in _everywhere(text):
            # Locks may name different files of one version.
            digests.setdefault((pin.name, pin.version), set()).update(pin.hashes)
            standing.setdefault((pin.name, pin.version), set()).add(lock)
    for (name, version), found in digests.items():
        hashes = [("SHA-256", value.removeprefix("sha256:")) for value in found]
        yield _component(f"pkg:pypi/{name}@{quote(version)}", name, version, hashes, sorted(standing[name, version]))


def _everywhere(lock: str) -> set[Pin]:
    """The pins for any Python and machine that we build for."""
    targets = ((python, machine) for python in PYTHON_OF_SUITE.values() for machine in MACHINE_OF_ARCHITECTURE.values())
    return {pin for python, machine in targets for pin in pins(lock, python=python, machine=machine)}


def _from_npm(lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the pages are served with; what only tests need isn't in a release."""
    for path, package in lock["packages"].items():
        if not path or package.get("dev"):
            continue
        name, version = path.rpartition("node_modules/")[2], package["version"]
        algorithm, _, digest = package["integrity"].partition("-")
        hashes = [(algorithm.upper().replace("SHA", "SHA-"), _hex(digest))]
        purl = f"pkg:npm/{quote(name)}@{quote(version)}"
        yield _component(purl, name, version, hashes, ["package-lock.json"])


def _component(
    purl: str, name: str, version: str, hashes: Iterable[tuple[str, str]], locks: Iterable[str]
) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": algorithm, "content": digest} for algorithm, digest in sorted(hashes)],
        "properties": [{"name": LOCK_PROPERTY, "value": lock} for lock in locks],
    }


def _hex(digest: str) -> str:
    return base64.b64decode(digest).hex()


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
