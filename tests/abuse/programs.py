"""Strangers' programs, each run as a job for real, and what must hold.

A program tries what it mustn't be able to do with `forbidden(what, attempt)`, which prints `held` or `BROKEN`; what is
allowed but must stay harmless it just does. Names say what is attacked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.jobs import State

_PROBE = """
import ctypes, errno, os, signal, socket, struct, subprocess, sys, time

def forbidden(what, attempt):
    try:
        got = attempt()
    except (OSError, subprocess.SubprocessError, ValueError, MemoryError) as error:
        print("held", what, type(error).__name__, error)
    else:
        print("BROKEN", what, repr(got)[:200])

libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    got = libc.syscall(ctypes.c_long(number), *arguments)
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got

def write(path, content="x"):
    with open(path, "w") as file:
        file.write(content)
"""


@dataclass(frozen=True)
class Program:
    """One attack: its code, how the job must end, and what its output and sentence must hold; `files` stand beside it.

    tries and holds are for people: what it attempts, and which limits are in its way.
    """

    name: str
    tries: str
    holds: str
    code: str
    state: State = State.SUCCEEDED
    prints: tuple[str, ...] = ("end",)
    detail: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def source(self) -> str:
        """The run.py."""
        return _PROBE + self.code


NETWORK = """
def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as s:
        s.settimeout(0.5)
        s.connect(address)
        s.send(b"x")
    return address

