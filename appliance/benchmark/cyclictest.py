"""How late does the best C program wake on this core? Debian's cyclictest (rt-tests), run and read."""

from __future__ import annotations

import re
import shutil
import subprocess

from appliance.errors import RaasError

_BUCKETS_US = 20_000


class NoCyclictest(RaasError):
    """It isn't installed, or may not run here."""


def is_installed() -> bool:
    """Whether `cyclictest` is on the PATH."""
    return shutil.which("cyclictest") is not None


def lateness_us(core: int, priority: int, interval_us: int, seconds: float) -> list[int]:
    """Every wake-up's lateness in whole µs (at most 20 ms are told apart). Raises NoCyclictest."""
    policy = ["-p", str(priority), "--policy=fifo"] if priority else ["--policy=other"]
    command = ["cyclictest", "-m", "-q", "-t", "1", "-a", str(core), *policy, "-i", str(interval_us)]
    command += ["-D", str(max(1, round(seconds))), "-h", str(_BUCKETS_US)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoCyclictest(f"cyclictest can't run: {error}. Install Debian's package rt-tests.") from error
    if done.returncode != 0:
        raise NoCyclictest(f"cyclictest failed: {done.stderr.strip() or done.stdout.strip()}")
    found = [(int(at), int(count)) for at, count in re.findall(r"^(\d+)\s+(\d+)\s*$", done.stdout, re.MULTILINE)]
    return [at for at, count in found for _ in range(count)]
