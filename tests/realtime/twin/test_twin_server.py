"""The twin's process on its socket: streams, bad clients, signals, and what stands on the command line."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.realtime.twin import pinlog
from appliance.realtime.twin.build import build
from appliance.realtime.twin.protocol import Command, Refusal
from appliance.realtime.twin.server import Server, listen
from gym_raas.parameters import load_robot
from tests.patience import eventually
from tests.realtime.twin.running_twin import ROOT, RawClient, RunningTwin
from tests.realtime.twin.test_twin_scripts import DEAD_MAN, words

StartTwin = Callable[..., RunningTwin]


def test_many_commands_in_one_send_are_answered_in_order(raw: RawClient) -> None:
    requests = [(Command.WRITE, 25, n % 2, b"") for n in range(500)]
    raw.send(*requests)
    assert [raw.reply()[:3] for _ in requests] == [request[:3] for request in requests]


def test_a_request_may_arrive_byte_by_byte(raw: RawClient) -> None:
    for byte in struct.pack("<5I", Command.HP, 25, 800, 4, 1):
        raw.socket.sendall(bytes([byte]))
    assert raw.reply() == (Command.HP, 25, 800, Refusal.NOT_HPWM_GPIO)


def test_a_delay_holds_up_its_own_connection_only(twin: RunningTwin, raw: RawClient) -> None:
    other = RawClient(twin.port)
    start_s = time.monotonic()
    raw.send((Command.MILS, 1000, 0, b""), (Command.TICK, 0, 0, b""))
    assert other.ask(Command.PIGPV) == 78
    assert time.monotonic() - start_s < 0.9
    assert raw.reply() == (Command.MILS, 1000, 0, 0)
    assert raw.reply()[0] == Command.TICK
    assert 1.0 <= time.monotonic() - start_s < 2.0


@pytest.mark.parametrize(
    ("command", "amount", "result"),
    [
        (Command.MICS, 100, 0),
        (Command.MICS, 1_000_001, Refusal.BAD_MICS_DELAY),
        (Command.MILS, 60_001, Refusal.BAD_MILS_DELAY),
        (Command.MILS, 0, 0),
        (4711, 0, Refusal.UNKNOWN_COMMAND),
        (2**32 - 1, 0, Refusal.UNKNOWN_COMMAND),
    ],
)
def test_delays_and_unknown_commands_answer(raw: RawClient, command: int, amount: int, result: int) -> None:
    assert raw.ask(command, amount) == result


@pytest.mark.parametrize("length", [1 << 16, 2**32 - 1])
def test_an_oversized_extension_closes_the_connection(twin: RunningTwin, raw: RawClient, length: int) -> None:
    raw.socket.sendall(struct.pack("<4I", Command.PROC, 0, 0, length))
    assert raw.ended()
    assert RawClient(twin.port).ask(Command.PIGPV) == 78


def test_the_biggest_extension_is_taken(raw: RawClient) -> None:
    assert raw.ask(Command.PROC, extension=b"nop ".ljust(65_535)) >= 0


def test_random_bytes_break_nothing(twin: RunningTwin) -> None:
    chance = random.Random(1)
    for _ in range(50):
        client = RawClient(twin.port)
        command = chance.choice([*Command, chance.getrandbits(32)])
        header = struct.pack("<4I", command, chance.getrandbits(32), chance.getrandbits(6), chance.randrange(40))
        try:
            client.socket.sendall(header + chance.randbytes(400))
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.socket.close()
    assert RawClient(twin.port).ask(Command.PIGPV) == 78


def test_a_notification_stream_counts_its_reports_and_ends_with_its_connection(
    twin: RunningTwin, raw: RawClient
) -> None:
    stream = RawClient(twin.port)
    handle = stream.ask(Command.NOIB)
    raw.ask(Command.WRITE, 25, 0)
    assert raw.ask(Command.NB, handle, 1 << 25) == 0
    for level in (1, 0, 1):
        raw.ask(Command.WRITE, 25, level)
    reports = [struct.unpack("<HHII", stream.receive(12)) for _ in range(3)]
    assert [(sequence, flags, levels >> 25 & 1) for sequence, flags, _, levels in reports] == [
        (0, 0, 1),
        (1, 0, 0),
        (2, 0, 1),
    ]
    stream.socket.close()
    eventually(lambda: raw.ask(Command.NB, handle, 0) == Refusal.BAD_HANDLE)


def test_all_handles_can_be_taken_and_are_given_back(start_twin: StartTwin) -> None:
    twin = start_twin()
    streams = [RawClient(twin.port) for _ in range(33)]
    handles = [stream.ask(Command.NOIB) for stream in streams]
    assert handles[-1] == Refusal.NO_HANDLE
    for stream in streams:
        stream.socket.close()
    eventually(lambda: RawClient(twin.port).ask(Command.NOIB) == 0)


def test_a_client_that_stops_reading_stalls_nobody_and_finds_a_gap(start_twin: StartTwin) -> None:
    twin = start_twin()
    lazy, good, raw = RawClient(twin.port, 4096), RawClient(twin.port), RawClient(twin.port)
    for stream in (lazy, good):
        raw.ask(Command.NB, stream.ask(Command.NOIB), 1 << 24 | 1 << 25)
    for gpio, duty in ((24, 50), (25, 128)):
        raw.ask(Command.PFS, gpio, 8000)
        raw.ask(Command.PWM, gpio, duty)
    end_s, got, slowest_s = time.monotonic() + 4.0, bytearray(), 0.0
    while time.monotonic() < end_s:
        got += good.socket.recv(1 << 16)
        before_s = time.monotonic()
        raw.ask(Command.TICK)
        slowest_s = max(slowest_s, time.monotonic() - before_s)
    assert slowest_s < 2.0
    assert set(gaps(got)) == {1}
    ticks = [report[2] for report in struct.iter_unpack("<HHII", got[: len(got) // 12 * 12])]
    assert len(ticks) / 24_000 == pytest.approx(
        (ticks[-1] - ticks[0] & 0xFFFFFFFF) * 1e-6, rel=0.01
    )  # both rise at once
    backlog = bytearray()
    while set(gaps(backlog)) <= {1}:
        backlog += lazy.socket.recv(1 << 16)
    assert resident_bytes(twin.process.pid) < 80e6


def gaps(reports: bytes | bytearray) -> list[int]:
    """Steps of the sequence numbers."""
    whole = len(reports) // 12 * 12
    numbers = [report[0] for report in struct.iter_unpack("<HHII", reports[:whole])]
    return [(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)]


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_client_that_never_reads_its_replies_is_not_read_either(twin: RunningTwin) -> None:
    client = RawClient(twin.port, receive_buffer_bytes=4096)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    client.socket.settimeout(1.0)
    flood = struct.pack("<4I", Command.TICK, 0, 0, 0) * 4096
    sent_bytes = 0
    with contextlib.suppress(TimeoutError):
        while sent_bytes < 8e6:
            sent_bytes += client.socket.send(flood)
    assert sent_bytes < 8e6
    assert RawClient(twin.port).ask(Command.PIGPV) == 78
    client.socket.close()


def test_a_client_that_fills_its_delay_with_commands_is_served_after_it(twin: RunningTwin) -> None:
    client = RawClient(twin.port)
    client.send((Command.MILS, 300, 0, b""))
    count = 40_000
    client.socket.settimeout(5.0)
    sent = struct.pack("<4I", Command.PIGPV, 0, 0, 0) * count
    done = 0
    client.socket.setblocking(False)
    received = bytearray()
    deadline_s = time.monotonic() + 10.0
    while len(received) < 16 * (count + 1) and time.monotonic() < deadline_s:
        try:
            done += client.socket.send(sent[done : done + 65536]) if done < len(sent) else 0
        except BlockingIOError:
            pass
        try:
            received += client.socket.recv(1 << 16)
        except BlockingIOError:
            time.sleep(0.001)
    assert len(received) == 16 * (count + 1)
    client.socket.close()


def test_the_dead_man_acts_when_the_client_is_killed(start_twin: StartTwin) -> None:
    twin = start_twin()
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(twin.port)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "driving\n"
    victim.kill()
    killed_ns = time.monotonic_ns()
    victim.communicate()
    eventually(lambda: twin.pins()[-1].command == 0.0)
    off = twin.pins()[-1]
    assert (off.forward, off.backward) == (0.0, 0.0)
    assert 0.05 < (off.t_ns - killed_ns) * 1e-9 < 1.0  # 0.1 on a machine with nothing else to do
    raw = RawClient(twin.port)
    status = script_status(raw, 0)
    assert status[1 + 3] > 0
    assert raw.ask(Command.GDC, 13) == Refusal.NOT_PWM_GPIO


VICTIM = f"""
import socket, struct, sys, time
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def ask(command, p1=0, p2=0, extension=b""):
    link.sendall(struct.pack("<4I", command, p1, p2, len(extension)) + extension)
    return struct.unpack("<IIIi", link.recv(16))[3]
