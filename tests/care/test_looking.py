"""A look at this machine and at made-up ones: what the kernel shows is read as it is, and nothing of it is needed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.care import machine_look, realtime_trial, store_look
from appliance.care.machine_look import Kernel
from appliance.config import WebSection
from appliance.paths import Paths
from appliance.store import Store
from tests.appliance_process import REPOSITORY

TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.17.0.1
        /32 host LOCAL
     |-- 192.168.1.0
        /24 link UNICAST
     |-- 192.168.1.7
        /32 host LOCAL
"""


def pi(folder: Path) -> Kernel:
    """The files of a Raspberry Pi 4 that has seen a weak supply."""
    files = {
        "sys/devices/system/cpu/isolated": "3\n",
        "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor": "ondemand\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "sys/firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\0",
        "sys/class/thermal/thermal_zone0/temp": "61234\n",
        "proc/self/net/route": "Iface\tDestination\tGateway\nwlan0\t00000000\t0101A8C0\n",
        "proc/self/net/fib_trie": TRIE,
        "proc/self/net/if_inet6": "fe800000000000000000000000000001 02 40 20 80 wlan0\n20010db8000000000000000000000007 02 40 00 80 wlan0\n",
        "proc/self/mountinfo": f"1 0 8:1 / / ro - ext4 /dev/a ro\n2 1 8:2 / {folder}/my\\040data rw - f2fs /dev/b rw\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Kernel(folder / "sys", folder / "proc")


def test_a_raspberry_pi_tells_core_governor_supply_and_heat(tmp_path: Path) -> None:
    kernel = pi(tmp_path)
    seen = machine_look.real_time(kernel, 3, "", is_loops_own=False)
    assert (seen.isolated, seen.governor, seen.preempt_rt) == ("3", "ondemand", False)
    supply = machine_look.power(kernel)
    assert (supply.throttled, supply.celsius) == (0x50005, pytest.approx(61.234))
    assert supply.model.startswith("Raspberry Pi 4")


def test_the_data_folders_own_file_system_is_found(tmp_path: Path) -> None:
    data = tmp_path / "my data" / "raas"
    data.mkdir(parents=True)
    assert machine_look.storage(pi(tmp_path), data, 200).kind == "f2fs"
    assert machine_look.storage(pi(tmp_path), tmp_path / "my data", 200).kind == "f2fs"
    assert machine_look.storage(pi(tmp_path), tmp_path, 200).kind == "ext4"


def test_a_machine_that_shows_nothing_gives_unknowns(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path / "no-sys", tmp_path / "no-proc")
    assert machine_look.real_time(kernel, 0, "", is_loops_own=False).isolated is None
    assert machine_look.power(kernel).celsius is None
    assert machine_look.storage(kernel, tmp_path / "not" / "yet", 200).total_mb > 0


def test_its_addresses_and_its_way_out_are_read_without_netlink(tmp_path: Path) -> None:
    seen = machine_look.network(pi(tmp_path), WebSection(address="0.0.0.0"), 1)
    assert seen.addresses == ("192.168.1.7", "2001:db8::7")
    assert seen.has_route


def test_a_page_that_nobody_serves_doesnt_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert machine_look.network(Kernel(), WebSection(), free.getsockname()[1]).answers is None


def test_a_damaged_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path)
    Store(paths.database).close()
    assert store_look.database(paths.database)[0].problem == ""
    damaged = b"SQLite format 3\0" + b"\xff" * 8192
    paths.database.write_bytes(damaged)
    seen, _ = store_look.database(paths.database)
    assert "can't be read" in seen.problem or "damaged" in seen.problem
    assert paths.database.read_bytes() == damaged


@pytest.mark.skipif(os.geteuid() != 0, reason="asks for what only root gets")
def test_a_trial_process_asks_for_the_loops_means_and_gives_them_back() -> None:
    before = os.sched_getscheduler(0)
    said = realtime_trial.report(loop_core=0, priority=5)
    assert said.startswith("real-time: granted core")
    assert os.sched_getscheduler(0) == before


def test_raas_doctor_says_by_its_exit_status_whether_anything_failed(tmp_path: Path) -> None:
    def doctor() -> tuple[int, list[dict[str, str]]]:
        command = [sys.executable, "-m", "appliance.cli", "--data", str(tmp_path), "doctor", "--json"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        return done.returncode, json.loads(done.stdout)["findings"]

    status, rows = doctor()
    assert status == int(any(row["verdict"] == "failed" for row in rows))
    (tmp_path / "raas.yaml").write_text("nme: lab\n")
    status, rows = doctor()
    assert status == 1
    (row,) = [row for row in rows if row["check"] == "configuration"]
    assert "did you mean 'name'" in row["found"]
    assert row["remedy"]
