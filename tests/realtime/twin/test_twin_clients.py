"""The other clients of pigpiod against the twin: `pigs` of Debian's pigpio-tools, and the C library where it is installed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess

import pytest

from tests.patience import eventually
from tests.realtime.twin.running_twin import RunningTwin

with_pigs = pytest.mark.skipif(shutil.which("pigs") is None, reason="pigs is in Debian's package pigpio-tools")

#: command line of pigs, what it prints, its exit code
CONVERSATIONS = [
    ("hwver", "12595473", 0),
    ("pigpv", "78", 0),
    ("m 25 w mg 25", "1", 0),
    ("m 25 0 mg 25 m 25 r mg 25", "4\n0", 0),
    ("w 25 1 r 25 w 25 0 r 25", "1\n0", 0),
    ("m 25 r pud 25 u r 25 pud 25 d r 25", "1\n0", 0),
    ("pfs 25 10000 pfg 25 prrg 25", "8000\n8000\n25", 0),
    ("prs 25 1000 prg 25 p 25 500 gdc 25", "25\n1000\n500", 0),
    ("s 25 1500 gpw 25 w 25 0", "1500", 0),
    ("hp 18 8000 250000 gdc 18 w 18 0", "250000", 0),
    ("w 25 0 trig 25 20 1 r 25", "0", 0),
    ("bs1 0x02000000 br1 bc1 0x02000000", None, 0),
    ("wdog 25 1000 wdog 25 0", "", 0),
    ("mics 100 mils 1", "", 0),
    ("csi 7 cgi csi 0", "7", 0),
    ("fg 25 100 fn 25 100 100", "", 0),
    ("w 25 2", "-5\nERROR: level not 0-1", 253),
    ("w 0 1", "-41\nERROR: no permission to update GPIO", 253),
    ("r 54", "-3\nERROR: GPIO not 0-53", 253),
    ("gdc 25", "-92\nERROR: GPIO is not in use for PWM", 253),
    ("bs1 1", "-42\nERROR: no permission to update one or more GPIO", 253),
    ("proc jmp 7", "-63\nERROR: script has unresolved tag", 253),
    ("procp 31", "-48\nERROR: unknown script id", 253),
    ("wvclr", "-88\nERROR: unknown command", 253),
]


def pigs(twin: RunningTwin, line: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIGPIO_ADDR": "127.0.0.1", "PIGPIO_PORT": str(twin.port)}
    return subprocess.run(["pigs", *line.split()], env=environment, capture_output=True, text=True, timeout=10.0)


@with_pigs
@pytest.mark.parametrize(("line", "printed", "code"), CONVERSATIONS, ids=[line for line, _, _ in CONVERSATIONS])
def test_pigs_gets_the_answers_it_gets_from_pigpiod(
    twin: RunningTwin, line: str, printed: str | None, code: int
) -> None:
    result = pigs(twin, line)
    pigs(twin, "w 25 0 m 25 r")
    answer = (result.stdout + result.stderr).strip()
    assert (result.returncode, answer) == (code, printed if printed is not None else answer)


@with_pigs
def test_pigs_stores_runs_asks_and_deletes_a_script(twin: RunningTwin) -> None:
    script = pigs(twin, "proc tag 1 mils 5 dcr p0 jp 1 tag 2 w 13 0 w 19 0 inr p3 mils 2 jmp 2").stdout.strip()
    eventually(lambda: pigs(twin, f"procr {script} 3").returncode == 0)
    eventually(lambda: int(pigs(twin, f"procp {script}").stdout.split()[4]) > 0)
    assert pigs(twin, f"procu {script} 100").returncode == 0
    assert pigs(twin, f"procs {script}").returncode == 0
    eventually(lambda: pigs(twin, f"procp {script}").stdout.split()[0] == "1")
    assert pigs(twin, f"procd {script}").returncode == 0


C_LIBRARY = "libpigpiod_if2.so.1"
Edge = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint32)


@pytest.fixture
def c_library() -> ctypes.CDLL:
    """The daemon's C client."""
    try:
        return ctypes.CDLL(C_LIBRARY)
    except OSError:
        pytest.skip(f"{C_LIBRARY} is in Debian's package libpigpiod-if2-1")


def test_the_c_client_library_is_served(twin: RunningTwin, c_library: ctypes.CDLL) -> None:
    edges: list[tuple[int, int]] = []
    noted = Edge(lambda _, __, level, tick: edges.append((level, tick)))
    pi = c_library.pigpio_start(b"127.0.0.1", str(twin.port).encode())
    assert pi >= 0
    assert (c_library.get_hardware_revision(pi), c_library.get_pigpio_version(pi)) == (0xC03111, 78)
    c_library.gpio_write(pi, 25, 0)
    c_library.callback(pi, 25, 2, noted)
    for _ in range(5):
        assert c_library.gpio_trigger(pi, 25, 50, 1) == 0
    eventually(lambda: len(edges) == 10)
    assert [down[1] - up[1] for up, down in zip(edges[::2], edges[1::2], strict=True)] == [50] * 5
    registers = (ctypes.c_uint32 * 10)(3)
    script = c_library.store_script(pi, b"tag 1 mils 5 dcr p0 jp 1 inr p3")
    eventually(lambda: c_library.run_script(pi, script, 1, registers) == 0)
    eventually(lambda: c_library.script_status(pi, script, registers) == 1 and registers[3] == 1)
    assert c_library.delete_script(pi, script) == 0
    assert (c_library.gpio_write(pi, 0, 1), c_library.set_bank_1(pi, 1)) == (-41, -42)
    c_library.pigpio_stop(pi)
