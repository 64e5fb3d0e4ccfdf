"""What stands in the unit files: what each must have and why, what each may leave out and why, and how exposed it is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from appliance import units
from appliance.paths import Paths
from image_build import services
from tests.systemd import unit_file

FOLDER = services.SOURCE / "system"
FILES = {path.stem: unit_file.read(path) for path in sorted(FOLDER.glob("*.service"))}
DAEMONS = ("raas-twin", "raas-realtime", "raas-runner", "raas-webui", "raas-federation", "raas-lease")
# Highest exposure that `systemd-analyze security` may find, of ten.
EXPOSURE = {
    "raas-webui": 2.0, "raas-federation": 2.0, "raas-lease": 2.0, "raas-runner": 3.0, "raas-realtime": 3.5, "raas-twin": 2.0, "raas-pins": 2.0,
}  # fmt: skip

# Directive, its value, and what it is for. A unit that lacks one must say "Left out: NAME" and why.
HARDENING = (
    ("NoNewPrivileges", "yes", "a set-uid program gives nothing"),
    ("CapabilityBoundingSet", "", "no part of root's power, also not by mistake"),
    ("ProtectSystem", "strict", "only the folders that are named can be written"),
    ("ProtectHome", "yes", "people's files are nobody's business"),
    ("PrivateTmp", "yes", "no tricks with names in /tmp"),
    ("PrivateDevices", "yes", "no disks, no memory, no GPIO"),
    ("PrivateUsers", "yes", "root in there is nobody out here"),
    ("PrivateNetwork", "yes", "no network"),
    ("ProtectClock", "yes", "time is the machine's"),
    ("ProtectHostname", "yes", "so is its name"),
    ("ProtectKernelLogs", "yes", "kernel addresses stay secret"),
    ("ProtectKernelModules", "yes", "no drivers"),
    ("ProtectKernelTunables", "yes", "/proc/sys and /sys are read-only"),
    ("ProtectControlGroups", "yes", "limits can't be lifted from inside"),
    ("ProtectProc", "invisible", "other users' processes aren't seen"),
    ("ProcSubset", "pid", "nor what the kernel tells about the machine"),
    ("RestrictNamespaces", "yes", "the kernel's way into most of its holes"),
    ("RestrictRealtime", "yes", "nobody but the motor's processes may starve the others"),
    ("RestrictSUIDSGID", "yes", "leaves no door open behind it"),
    ("LockPersonality", "yes", "no old system call semantics"),
    ("MemoryDenyWriteExecute", "yes", "no code that wasn't in a file"),
    ("RemoveIPC", "yes", "nothing is left behind"),
    ("SystemCallArchitectures", "native", "no second system call table"),
    ("UMask", "0027", "files are for owner and group"),
)


@pytest.mark.parametrize("unit", [*DAEMONS, "raas-pins"])
@pytest.mark.parametrize(("key", "value", "_reason"), HARDENING, ids=[key for key, *_ in HARDENING])
def test_a_unit_is_hardened_or_says_why_not(unit: str, key: str, value: str, _reason: str) -> None:
    found = FILES[unit]
    if found.values(key) != [value]:
        assert re.search(rf"Left out: [^.]*\b{key}\b|\b{key}: ", found.comments), (
            f"{unit} has no {key}={value} and doesn't say why"
        )


@pytest.mark.parametrize("unit", DAEMONS)
def test_a_service_keeps_running_and_proves_that_it_works(unit: str) -> None:
    found = FILES[unit]
    assert found.value("Type") == "notify", "systemd must know when it is ready"
    assert found.value("Restart") == "always", "whatever ended it, it is needed"
    assert found.value("StartLimitIntervalSec", "Unit") == "0", "nobody may be there to start it by hand"
    assert found.value("PartOf", "Unit") == "raas.target", "one target stops all"
    assert found.value("User") == unit, "each has its own user"
    assert found.value("TimeoutStopSec"), "a stop ends"
    assert found.value("TasksMax"), "it can't fork without end"
    assert found.value("LimitCORE") == "0", "a crash writes no memory to the card"
    if unit != "raas-federation":
        assert found.value("WatchdogSec"), "a process that hangs is found"


def test_the_motor_is_off_before_after_and_whatever_happens() -> None:
    assert "motor_off" in FILES["raas-realtime"].value("ExecStopPost"), "also after a crash"
    assert "motor_off" in FILES["pigpiod"].value("ExecStopPost"), "pigpiod itself leaves PWM running"
    assert "sysinit.target" in FILES["raas-pins"].words("Before", "Unit"), "before everything else at boot"
    assert FILES["raas-pins"].value("DefaultDependencies", "Unit") == "no", "or it would wait for what it comes before"


def test_the_real_pins_are_for_this_machine_alone() -> None:
    assert "-l -n 127.0.0.1" in FILES["pigpiod"].value("ExecStart")
    for unit in ("pigpiod", "raas-twin", "raas-realtime"):
        assert FILES[unit].values("IPAddressDeny") == ["any"]
        assert FILES[unit].values("IPAddressAllow") == ["localhost"]


def test_the_loop_may_be_punctual() -> None:
    assert int(FILES["raas-realtime"].value("LimitRTPRIO")) >= 90
    assert FILES["raas-realtime"].value("LimitMEMLOCK") == "infinity"
    assert FILES["pigpiod"].value("CPUSchedulingPolicy") == "fifo"
    assert not any(file.value("CPUAffinity") for file in FILES.values()), "a number of cores is known at boot only"


@pytest.mark.parametrize(("cores", "others"), [(1, ""), (2, "0-0"), (3, "0-1"), (4, "0-2"), (16, "0-14")])
def test_all_but_the_loop_stay_off_the_last_core_whatever_number_there_are(
    tmp_path: Path, cores: int, others: str
) -> None:
    counting = tmp_path / "bin/getconf"
    counting.parent.mkdir()
    counting.write_text(f"#!/bin/sh\n[ $1 = _NPROCESSORS_ONLN ] && echo {cores}\n")
    counting.chmod(0o755)
    generator = services.SOURCE / "cores-generator.sh"
    path = f"{counting.parent}:/usr/bin:/bin"
    subprocess.run([generator, tmp_path / "made", "-", "-"], check=True, env={"PATH": path})
    made = {file.parent.name: file.read_text() for file in (tmp_path / "made").glob("*/*.conf")}
    expected = f"[Service]\nCPUAffinity={others}\n"
    beside = {"pigpiod", "docker", "containerd", *DAEMONS} - {"raas-realtime"}
    assert made == ({f"{unit}.service.d": expected for unit in beside} if others else {})


def test_only_the_runner_reaches_docker() -> None:
    for name, file in FILES.items():
        assert ("docker" in file.words("SupplementaryGroups")) == (name == "raas-runner")
        if name in DAEMONS and name != "raas-runner":
            assert "-/run/docker.sock" in file.words("InaccessiblePaths")


def test_one_robot_is_chosen_by_the_configuration() -> None:
    for unit, link in (("raas-twin", "twin"), ("pigpiod", "pigpiod")):
        assert FILES[unit].value("ExecCondition").endswith(f"robot.link {link}")


def test_a_part_that_fails_takes_no_other_along() -> None:
    for file in [*FILES.values(), unit_file.read(FOLDER / "raas.target")]:
        assert not any(file.words(key, "Unit") for key in ("Requires", "BindsTo", "Requisite")), file.name


def test_the_page_may_do_to_units_what_the_code_knows() -> None:
    rules = (services.SOURCE / "polkit.rules").read_text()
    lists = [set(json.loads(found)) for found in re.findall(r"= (\[[^\]]*\]);", rules)]
    assert lists == [set(units.UNITS.values()), set(units.VERBS)]


def test_folders_are_those_of_the_data_folder() -> None:
    paths = Paths.of(Path("/var/lib/raas"))
    text = (services.SOURCE / "tmpfiles.conf").read_text()
    made = {line.split()[1] for line in text.splitlines() if line and not line.startswith("#")}
    wanted = [paths.database, paths.inbox, paths.job("x").parent, paths.estop_latch.parent, paths.runtime, paths.shm]
    assert {str(path) for path in wanted} <= made
    assert str(paths.control("stop").parent) in made


def _installed(tmp_path: Path) -> Path:
    """The files in a tree that has just what they name."""
    services.install(tmp_path, enable=True)
    for program in ("usr/lib/raas/bin/python", "usr/bin/pigpiod"):
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    return tmp_path


def test_systemd_itself_has_nothing_to_say_against_them(tmp_path: Path) -> None:
    names = [path.name for path in FOLDER.glob("raas*")] + ["pigpiod.service"]
    root = _installed(tmp_path)
    for source in ("sysinit", "basic", "multi-user", "network", "network-online", "shutdown"):
        (root / services.UNITS / f"{source}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    (root / services.UNITS / "docker.service").write_text("[Service]\nExecStart=/usr/bin/pigpiod\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={root}", *names], capture_output=True, text=True
    )
    said = [line for line in done.stderr.splitlines() if "raas" in line or "pigpiod" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.parametrize("unit", EXPOSURE)
def test_a_unit_is_little_exposed(unit: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(FOLDER / f"{unit}.service")]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"exposure level for .*: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= EXPOSURE[unit], said
