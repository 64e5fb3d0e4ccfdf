"""Has this machine shown that it enforces a cell's limits? Tried once for each boot and engine; jobs wait for the answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from appliance.paths import Paths
from appliance.running import proof
from appliance.running.berth import Berth
from appliance.running.cell import Cells, Spec
from appliance.running.proof import Proof

UNDER_WAY: Final = "The limits of a job's cell are being tried on this machine; that takes a few seconds."
_ALLOW: Final = "With a simulated robot, `sandbox.allow_unenforced: true` in raas.yaml lets jobs run nevertheless."

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Leniency:
    """Whether jobs may run where limits don't hold: by `sandbox.allow_unenforced`, and with a simulated robot only."""

    is_twin: bool
    is_wanted: bool

    @property
    def holds(self) -> bool:
        """Both."""
        return self.is_twin and self.is_wanted


class Enforcement:
    """What is known of the limits. `needs` and `run` are for the thread that makes cells, the rest for any."""

    def __init__(self, cells: Cells, paths: Paths, leniency: Leniency) -> None:
        self._cells, self._paths, self._leniency = cells, paths, leniency
        self._proof: Proof | None = None

    @property
    def is_over(self) -> bool:
        """Whether the answer is known."""
        return self._proof is not None

    def objection(self) -> str:
        """Why no job may run, as a sentence; '' if jobs may."""
        if self._proof is None:
            return UNDER_WAY
        if self._leniency.holds or not self._proof.missing:
            return ""
        return f"{self._proof.sentence()} {_ALLOW}" if self._leniency.is_twin else self._proof.sentence()

    def warning(self) -> str:
        """What everybody must know: a limit that isn't enforced, and jobs run nevertheless; '' otherwise."""
        return self._proof.sentence() if self._proof is not None and self._leniency.holds else ""

    def recall(self, spec: Spec) -> None:
        """Take the answer of an earlier start, if all held then and nothing has changed. Raises EngineError."""
        known = proof.remembered(self._paths)
        if known is not None and not known.missing and known.key == proof.key(self._cells.version(), spec):
            self._proof = known

    def run(self, berth: Berth) -> None:
        """Try the limits in this waiting cell, made of `proof.small()`. Raises EngineError, OSError."""
        proof.prepare(berth.spec)
        output = berth.spec.source.with_suffix(".log")
        try:
            findings = self._cells.prove(berth.cell, output)
        finally:
            output.unlink(missing_ok=True)
        found = Proof(proof.key(self._cells.version(), berth.spec), findings)
        for finding in found.findings:
            level = logging.INFO if finding.held else logging.WARNING
            _log.log(level, "limit on %s: %s (%s)", finding.limit, "held" if finding.held else "NOT HELD", finding.seen)
        proof.remember(self._paths, found)
        self._proof = found
