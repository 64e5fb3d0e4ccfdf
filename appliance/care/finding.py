"""What does a look at the appliance yield? Findings, each with its verdict and, where something is wrong, its remedy."""

from __future__ import annotations

import enum

import msgspec


class Verdict(enum.StrEnum):
    """How a check came out. `unknown`: it can't be seen from here, or there is nothing to see yet."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True):
    """One row: what was looked at, how it is, and what to do about it (empty where nothing is to be done)."""

    area: str
    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All rows of one look, in order. `ok`: none has failed. at: seconds since the epoch."""

    ok: bool
    at: float
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, findings: tuple[Finding, ...], at: float) -> Diagnosis:
        """The diagnosis that these findings make."""
        return cls(ok=all(finding.verdict is not Verdict.FAILED for finding in findings), at=at, findings=findings)

    def count(self, verdict: Verdict) -> int:
        """How many rows came out like this."""
        return sum(finding.verdict is verdict for finding in self.findings)

    @property
    def summary(self) -> str:
        """One line for a person."""
        failed, warned = self.count(Verdict.FAILED), self.count(Verdict.WARNING)
        if failed:
            return f"{failed} of {len(self.findings)} checks failed, {warned} could be better."
        return f"Everything that was checked works; {warned} could be better." if warned else "Everything works."


def ok(area: str, check: str, found: str) -> Finding:
    """All is well."""
    return Finding(area, check, Verdict.OK, found)


def warning(area: str, check: str, found: str, remedy: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(area, check, Verdict.WARNING, found, remedy)


def failed(area: str, check: str, found: str, remedy: str) -> Finding:
    """It doesn't work, and this is what to do."""
    return Finding(area, check, Verdict.FAILED, found, remedy)


def unknown(area: str, check: str, found: str, remedy: str = "") -> Finding:
    """It can't be seen from here."""
    return Finding(area, check, Verdict.UNKNOWN, found, remedy)
