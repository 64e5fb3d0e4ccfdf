"""What memory does a process hold, and how often has it faulted?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Page faults since its start; resident and locked memory, kB."""

    faults: int
    resident_kb: int
    locked_kb: int

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Of a process that lives."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        held = dict(re.findall(r"^(\w+):\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
        return cls(int(fields[7]) + int(fields[9]), int(held["VmRSS"]), int(held["VmLck"]))
