"""What does a limit do when a program meets it? Run inside a cell as its run.py: exceeds every limit, and says what happened.

Standard library only. Prints one JSON list per limit: name, whether it held, and what was seen. `limits.json` beside it
says which limits there should be. `proof` puts both there and reads the answer.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Answer = tuple[bool, str]

_TMP = Path("/tmp")  # noqa: S108 - the cell's own
_SHM = Path("/dev/shm")  # noqa: S108
_BURN_S = 0.4
#: How much more CPU time than allowed is taken for rounding: the kernel accounts in periods of 0.1 s.
_BURN_TOLERANCE_S = 0.15
#: Devices that the kernel gives every network namespace, without any other end.
_ENDS_OF_NOTHING = (
    "lo",
    "tunl0",
    "sit0",
    "gre0",
    "gretap0",
    "erspan0",
    "ip6tnl0",
    "ip6gre0",
    "ip_vti0",
    "ip6_vti0",
    "teql0",
)
#: keyctl, ptrace, io_uring_setup, bpf, shmget, unshare, mount: their numbers on both processors.
_CALLS = {
    "x86_64": {
        "keyctl": 250,
        "ptrace": 101,
        "io_uring_setup": 425,
        "bpf": 321,
        "shmget": 29,
        "unshare": 272,
        "mount": 165,
    },
    "aarch64": {
        "keyctl": 219,
        "ptrace": 117,
        "io_uring_setup": 425,
        "bpf": 280,
        "shmget": 194,
        "unshare": 97,
        "mount": 40,
    },
}


def memory(limits: dict[str, int]) -> Answer:
    """A child takes half as much again as there is."""
    size = limits["memory_bytes"] * 3 // 2
    child = os.fork()
    if not child:
        with contextlib.suppress(MemoryError):
            taken = [b"x" * (4 << 20) for _ in range(size >> 22)]
            os._exit(len(taken) & 0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return killed, f"a program that took {size >> 20} MiB " + ("was killed" if killed else "lived, or only was refused")


def processes(limits: dict[str, int]) -> Answer:
    """Children until there may be no more."""
    children: list[int] = []
    try:
        while len(children) < limits["pids"] + 8:
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    except OSError:
        pass
    count = len(children)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return count < limits["pids"], f"{count} children of at most {limits['pids']} processes could be started"


def cpu_time(limits: dict[str, int]) -> Answer:
    """One more busy process than there are cores."""
    before_s, begun_s = _children_s(), time.monotonic()
    children = []
    for _ in range(limits["cores"] + 1):
        child = os.fork()
        if not child:
            while time.monotonic() - begun_s < _BURN_S:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    used_s, took_s = _children_s() - before_s, time.monotonic() - begun_s
    allowed_s = took_s * limits["cpu_ms_per_s"] / 1000.0 + _BURN_TOLERANCE_S
    return used_s <= allowed_s, f"{used_s:.2f} s of CPU time were to be had in {took_s:.2f} s"


def cores(limits: dict[str, int]) -> Answer:
    """All cores of the machine, please."""
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, range(1024))
    found = os.sched_getaffinity(0)
    return sum(1 << core for core in found) == limits["core_mask"], f"runs on {sorted(found)}"


def network(_limits: dict[str, int]) -> Answer:
    """Devices, and families of sockets."""
    devices = [line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    ways = [device for device in devices if device not in _ENDS_OF_NOTHING]
    open_families = [family.name for family in socket.AddressFamily if family is not socket.AF_UNIX and _opens(family)]
    return not ways and not open_families, f"devices to elsewhere: {ways}; sockets beside AF_UNIX: {open_families}"


def read_only(_limits: dict[str, int]) -> Answer:
    """Everything but /tmp and /dev/shm."""
    writable = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if fields[4].startswith(("/dev", "/proc")) or fields[4] == str(_TMP) or kind in {"devpts", "mqueue"}:
            continue
        if os.access(fields[4], os.W_OK):
            writable.append(fields[4])
    return not writable, f"mounted for writing: {writable}"


def temporary_space(limits: dict[str, int]) -> Answer:
    """Fill /tmp in pieces that are small enough for the limit on one file."""
    return _fill(_TMP, limits["tmp_bytes"])


def shared_memory(limits: dict[str, int]) -> Answer:
    """Fill /dev/shm."""
    return _fill(_SHM, limits["shm_bytes"])


def temporary_files(limits: dict[str, int]) -> Answer:
    """Empty files in /tmp until there may be no more; they stay, as nothing after this needs any."""
    count = 0
    try:
        while count < limits["tmp_files"] + 8:
            os.close(os.open(_TMP / f"n{count}", os.O_CREAT | os.O_WRONLY))
            count += 1
    except OSError:
        pass
    return count < limits["tmp_files"], f"{count} files could be made in {_TMP}"


def file_size(limits: dict[str, int]) -> Answer:
    """One byte beyond the longest file."""
    path = _TMP / "long"
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.pwrite(file, b"x", limits["file_bytes"])
        held, said = False, "a longer file could be written"
    except OSError as error:
        held, said = error.errno == errno.EFBIG, str(error.strerror)
    finally:
        os.close(file)
        path.unlink()
    return held, said


def open_files(limits: dict[str, int]) -> Answer:
    """Descriptors until there may be no more."""
    held: list[int] = []
    with contextlib.suppress(OSError):
        while len(held) <= limits["open_files"]:
            held.append(os.open("/dev/null", os.O_RDONLY))
    for descriptor in held:
        os.close(descriptor)
    return len(held) < limits["open_files"], f"{len(held)} descriptors could be opened"


def locked_memory(limits: dict[str, int]) -> Answer:
    """The limit itself can't be raised."""
    return _rlimit(resource.RLIMIT_MEMLOCK, limits["locked_bytes"])


