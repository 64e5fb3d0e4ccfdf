"""How does a confined child start, work and answer? The child's side of `isolation`; standard library only.

Three processes, each killed when its parent goes:

    launcher    ours; makes the room, hands its scratch folder to the appliance, waits
    worker      does the task without any privilege: runs git or unpacks, and may be taken over by what it reads
    way out     only for tasks that need one server: `egress`, outside the room, lets through one address

One socket pair (SEQPACKET: one JSON object a packet) carries the order in, with the task's standard input, and answers
out. What the worker says is hostile: the appliance reads text from it and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from appliance.errors import BadSource
from appliance.intake import egress, namespaces
from appliance.lifeline import die_with_parent

Order = dict[str, Any]
PACKET_BYTES: Final = 65536
_FULL: Final = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})


class Teller:
    """The worker's way to say how far it is."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def stage(self, name: str) -> None:
        """Say what begins now: the last stage explains a sudden death."""
        self.say(stage=name)

    def say(self, **words: object) -> None:
        """Send one packet."""
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more: we are about to be killed
            self._channel.send(json.dumps(words).encode()[:PACKET_BYTES])


Task = Callable[[Order, Teller], dict[str, Any]]


def serve(task: Task) -> NoReturn:
    """Be the launcher: `argv` holds the number of the channel's descriptor and the parent's process id."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    if not die_with_parent(int(sys.argv[2])):
        sys.exit("The parent is gone.")
    order = _order(channel)
    limits = namespaces.Limits(**order.pop("limits"))
    handover = _start_way_out(order, channel)
    try:
        _enter(order, limits)
    except OSError as error:
        Teller(channel).say(cannot=str(error))
        sys.exit(0)
    if handover is not None:
        order["proxy"] = _hand_over_listener(handover)
    scratch = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    socket.send_fds(channel, [b'{"scratch": true}'], [scratch])
    os.close(scratch)
    sys.exit(_wait_for(_fork(lambda: _work(task, order, limits, channel), order), channel))


def _order(channel: socket.socket) -> Order:
    """Wait for it; what comes along is the task's standard input. Nobody is left to give one: end."""
    packet, descriptors, _, _ = socket.recv_fds(channel, PACKET_BYTES, 1)
    if not packet:
        sys.exit(0)
    for descriptor in descriptors:
        os.dup2(descriptor, 0)
        os.close(descriptor)
    order: Order = json.loads(packet)
    return order


def _fork(body: Callable[[], None], order: Order) -> int:
    """Start a process that gives up its rights, dies with this one, and ends after `body`."""
    alive, held = os.pipe()
    pid = os.fork()
    if pid:
        os.close(alive)
        return pid  # `held` stays open in this process for its whole life
    os.close(held)
    code = 1
    try:
        namespaces.drop_privileges(order["uid"], must_switch=order["level"] == "root")
        die_with_parent(os.getppid())  # after the change of user, which would have forgotten it
        if select.select([alive], [], [], 0)[0]:
            os._exit(1)  # the parent died before; its number can't tell, which is 0 in a namespace of our own
        body()
        code = 0
    except BaseException:  # noqa: BLE001 - the edge of this process: the traceback goes to the appliance's log
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _start_way_out(order: Order, channel: socket.socket) -> socket.socket | None:
    wanted = order.pop("egress", None)
    if wanted is None:
        return None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    say = Teller(channel).say
    _fork(lambda: egress.serve(egress.Wanted(**wanted), theirs, say), order)
    theirs.close()
    if not ours.recv(16):  # it has told the appliance why not
        sys.exit(0)
    return ours


def _hand_over_listener(handover: socket.socket) -> int:
    """Open the proxy's port inside the room (or on the host's loopback, without a room); give it to the way out."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener, handover:
        socket.send_fds(handover, [b"listener"], [listener.fileno()])
        return int(listener.getsockname()[1])


def _enter(order: Order, limits: namespaces.Limits) -> None:
    level, folder = order["level"], order.pop("folder")
    files = {inside: Path(outside).read_bytes() for inside, outside in order.pop("files").items()}
    show = [path for path in order.pop("show") if os.path.lexists(path)]
    if level == "limits":
        os.chdir(folder)
        order["prefix"] = folder
        for inside, content in files.items():
            Path(folder + inside).write_bytes(content)
        return
    namespaces.unshare(level == "user", order["uid"])
    namespaces.enter_room(order["uid"], limits, show, files)
    order["prefix"] = ""


def _work(task: Task, order: Order, limits: namespaces.Limits, channel: socket.socket) -> None:
    teller = Teller(channel)
    namespaces.limit(limits)
    os.umask(0o022)
    try:
        teller.say(answer=task(order, teller))
    except BadSource as refusal:
        teller.say(refused=str(refusal))
    except MemoryError:
        teller.say(out_of="memory")
    except OSError as error:
        if error.errno not in _FULL:
            raise
        teller.say(out_of="space")


def _wait_for(worker: int, channel: socket.socket) -> int:
    status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    if status == -signal.SIGXCPU:
        Teller(channel).say(out_of="time")
    elif status < 0:
        Teller(channel).say(died=signal.Signals(-status).name)
    return abs(status)
