"""Runs inside the machine: looks at the twin's pins, drives them, and asks the guard. Answers with JSON."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from pathlib import Path
from typing import Any

from appliance.errors import RaasError
from appliance.paths import Paths
from appliance.realtime.control import Arm, Disarm, GuardClient, Resume, Status, Stop
from appliance.realtime.pigpiod_protocol import REPLY, SCRIPT_SLOTS, Cmd, request

PATHS = Paths.of(Path("/var/lib/raas"))
PINS = (13, 19)


def ask(*requests: tuple[Cmd, int, int]) -> list[int]:
    with socket.create_connection(("127.0.0.1", 8888), 5.0) as twin:
        results = []
        for command, first, second in requests:
            twin.sendall(request(command, first, second))
            results.append(REPLY.unpack(twin.recv(REPLY.size, socket.MSG_WAITALL))[3])
        return results


def pins() -> list[list[int]]:
    """Level and duty of each pin; a negative duty says that the pin has none."""
    return [ask((Cmd.READ, pin, 0), (Cmd.GDC, pin, 0)) for pin in PINS]


def drive() -> list[list[int]]:
    """Let the motor run with nobody in charge: no dead-man script, full duty."""
    ask(*((command, slot, 0) for slot in range(SCRIPT_SLOTS) for command in (Cmd.PROCS, Cmd.PROCD)))
    ask((Cmd.MODES, PINS[0], 1), (Cmd.PWM, PINS[0], 200))
    return pins()


def guard(right: str, what: str) -> dict[str, Any]:
    session = secrets.token_hex(8)
    requests = {
        "stop": Stop("probe", "a test"), "resume": Resume("probe"), "status": Status(),
        "arm": Arm(session, "a job", 5.0, 61000), }  # fmt: skip
    try:
        with GuardClient(PATHS.control(right)) as client:
            reply = client.ask(requests[what])
            if what == "arm" and reply.ok:
                client.demand(Disarm(session))
                PATHS.segment(int(session, 16)).unlink()
            return {
                "ok": reply.ok,
                "error": reply.error,
                "stopped": reply.stopped,
                "state": reply.state,
                "alive": reply.loop_alive,
            }
    except RaasError as error:
        return {"ok": False, "error": str(error), "refused": isinstance(error.__cause__, PermissionError)}


if __name__ == "__main__":
    call, *rest = sys.argv[1:]
    json.dump({"pins": pins, "drive": drive, "guard": guard}[call](*rest), sys.stdout)