def core_dumps(_limits: dict[str, int]) -> Answer:
    """None at all."""
    return _rlimit(resource.RLIMIT_CORE, 0)


def user(limits: dict[str, int]) -> Answer:
    """Its own, and no other group."""
    found = {*os.getresuid(), *os.getresgid(), *os.getgroups()}
    return found == {limits["uid"]}, f"users and groups: {sorted(found)}"


def rights(_limits: dict[str, int]) -> Answer:
    """No capability, and none to be had by running something."""
    status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    return not held and status["NoNewPrivs"] == "1", f"capability sets: {held}; no_new_privs: {status['NoNewPrivs']}"


def system_calls(_limits: dict[str, int]) -> Answer:
    """Calls that lead out of a cell, or into old corners of the kernel."""
    libc = ctypes.CDLL(None, use_errno=True)
    answered = []
    for name, number in _CALLS.get(os.uname().machine, {}).items():
        libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 5)
        if ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS}:
            answered.append(name)
    mode = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())["Seccomp"]
    return mode == "2" and not answered, f"mode {mode}; calls that were answered: {answered}"


CHECKS: tuple[Callable[[dict[str, int]], Answer], ...] = (
    user, rights, system_calls, network, read_only, cores, core_dumps, locked_memory, open_files, file_size,
    temporary_space, shared_memory, temporary_files, processes, cpu_time, memory,
)  # fmt: skip


def answers(limits: dict[str, int]) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it held, and what was seen, of each limit."""
    for check in CHECKS:
        try:
            held, seen = check(limits)
        except OSError as error:
            held, seen = False, f"could not be tried: {error}"
        yield check.__name__, held, seen


def _fill(folder: Path, size: int) -> Answer:
    written, number = 0, 0
    piece = bytes(1 << 20)
    try:
        while written < size + (8 << 20):
            (folder / f"fill{number}").write_bytes(piece)
            written, number = written + len(piece), number + 1
    except OSError:
        pass
    for path in folder.glob("fill*"):
        path.unlink()
    return written <= size, f"{written >> 20} MiB could be written in {folder}"


def _rlimit(kind: int, limit: int) -> Answer:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (limit + 1, limit + 1))
    found = resource.getrlimit(kind)
    return max(found) <= limit and -1 not in found, f"limits {found}"


def _opens(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_DGRAM if family != socket.AF_INET else socket.SOCK_STREAM).close()
    except OSError as error:
        return error.errno != errno.EAFNOSUPPORT
    return True


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    for answer in answers(json.loads(Path("limits.json").read_text())):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
