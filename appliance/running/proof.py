"""Does this machine enforce each limit of a cell? Found out by exceeding them, in a cell like any other.

A setting that Docker accepts isn't yet one that the kernel obeys: Raspberry Pi OS, for one, ignores a limit on memory
unless its kernel is told otherwise. So before the first job `probe` runs in a cell of the same kind, with smaller numbers
where exceeding the real ones could harm the machine if nothing held. What held is remembered until anything of it changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.errors import EngineError
from appliance.paths import Paths
from appliance.running import cell, probe
from appliance.running.cell import Cell, Finding, Spec
from appliance.running.output import Capture

_PATIENCE_S: Final = 60.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: Beside what the runner tells of job images.
_FILE: Final = "limits-proven.json"
_REMEDY: Final = {
    "memory": "Add `cgroup_enable=memory cgroup_memory=1` to the kernel's command line (on a Raspberry Pi: "
    "/boot/firmware/cmdline.txt) and restart the machine.",
    "processes": "The kernel needs the control group `pids`.",
    "cpu_time": "The kernel needs CFS bandwidth control (CONFIG_CFS_BANDWIDTH).",
    "cores": "The kernel needs the control group `cpuset`.",
    "system_calls": "The kernel and Docker Engine need seccomp (`docker info` lists it).",
}
_SMALL_MEMORY_MB: Final = 160
_SMALL_TMP_MB: Final = 16
_SMALL_PIDS: Final = 64


class Proof(msgspec.Struct, frozen=True):
    """What was found on which machine, engine and limits (`key`)."""

    key: str
    findings: tuple[Finding, ...]

    @property
    def missing(self) -> tuple[Finding, ...]:
        """The limits that aren't enforced."""
        return tuple(finding for finding in self.findings if not finding.held)

    def sentence(self) -> str:
        """What isn't enforced and what to do about it; '' if everything is."""
        if not self.missing:
            return ""
        names = " and ".join(f"{finding.limit.replace('_', ' ')} ({finding.seen})" for finding in self.missing)
        remedies = " ".join(_REMEDY[finding.limit] for finding in self.missing if finding.limit in _REMEDY)
        return f"This machine doesn't enforce the limits of a job's cell on {names}. {remedies}".strip()


def small(spec: Spec) -> Spec:
    """The same cell with limits that can be exceeded without harm where they don't hold."""
    memory_mb = min(spec.limits.memory_mb, _SMALL_MEMORY_MB)
    tmp_mb, pids = min(spec.limits.tmp_mb, _SMALL_TMP_MB), min(spec.limits.pids, _SMALL_PIDS)
    return replace(
        spec, imports_ahead=False, limits=replace(spec.limits, memory_mb=memory_mb, tmp_mb=tmp_mb, pids=pids)
    )


def key(engine_version: str, spec: Spec) -> str:
    """What a proof depends on, as a hash: this boot of the kernel, the engine, the image, the limits, the profile."""
    parts = (_BOOT_ID.read_text(), engine_version, spec.fitting.image, repr(spec.limits), cell.SECCOMP_FILE.read_text())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def remembered(paths: Paths) -> Proof | None:
    """What was found last, on whatever machine; None if nothing was."""
    try:
        return msgspec.json.decode(file(paths).read_bytes(), type=Proof)
    except (OSError, msgspec.DecodeError):
        return None


def remember(paths: Paths, proof: Proof) -> None:
    """Keep it for the next start, and for whoever wants to see it. Raises OSError."""
    file(paths).parent.mkdir(parents=True, exist_ok=True)
    durable.write(file(paths), msgspec.json.encode(proof), sync=False)


def prepare(spec: Spec) -> None:
    """Put the probe into the cell's source folder."""
    (spec.source / "run.py").write_bytes(Path(probe.__file__).read_bytes())
    (spec.source / "limits.json").write_text(json.dumps(_numbers(spec)))
    for path in spec.source.iterdir():
        path.chmod(0o644)


def run(waiting: Cell, output: Path) -> tuple[Finding, ...]:
    """Have the probe run in a waiting cell; its output goes to the file `output`. Raises EngineError."""
    with Capture(output, 1 << 20) as capture:
        waiting.start(capture)
        ended = waiting.wait(_PATIENCE_S)
        if not ended:
            waiting.kill()
        waiting.finish()
        capture.finish()
    return read(output.read_text(errors="replace"), [check.__name__ for check in probe.CHECKS])


def read(text: str, limits: Collection[str]) -> tuple[Finding, ...]:
    """The probe's answers; a limit that it said nothing about isn't proven. Raises EngineError if it never ran."""
    found: dict[str, Finding] = {}
    for line in text.splitlines():
        try:
            finding = msgspec.convert(msgspec.json.decode(line), tuple[str, bool, str])
        except (msgspec.DecodeError, msgspec.ValidationError):
            continue
        found[finding[0]] = Finding(*finding)
    if not found:
        raise EngineError(f"The trial of the cell's limits said nothing: {text.strip()[-300:] or 'no output'}")
    return tuple(found.get(name, Finding(name, held=False, seen="the trial ended before it")) for name in limits)


def file(paths: Paths) -> Path:
    """Where it is kept."""
    return paths.image_packages("standard").with_name(_FILE)


def _numbers(spec: Spec) -> dict[str, int]:
    """The limits as plain numbers, as the cell gets them."""
    host, per_process = cell.host_config(spec), cell.ulimits(spec)
    return {
        "uid": spec.limits.uid,
        "memory_bytes": host["mem_limit"],
        "pids": host["pids_limit"],
        "cores": len(spec.limits.cores),
        "core_mask": sum(1 << core for core in spec.limits.cores),
        "cpu_ms_per_s": host["nano_cpus"] // 1_000_000,
        "tmp_bytes": spec.limits.tmp_mb << 20,
        "tmp_files": cell.TMP_FILES,
        "shm_bytes": host["shm_size"],
        "file_bytes": per_process["fsize"],
        "open_files": per_process["nofile"],
        "locked_bytes": per_process["memlock"],
    }