ask(7, 13, 8000), ask(6, 13, 1000)
script = ask(38, 0, 0, {DEAD_MAN!r})
while ask(40, script, 0, struct.pack("<4i", 19, 0, 0, 0)):
    pass
ask(5, 13, 600)
for tick in range(100_000):
    ask(117, script, 0, struct.pack("<i", 19))
    time.sleep(0.005)
    if tick == 60:
        print("driving", flush=True)
"""


def script_status(raw: RawClient, script: int) -> tuple[int, ...]:
    raw.send((Command.PROCP, script, 0, b""))
    assert raw.reply()[3] == 44
    return struct.unpack("<11i", raw.receive(44))


def test_scripts_and_pins_outlive_their_client(twin: RunningTwin) -> None:
    first = RawClient(twin.port)
    script = first.ask(Command.PROC, extension=b"tag 1 mils 5 inr p0 jmp 1")
    eventually(lambda: first.ask(Command.PROCR, script, extension=words(0)) == 0)
    first.ask(Command.WRITE, 25, 1)
    first.socket.close()
    second = RawClient(twin.port)
    eventually(lambda: script_status(second, script)[1] > 10)
    assert second.ask(Command.READ, 25) == 1
    assert second.ask(Command.PROCD, script) == 0
    assert second.ask(Command.PROCP, script) == Refusal.BAD_SCRIPT_ID


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_the_pin_log_is_whole(start_twin: StartTwin, ending: signal.Signals) -> None:
    twin = start_twin("--seed", "5")
    raw = RawClient(twin.port)
    for level in (1, 0, 1):
        raw.ask(Command.WRITE, 13, level)
    twin.process.send_signal(ending)
    out, err = twin.process.communicate(timeout=10.0)
    assert (twin.process.returncode, err) == (0, "")
    assert out == f"twin: pigpiod's protocol on 127.0.0.1:{twin.port}\n"
    assert [record.command for record in twin.pins()] == [0.0, 1000.0, 0.0, 1000.0]
    assert [record.t_ns for record in twin.pins()] == sorted(record.t_ns for record in twin.pins())


def test_it_listens_on_loopback_only(twin: RunningTwin) -> None:
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert f"0100007F:{twin.port:04X}" in listening
    assert f"00000000:{twin.port:04X}" not in listening


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "70000"], "port"),
        (["--port", "0", "--robot", "nowhere.yaml"], "nowhere.yaml"),
        (["--port", "0", "--pin-log", "/nowhere/pins"], "/nowhere/pins"),
        (["--port", "0", "--port-file", "/nowhere/port"], "/nowhere/port"),
        (["--port", "0", "--start-angle-rad", "nan"], "--start-angle-rad"),
        (["--port", "0", "--start-angle-rad", "upright"], "--start-angle-rad"),
        (["--port", "0", "--permissions", "all"], "--permissions"),
        (["--port", "0", "--tick-offset-us", "-1"], "--tick-offset-us"),
    ],
)
def test_a_bad_option_is_refused_with_a_reason(options: list[str], message: str) -> None:
    result = run_twin(*options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_refused_with_its_number() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_twin("--port", str(port))
    assert result.returncode == 2
    assert str(port) in result.stderr


def run_twin(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.realtime.twin", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20.0)


def test_a_real_time_priority_is_taken_where_it_is_allowed(start_twin: StartTwin) -> None:
    twin = start_twin("--fifo-priority", "3")
    pid = twin.process.pid
    eventually(lambda: os.sched_getscheduler(pid) == os.SCHED_FIFO) or not may_use_fifo()
    twin.process.terminate()
    assert ("SCHED_FIFO is not allowed" in twin.process.communicate()[1]) != may_use_fifo()


def may_use_fifo() -> bool:
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(3))"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True).returncode == 0


def test_reports_can_be_tampered_with_to_inject_faults() -> None:
    daemon = build(load_robot(), time.monotonic_ns() // 1000)
    dropped: list[bytes] = []

    def drop_first(_: int, data: bytes) -> bytes:
        dropped.append(data)
        return data if len(dropped) > 1 else b""

    server = Server(daemon, listen(0), lambda: time.monotonic_ns() // 1000, drop_first)
    thread = threading.Thread(target=server.serve)
    thread.start()
    stream, raw = RawClient(server.port), RawClient(server.port)
    raw.ask(Command.NB, stream.ask(Command.NOIB), 1 << 25)
    raw.ask(Command.WRITE, 25, 1)
    eventually(lambda: len(dropped) == 1)
    raw.ask(Command.WRITE, 25, 0)
    assert struct.unpack("<HHII", stream.receive(12))[0] == 1
    server.stop()
    thread.join()
    server.close()


def test_a_file_that_is_no_pin_log_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no pins here")
    with pytest.raises(ValueError, match="no pin log"):
        pinlog.read(tmp_path / "notes")
