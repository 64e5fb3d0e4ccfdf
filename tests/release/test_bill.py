"""The bill of materials holds what the locks hold, in CycloneDX's form."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from image_build import release, sbom

LOCKS = {name: (release.CHECKOUT / name).read_text() for name in release.LOCKS}
NPM = json.loads((release.CHECKOUT / "package-lock.json").read_text())


@pytest.fixture(scope="module")
def bill() -> Any:
    return sbom.bill("raas-appliance", "1.2.3", 1_735_689_600, LOCKS, NPM)


def test_every_pin_of_every_lock_is_in_it_with_its_digests(bill: Any) -> None:
    listed = {(each["name"], each["version"]): each for each in bill["components"]}
    assert all(re.fullmatch("[0-9a-f]{64,128}", each["content"]) for one in listed.values() for each in one["hashes"])
    for lock, text in LOCKS.items():
        for name, version, marker in re.findall(r"^([\w.-]+)==([^ ]+)(.*)", text, re.MULTILINE):
            if re.search(r"^ ; implementation_name == 'pypy' and|python_full_version >= '3\.14'", marker):
                continue  # for a Python that nothing of ours runs on
            found = listed[re.sub(r"[-_.]+", "-", name).lower(), version]
            assert lock in [each["value"] for each in found["properties"]], name
            assert found["hashes"], name


def test_it_lists_what_the_pages_are_served_with_and_no_tool_of_the_tests(bill: Any) -> None:
    (chart,) = [each for each in bill["components"] if each["purl"].startswith("pkg:npm/")]
    assert chart["name"] == "uplot"
    assert chart["hashes"][0]["alg"] == "SHA-512"
    assert re.fullmatch("[0-9a-f]{128}", chart["hashes"][0]["content"])


def test_its_references_are_unique_and_escaped(bill: Any) -> None:
    references = [each["bom-ref"] for each in bill["components"]]
    assert len(references) == len(set(references))
    assert all(re.fullmatch(r"pkg:(pypi|npm)/[\w.%-]+@[\w.%-]+", reference) for reference in references)


def test_it_says_what_it_is_of(bill: Any) -> None:
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["metadata"]["timestamp"] == "2025-01-01T00:00:00Z"
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])


def test_the_same_locks_make_the_same_bill_and_others_another(bill: Any) -> None:
    again = sbom.bill("raas-appliance", "1.2.3", 1_735_689_600, LOCKS, NPM)
    fewer = sbom.bill("raas-appliance", "1.2.3", 1_735_689_600, {"requirements.txt": LOCKS["requirements.txt"]}, NPM)
    assert again == bill
    assert fewer["serialNumber"] != bill["serialNumber"]
