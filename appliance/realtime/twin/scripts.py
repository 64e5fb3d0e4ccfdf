"""Which scripts are stored, and how do they run? pigpiod's 32 script slots, on one thread.

A slot has registers that clients may read (PROCP) and overwrite (PROCU) while it runs; that is what a dead-man rests on.
As in pigpiod a stop takes effect when the instruction under way ends: PROCS and PROCR in the middle of a delay cancel
each other, and the script just goes on. A script never waits for a client, nor the other way round.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from appliance.realtime.twin.assembler import PARAMETERS, Instruction, ScriptError, assemble
from appliance.realtime.twin.machine import Execute, Machine
from appliance.realtime.twin.protocol import Refusal

SLOTS: Final = 32
#: A stored script is ready this much later, as pigpiod's new thread is; before that PROCR answers SCRIPT_NOT_READY.
_INIT_US: Final = 300
#: A delay counts from when it was due, not from when the twin woke up, unless it woke up later than this.
_TOLERATED_US: Final = 1000
#: Instructions in a row; a script that never delays goes on a millisecond later (pigpiod would give it a whole core).
_BURST: Final = 500
_BURST_PAUSE_US: Final = 1000


class Status(enum.IntEnum):
    """What PROCP says."""

    INITING = 0
    HALTED = 1
    RUNNING = 2
    WAITING = 3
    FAILED = 4


class Script:
    """One stored script."""

    def __init__(self, program: list[Instruction], ready_us: int) -> None:
        self.machine = Machine(program)
        self.status = Status.INITING
        self.wanted = False
        self.due_us = ready_us


class Scripts:
    """All slots. `execute` carries out an ordinary command and returns its result."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._slots: dict[int, Script] = {}

    def store(self, now_us: int, text: bytes) -> int:
        """PROC: the slot's number, or a refusal."""
        free = next((number for number in range(SLOTS) if number not in self._slots), None)
        if free is None:
            return Refusal.NO_SCRIPT_ROOM
        try:
            program = assemble(text.split(b"\0")[0].decode("ascii", "replace"))
        except ScriptError as error:
            return error.refusal
        self._slots[free] = Script(program, now_us + _INIT_US)
        return free

    def delete(self, number: int) -> int:
        """PROCD: ends it at once; pigpiod waits for the instruction under way."""
        return Refusal.BAD_SCRIPT_ID if self._slots.pop(number, None) is None else 0

    def run(self, now_us: int, number: int, parameters: Sequence[int]) -> int:
        """PROCR: start from the beginning with these first parameters; a script that runs only gets the parameters."""
        script = self._slots.get(number)
        if script is None:
            return Refusal.BAD_SCRIPT_ID
        if len(parameters) > PARAMETERS:
            return Refusal.TOO_MANY_PARAM
        if script.status is Status.INITING:
            return Refusal.SCRIPT_NOT_READY
        script.machine.set_parameters(parameters)
        script.wanted = True
        if script.status in (Status.HALTED, Status.FAILED):
            script.machine.restart()
            script.status, script.due_us = Status.RUNNING, now_us
        return 0

    def update(self, number: int, parameters: Sequence[int]) -> int:
        """PROCU: overwrite the first parameters."""
        script = self._slots.get(number)
        if script is None:
            return Refusal.BAD_SCRIPT_ID
        if len(parameters) > PARAMETERS:
            return Refusal.TOO_MANY_PARAM
        script.machine.set_parameters(parameters)
        return 0

    def stop(self, now_us: int, number: int) -> int:
        """PROCS: halt at the end of the instruction under way; a waiting script wakes up for that."""
        script = self._slots.get(number)
        if script is None:
            return Refusal.BAD_SCRIPT_ID
        script.wanted = False
        if script.status is Status.WAITING:
            script.status, script.due_us = Status.RUNNING, now_us
        return 0

    def status(self, number: int) -> tuple[int, tuple[int, ...]]:
        """PROCP: (status or refusal, the ten parameters)."""
        script = self._slots.get(number)
        if script is None:
            return Refusal.BAD_SCRIPT_ID, ()
        return script.status, script.machine.parameters

    @property
    def next_us(self) -> int | None:
        """When the next script has something to do."""
        due = [s.due_us for s in self._slots.values() if s.status in (Status.INITING, Status.RUNNING)]
        return min(due, default=None)

    def advance(self, now_us: int) -> None:
        """Run what is due, each script up to its next delay, wait or end."""
        for script in list(self._slots.values()):
            if script.due_us <= now_us:
                if script.status is Status.INITING:
                    script.status = Status.HALTED
                elif script.status is Status.RUNNING:
                    self._go_on(script, now_us)

    def changed(self, now_us: int, bits: int) -> None:
        """Levels of these GPIO changed: wake the scripts that wait for one of them."""
        for script in self._slots.values():
            if script.status is Status.WAITING and (script.machine.waits_for or 0) & bits:
                script.machine.woken_by(bits)
                script.status, script.due_us = Status.RUNNING, now_us

    @property
    def waited_for(self) -> int:
        """Bits of the GPIO that scripts wait for."""
        bits = 0
        for script in self._slots.values():
            if script.status is Status.WAITING:
                bits |= script.machine.waits_for or 0
        return bits

    def _go_on(self, script: Script, now_us: int) -> None:
        from_us = script.due_us if now_us - script.due_us <= _TOLERATED_US else now_us
        machine = script.machine
        for _ in range(_BURST):
            if not script.wanted or machine.ended:
                script.status = Status.FAILED if machine.failed else Status.HALTED
                return
            delay_us = machine.step(self._execute)
            if machine.waits_for is not None:
                script.status = Status.WAITING
                return
            if delay_us:
                script.due_us = from_us + delay_us
                return
        script.due_us = now_us + _BURST_PAUSE_US
