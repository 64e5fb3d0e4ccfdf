"""Which steps take a process away from its host? Linux calls that Python 3.11 lacks, and the room built from them.

Called by one single-threaded child only (`confined`). Constants are those of linux/sched.h, mount.h, prctl.h, sockios.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER = 0x0002_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000
_NEW_PID, _NEW_NET = 0x2000_0000, 0x4000_0000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH: Final = 2
_CAPBSET_DROP, _SET_NO_NEW_PRIVS = 24, 38
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_LAST_CAPABILITY: Final = 63

SCRATCH: Final = "/scratch"


@dataclass(frozen=True)
class Limits:
    """What one confined child may take. Sizes in bytes; `processes` counts those of its user."""

    seconds: float
    scratch_bytes: int
    scratch_files: int
    memory_bytes: int = 768 << 20
    processes: int = 32


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(as_user: bool, uid: int) -> None:
    """Leave the host's mounts, processes (for children), IPC, host name and network; `as_user` needs no privilege.

    Raises OSError where the kernel, a container or a unit's settings forbid it.
    """
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    flags = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET | (_NEW_USER if as_user else 0)
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")
    if as_user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {outside_uid} 1")
        Path("/proc/self/gid_map").write_text(f"{uid} {outside_gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        request = fcntl.ioctl(link, _GET_FLAGS, struct.pack("16sh22x", b"lo", 0))
        flags_now = struct.unpack("16sh22x", request)[1]
        fcntl.ioctl(link, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags_now | _UP))


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = [text.encode() if text else None for text in (source, target, kind)]
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def enter_room(uid: int, limits: Limits, show: list[str], files: dict[str, bytes]) -> None:
    """Make a root of its own with nothing but `show` (read-only), `files` and a capped, empty /scratch; go there.

    The old root is unmounted. Everything is in memory and vanishes with the last process or descriptor in it.
    """
    _mount("", "/", "", _REC | _PRIVATE)
    root = "/tmp"  # noqa: S108 - exists everywhere, and only this process sees what is mounted over it
    folders = [os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in show]
    links = {path: os.readlink(path) if os.path.islink(path) else "" for path in show}
    _mount("raas", root, "tmpfs", _NOSUID | _NODEV, "size=4m,nr_inodes=64,mode=0755")
    for path, folder in zip(show, folders, strict=True):
        _show(root, path, links[path], folder)
        os.close(folder)
    for path, content in files.items():
        Path(root + path).write_bytes(content)
        os.chmod(root + path, 0o444)
    os.mkdir(root + SCRATCH)
    size = f"size={limits.scratch_bytes},nr_inodes={limits.scratch_files},mode=0700,uid={uid},gid={uid}"
    _mount("raas", root + SCRATCH, "tmpfs", _NOSUID | _NODEV | _NOEXEC, size)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount")
    os.chdir(SCRATCH)
    _mount("", "/", "", _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def _show(root: str, path: str, link: str, folder: int) -> None:
    if link:
        os.symlink(link, root + path)
        return
    is_device = path.startswith("/dev/")
    if is_device:
        os.makedirs(root + "/dev", exist_ok=True)
        Path(root + path).touch()
    else:
        os.mkdir(root + path)
    _mount(f"/proc/self/fd/{folder}", root + path, "", _BIND | _REC)
    _mount("", root + path, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | (0 if is_device else _NODEV))


def drop_privileges(uid: int, must_switch: bool) -> None:
    """Become `uid` for good if root, and give up every capability and the way to any new one.

    Raises OSError if that user can't be had and `must_switch`: root in a container may lack the right.
    """
    for capability in range(_LAST_CAPABILITY + 1):
        _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError:  # EPERM, or EINVAL for a user that this user namespace doesn't have
            if must_switch:
                raise
    header, none = struct.pack("Ii", 0x2008_0522, 0), bytes(24)  # _LINUX_CAPABILITY_VERSION_3, this process
    _check(_libc.capset(header, none), "capset")
    _check(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def limit(limits: Limits) -> None:
    """Set the resource limits that hold for each process of the child, and for its user."""
    seconds = int(limits.seconds) + 1
    for what, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, limits.scratch_bytes),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE if hasattr(resource, "RLIMIT_MSGQUEUE") else 12, 0),
    ):
        hard = resource.getrlimit(what)[1]
        capped = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (capped, capped))