forbidden("IPv4", lambda: connect(socket.AF_INET, ("1.1.1.1", 80)))
forbidden("UDP", lambda: connect(socket.AF_INET, ("1.1.1.1", 53), socket.SOCK_DGRAM))
forbidden("the bridge", lambda: connect(socket.AF_INET, ("172.17.0.1", 22)))
forbidden("IPv6", lambda: connect(socket.AF_INET6, ("2606:4700:4700::1111", 80)))
forbidden("names", lambda: socket.getaddrinfo("example.org", 80))
forbidden("the twin", lambda: connect(socket.AF_INET, ("127.0.0.1", int(open("/job/twin_port").read()))))
forbidden("the page", lambda: connect(socket.AF_INET, ("127.0.0.1", int(open("/job/web_port").read()))))
forbidden("raw IP", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
forbidden("vsock", lambda: connect(socket.AF_VSOCK, (2, 22)))
for family in range(2, 46):
    forbidden(f"family {family}", lambda: socket.socket(family, socket.SOCK_RAW))
    forbidden(f"pair of family {family}", lambda: socket.socketpair(family, socket.SOCK_STREAM))
forbidden("an abstract socket of the host's", lambda: connect(socket.AF_UNIX, "\\0/org/freedesktop/systemd1/private"))

def new_link():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.settimeout(0.5)
        # RTM_NEWLINK of a dummy device, acknowledged
        name = struct.pack("HH", 9, 3) + b"evil0\\0\\0\\0"
        kind = struct.pack("HH", 10, 1) + b"dummy\\0\\0\\0"
        body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + name + struct.pack("HH", 4 + len(kind), 18) + kind
        s.send(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body)
        code = struct.unpack_from("i", s.recv(4096), 16)[0]
        if code:
            raise OSError(-code, os.strerror(-code))

forbidden("a new network device", new_link)
# The kernel gives every network namespace unused ends of tunnels.
links = [name for name in os.listdir("/sys/class/net") if name.startswith(("eth", "en", "wl", "veth", "docker", "br"))]
print("BROKEN" if links else "held", "devices", links)
abstract = [line for line in open("/proc/net/unix") if "@" in line]
print("BROKEN" if abstract else "held", "abstract sockets", abstract)
print("end")
"""

FILES = """
seen = sorted(os.listdir("/"))
print("root", seen)
for base, _, names in os.walk("/", followlinks=False):
    if base.startswith(("/proc", "/sys", "/usr")):
        continue
    for name in names:
        if name in ("docker.sock", "containerd.sock", "raas.db", "raas.yaml", "report.json", "latched", "stop.sock", "runner.sock"):
            print("BROKEN found", base, name)
for path in ("/", "/job", "/run", "/run/raas-job", "/etc", "/usr/lib", "/var", "/root", "/home", "/sys/fs/cgroup"):
    forbidden(f"write in {path}", lambda: write(path + "/x"))
for path in ("/job/run.py", "/etc/passwd", "/run/raas-job/robot", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
             "/proc/1/oom_score_adj", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/self/uid_map"):
    forbidden(f"write {path}", lambda: write(path))
for path in ("/etc/shadow", "/proc/kcore", "/dev/mem", "/dev/kmsg", "/proc/1/environ/../../../root/.ssh", "/dev/sda", "/dev/gpiomem", "/dev/vcio"):
    forbidden(f"read {path}", lambda: open(path, "rb").read(1))
for line in open("/proc/self/mountinfo"):  # the host's names of what is mounted lead nowhere
    outside = line.split()[3]
    if "/jobs/" in outside or "/s/" in outside:
        print("BROKEN the host's path" if os.path.exists(outside) else "held the host's path", outside)
forbidden("unlink the socket", lambda: os.unlink("/run/raas-job/robot"))
forbidden("rename the socket", lambda: os.rename("/run/raas-job/robot", "/run/raas-job/x"))
forbidden("link in the socket's folder", lambda: os.symlink("/etc/passwd", "/run/raas-job/link"))
forbidden("hard link of the socket", lambda: os.link("/run/raas-job/robot", "/tmp/robot"))
forbidden("mode of the socket", lambda: os.chmod("/run/raas-job/robot", 0o777))
forbidden("owner of the socket", lambda: os.chown("/run/raas-job/robot", os.getuid(), os.getgid()))
forbidden("extended attribute", lambda: os.setxattr("/job/run.py", "user.x", b"x"))
write("/tmp/tool", "#!/bin/sh\\necho ran")
os.chmod("/tmp/tool", 0o4755)
forbidden("run from /tmp", lambda: subprocess.run(["/tmp/tool"], check=True))
print("end")
"""

RIGHTS = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[key], 16):
        print("BROKEN", key, status[key])
print("held" if status["NoNewPrivs"].strip() == "1" else "BROKEN", "NoNewPrivs")
print("held" if status["Seccomp"].strip() == "2" else "BROKEN", "Seccomp")
print("held" if 0 not in (os.getuid(), os.getgid(), *os.getgroups()) else "BROKEN", "user")
forbidden("uid 0", lambda: os.setuid(0))
forbidden("gid 0", lambda: os.setgid(0))
forbidden("groups", lambda: os.setgroups([0]))
forbidden("chroot", lambda: os.chroot("/tmp"))
forbidden("device node", lambda: os.mknod("/tmp/sda", 0o60600, os.makedev(8, 0)))
forbidden("host name", lambda: socket.sethostname("evil"))
forbidden("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
forbidden("FIFO", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
forbidden("nice", lambda: os.nice(-5))
forbidden("shield from the OOM killer", lambda: write("/proc/self/oom_score_adj", "-500"))
forbidden("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) and call(-1))
flags = 0x10000000
forbidden("user namespace", lambda: call(272 if os.uname().machine == "x86_64" else 97, ctypes.c_ulong(flags)))
if os.uname().machine == "x86_64":
    for name, number, arguments in (
        ("bpf", 321, (0, 0, 0)), ("perf", 298, (0, 0, -1, -1, 0)), ("keyctl", 250, (0, -3, 0)), ("add_key", 248, (0, 0, 0, 0, -3)),
        ("init_module", 175, (0, 0, 0)), ("kexec", 246, (0, 0, 0, 0)), ("userfaultfd", 323, (0,)),
        ("open_by_handle_at", 304, (0, 0, 0)), ("swapon", 167, (0, 0)), ("reboot", 169, (0, 0, 0)), ("setns", 308, (0, 0)),
        ("pivot_root", 155, (0, 0)), ("mount", 165, (0, 0, 0, 0, 0)),
    ):
        def attempt():
            got = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
            code = ctypes.get_errno()
            if got < 0 and code in (errno.EPERM, errno.ENOSYS, errno.EACCES):
                raise OSError(code, os.strerror(code))
            return got, errno.errorcode.get(code)
        forbidden(name, attempt)
for base, _, names in os.walk("/"):
    if base.startswith(("/proc", "/sys")):
        continue
    for name in names:
        found = os.lstat(os.path.join(base, name))
        if found.st_mode & 0o170000 == 0o100000 and found.st_mode & 0o6000:
            print("BROKEN set-uid", base, name)
allowed = os.sched_getaffinity(0)
os.sched_setaffinity(0, range(os.cpu_count()))
print("held" if os.sched_getaffinity(0) == allowed else "BROKEN", "cores", allowed)
outside = [pid for pid in os.listdir("/proc") if pid.isdigit() and b"appliance" in open(f"/proc/{pid}/cmdline", "rb").read()]
print("BROKEN" if outside else "held", "the host's processes", outside)
print("end")
"""

#: Calls that have led out of containers, or into old corners of the kernel, by number; and those of 32 bits.
CORNERS = """
numbers = {
    "x86_64": dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, pidfd_getfd=438, kcmp=312, keyctl=250, add_key=248,
        request_key=249, io_uring_setup=425, userfaultfd=323, memfd_create=319, shmget=29, semget=64, msgget=68, mq_open=240,
        unshare=272, clone3=435, setns=308, splice=275, vmsplice=278, tee=276, fanotify_init=300, inotify_init1=294,
        perf_event_open=298, bpf=321, sync=162, syslog=103, fsopen=430, open_tree=428, move_mount=429, mbind=237, execveat=322,
        seccomp=317, quotactl=179, acct=163, iopl=172, ioperm=173, modify_ldt=154, name_to_handle_at=303, remap_file_pages=216),
    "aarch64": dict(ptrace=117, process_vm_readv=270, process_vm_writev=271, pidfd_getfd=438, kcmp=272, keyctl=219, add_key=217,
        request_key=218, io_uring_setup=425, userfaultfd=282, memfd_create=279, shmget=194, semget=190, msgget=186, mq_open=180,
        unshare=97, clone3=435, setns=268, splice=76, vmsplice=75, tee=77, fanotify_init=262, inotify_init1=26,
        perf_event_open=241, bpf=280, sync=81, syslog=116, fsopen=430, open_tree=428, move_mount=429, mbind=235, execveat=281,
        seccomp=277, quotactl=60, acct=89, name_to_handle_at=264, remap_file_pages=234),
}[os.uname().machine]
for name, number in numbers.items():
    def attempt():
        got = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)
        code = ctypes.get_errno()
        if got == -1 and code in (errno.EPERM, errno.ENOSYS):
            raise OSError(code, os.strerror(code))
        return got, errno.errorcode.get(code)
    ctypes.set_errno(0)
    forbidden(name, attempt)
forbidden("to trace the init", lambda: call(numbers["ptrace"], ctypes.c_long(16), ctypes.c_long(1), ctypes.c_long(0), ctypes.c_long(0)))
forbidden("to read the init's memory", lambda: open("/proc/1/mem", "rb").read(1))
forbidden("pages that can be executed where they were read", lambda: call(135 if "iopl" in numbers else 92, ctypes.c_long(0x0400000)))
if os.uname().machine == "x86_64":
    import mmap
    child = os.fork()
    if not child:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")  # mov eax, 20 (getpid of 32 bits); int 0x80; ret
        got = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        os._exit(0 if got > 0 else 3)
    status = os.waitpid(child, 0)[1]
    print("BROKEN" if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 else "held", "a call of 32 bits", status)
print("end")
"""

#: What is imported ahead, what waits, and how the word comes.
WAITING = """
print("held" if "RAAS_CELL" not in os.environ else "BROKEN", "the variable")
print("held" if "raas_cell" not in sys.modules and sys.argv == ["run.py"] else "BROKEN", "traces of waiting")
print("held" if sys.stdin.read() == "" else "BROKEN", "standard input")
os.set_blocking(0, False)
forbidden("another word to Docker", lambda: os.write(0, b"x"))

def others_input():
    descriptor = os.open("/proc/1/fd/0", os.O_RDONLY | os.O_NONBLOCK)
    got = os.read(descriptor, 100)
    if not got:
        raise OSError("empty")
    return got

forbidden("the init's input", others_input)
# A Python that waits, waits for nobody, and ends with its input.
ended = subprocess.run([sys.executable, "run.py"], env={**os.environ, "RAAS_CELL": "warm"}, stdin=subprocess.DEVNULL)
print("held" if ended.returncode == 1 else "BROKEN", "a Python that waits", ended.returncode)
print("end")
"""

#: Raw bytes at the job's socket, then an ordinary environment that must still drive.
GATEWAY = """
PATH = "/run/raas-job/robot"
GREETING = b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00" + b"NULL".ljust(20, b"\\0") + bytes(32)
READY = b"\\x04\\x1c\\x05READY\\x0bSocket-Type\\x00\\x00\\x00\\x06DEALER"

def attack(*pieces, wait_s=0.0):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(PATH)  # waits while the line of those who want in is full
        s.settimeout(1.0)
        try:
            for piece in pieces:
                s.sendall(piece)
            time.sleep(wait_s)
        except OSError as error:
            return error

for _ in range(1000):
    if os.path.exists(PATH):
        break
    time.sleep(0.01)
attack(os.urandom(5000))
attack(b"GET / HTTP/1.1\\r\\n\\r\\n")
attack(GREETING, b"\\x02" + b"\\xff" * 8, b"x" * 5000)
attack(GREETING, b"\\x06" + (1 << 40).to_bytes(8, "big"))
attack(GREETING, READY, *[b"\\x01\\xff" + b"m" * 255] * 2000)
attack(GREETING, READY, b"\\x02" + (1 << 31).to_bytes(8, "big"), b"x" * 100000)
attack(GREETING, READY, b"\\x04\\x07\\x04PING\\0\\0" * 5000)
attack(GREETING, b"\\x04\\x00")
attack(GREETING, b"\\x04\\x08\\x05READY\\xff\\xff")
attack(GREETING, READY, *[bytes([0, len(m)]) + m for m in (b"", b"RW", b"RW\\x01\\x02", b"RW\\x01\\xff", b"RW\\x02\\x01" + bytes(8), b"RW\\x01\\x12" + bytes(70))])
for number in ("nan", "inf", "-inf", "1e308"):
    m = struct.pack("<2sBBQ", b"RW", 1, 1, 7), struct.pack("<2sBBId", b"RW", 1, 2, 1, float(number))
    attack(GREETING, READY, *[bytes([0, len(x)]) + x for x in m], wait_s=0.02)
held = []
for _ in range(300):  # descriptors of the gateway: half-open connections, and descriptors sent along
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try:
        s.connect(PATH)
        socket.send_fds(s, [b"\\xff"], [0, 1, 2] * 50)
        held.append(s)
    except OSError as error:
        last = error
        s.close()
print("half open", len(held))
for s in held:
    s.close()
import gym, gym_raas
env = gym.make("raaspendulum-v0")
for _ in range(5):
    env.step([1.0])
print("drove")
try:
    gym.make("raaspendulum-v0").step([1.0])
except Exception as error:
    print("held second driver", error)
else:
    print("BROKEN second driver")
for _ in range(5):
    env.step([1.0])
print("end")
"""

FORKS = """
children = []
try:
    while True:
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        children.append(pid)
except OSError as error:
    print("held at", len(children), error)
print("end" if len(children) < 80 else "BROKEN")
"""

FULL = """
def fill(path, most):
    n = 0
    with open(path, "wb") as file:
        while n < most:
            n += file.write(bytes(1 << 20))
            file.flush()
    return n

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
forbidden("/tmp", lambda: fill("/tmp/a", 200 << 20) )
try:
    os.unlink("/tmp/a")
except OSError:
    pass
forbidden("/dev/shm", lambda: fill("/dev/shm/a", 200 << 20))
for name in ("a",):
    os.unlink("/dev/shm/" + name)

def inodes():
    for number in range(100000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT))

forbidden("names in /tmp", inodes)
subprocess.run("rm -rf /tmp/*", shell=True)

def descriptors():
    kept = []
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))

forbidden("descriptors", descriptors)
print("end")
"""

MEMORY = "kept = []\nwhile True:\n    kept.append(bytearray(16 << 20))\n"

ESCAPES = r"""
print("\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b[31mred <script>alert(1)</script>\x9b31m\u202eevil")
sys.stderr.write("[/red] [bold \x1b]8;;http://evil\x07link</pre><img src=x onerror=alert(1)> [/nothing]")
sys.exit(3)
"""

#: Deaf to every signal, in three processes and with zombies, and at the wheel.
STUBBORN = """
import os, signal
import gym, gym_raas
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
if not os.fork():
    os.setsid()
    os.fork()
    while True:
        signal.pause()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
for _ in range(20):  # zombies
    if not os.fork():
        os._exit(0)
env = gym.make("raaspendulum-v0")
print("deaf", flush=True)
k = 0
while True:
    try:
        env.step([1.5 if k // 10 % 2 else -1.5])
    except Exception:
        pass
    k += 1
"""

ORPHANS = """
if not os.fork():
    os.setsid()
    if not os.fork():
        for fd in range(3):
            os.close(fd)
        while True:
            time.sleep(1)
    os._exit(0)
for pid in range(2, 30):
    if pid != os.getpid():
        try:
            os.kill(pid, 9)
        except OSError:
            pass
forbidden("the init", lambda: os.kill(1, 9) or time.sleep(0.2) or (_ for _ in ()).throw(ValueError("it lives")))
print("end")
"""

FLOOD = """
import time
end = time.monotonic() + 1.5
line = b"x" * 65535 + b"\\n"
while time.monotonic() < end:
    os.write(1, line)
print("end")
"""

PROGRAMS = (
    Program(
        "network",
        "IPv4, IPv6, names, the page, the twin, raw packets, netlink, vsock, every family of sockets",
        "no network (a namespace of its own); seccomp: AF_UNIX only",
        NETWORK,
        files={"twin_port": "{twin_port}", "web_port": "{web_port}"},
    ),
    Program(
        "host_files",
        "the host's files and devices, Docker's socket, other jobs' data, /proc and /sys, replacing the robot's socket",
        "read-only root and mounts; nothing of the host but source and socket; noexec; no devices",
        FILES,
    ),
    Program(
        "rights",
        "other users, capabilities, set-uid files, mounts, namespaces, modules, the clock, priorities, other cores",
        "no capabilities; no-new-privileges; its own user; seccomp; cpuset",
        RIGHTS,
    ),
    Program(
        "corners",
        "ptrace of the init, the keyring, io_uring, System V, memfd, splice, bpf, calls of 32 bits",
        "seccomp: a list of what is allowed",
        CORNERS,
    ),
    Program(
        "waiting",
        "what keeps a cell waiting: its input, its variable, files that have the names of its modules",
        "input is /dev/null before run.py begins; nothing of the source is imported before",
        WAITING,
        files={
            f"{name}.py": "print('BROKEN', __file__)"
            for name in ("sitecustomize", "usercustomize", "raas_cell", "site", "os")
        },
    ),
    Program(
        "gateway",
        "garbage, floods and half-open connections at the robot's socket, and a second driver",
        "the gateway: sizes, rates, one driver",
        GATEWAY,
        prints=("drove", "held second driver", "end"),
    ),
    Program("fork_bomb", "processes without end", "limit on processes", FORKS),
    Program(
        "filling_every_place",
        "/tmp, /dev/shm, file names, descriptors",
        "sizes and inodes of both; longest file; open files",
        FULL,
    ),
    Program(
        "memory_bomb",
        "memory without end",
        "limit on memory, without swap",
        MEMORY,
        State.FAILED,
        prints=(),
        detail="memory",
    ),
    Program(
        "terminal_escapes",
        "terminal escapes and HTML in its output",
        "pages escape; terminals get colours only",
        ESCAPES,
        State.FAILED,
        prints=("red",),
        detail="exit code 3",
    ),
    Program("orphans", "processes that outlive it, killing the init", "the cell ends with its init", ORPHANS),
    Program(
        "flood",
        "output without end",
        "no log of Docker's; read at a bounded rate; head and tail are kept",
        FLOOD,
        prints=("left out here",),
    ),
    Program(
        "ignoring_every_signal",
        "running on after its time",
        "motor off at the limit; SIGKILL after the grace",
        STUBBORN,
        State.TIMED_OUT,
        prints=("deaf",),
    ),
)
