"""What does one instruction of a script do? The registers, flag and stack of pigpiod's script machine, 32 bits wide.

Arithmetic wraps as C's does on every machine in question. F is the flag that jumps look at: the last result. LD, LDA, STA
and moves leave it alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

from appliance.realtime.twin.assembler import PARAMETERS, VARIABLES, Instruction, Op, Operand, Source
from appliance.realtime.twin.protocol import U32, Command, Refusal, signed

#: Carries out a command: (number, p1, p2, extension) -> result.
Execute = Callable[[int, int, int, bytes], int]
_STACK_SIZE: Final = 256
_MAX_MICS: Final = 1_000_000
_MAX_MILS: Final = 60_000


def delay_us(command: int, amount: int) -> int:
    """How long MICS or MILS takes, µs, or a refusal."""
    if command == Command.MICS:
        return amount if amount <= _MAX_MICS else Refusal.BAD_MICS_DELAY
    return amount * 1000 if amount <= _MAX_MILS else Refusal.BAD_MILS_DELAY


_BINARY: Final[dict[int, Callable[[int, int], int]]] = {
    Op.ADD: lambda a, value: a + value,
    Op.SUB: lambda a, value: a - value,
    Op.MLT: lambda a, value: a * value,
    Op.DIV: lambda a, value: int(a / value),
    Op.MOD: lambda a, value: a - value * int(a / value),
    Op.AND: lambda a, value: a & value,
    Op.OR: lambda a, value: a | value,
    Op.XOR: lambda a, value: a ^ value,
    Op.RLA: lambda a, value: a << (value & 31),
    Op.RRA: lambda a, value: a >> (value & 31),
}
_TAKEN: Final[dict[int, Callable[[int], bool]]] = {
    Op.JMP: lambda _: True,
    Op.JZ: lambda flag: flag == 0,
    Op.JNZ: lambda flag: flag != 0,
    Op.JP: lambda flag: flag >= 0,
    Op.JM: lambda flag: flag < 0,
}


class Machine:
    """One script's program and registers."""

    def __init__(self, program: Sequence[Instruction]) -> None:
        self._program = program
        self._parameters = [0] * PARAMETERS
        self._variables = [0] * VARIABLES
        self.restart()

    def restart(self) -> None:
        """Back to the first instruction; registers keep their values, as pigpiod's do."""
        self._at = self._accumulator = self._flag = 0
        self._stack: list[int] = []
        self.waits_for: int | None = None
        self.failed = False
        self._halted = False

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do."""
        return self._halted or self.failed or self._at >= len(self._program)

    @property
    def parameters(self) -> tuple[int, ...]:
        """The ten parameters, signed."""
        return tuple(self._parameters)

    def set_parameters(self, values: Sequence[int]) -> None:
        """Overwrite the first parameters; values are signed words."""
        self._parameters[: len(values)] = values

    def woken_by(self, bits: int) -> None:
        """End a WAIT: the bits that it waited for are its result."""
        self._accumulator = self._flag = signed((self.waits_for or 0) & bits)
        self.waits_for = None

    def step(self, execute: Execute) -> int:
        """Do one instruction; returns for how long the script then sleeps, µs."""
        op, operands = self._program[self._at]
        self._at += 1
        if op < Op.ADD:
            return self._command(execute, op, operands)
        if op in _BINARY:
            self._arithmetic(op, self._value(operands[0]))
        elif op in _TAKEN:
            if _TAKEN[op](self._flag):
                self._at = operands[0].value
        else:
            self._other(Op(op), operands)
        return 0

    def _command(self, execute: Execute, op: int, operands: tuple[Operand, ...]) -> int:
        values = [self._value(operand) & U32 for operand in operands]
        sleep_us = 0
        if op in (Command.MICS, Command.MILS):
            sleep_us = delay_us(op, values[0])
            result = min(sleep_us, 0)
        else:
            extension = struct.pack("<I", values[2]) if len(values) > 2 else b""
            first, second, *_ = (*values, 0, 0)
            result = signed(execute(op, first, second, extension))
        self._accumulator = self._flag = result
        return max(sleep_us, 0)

    def _arithmetic(self, op: int, value: int) -> None:
        if op in (Op.DIV, Op.MOD) and value == 0:
            self.failed = True  # pigpiod itself would die of it
            return
        self._accumulator = self._flag = signed(_BINARY[op](self._accumulator, value))

    def _other(self, op: Op, operands: tuple[Operand, ...]) -> None:
        match op:
            case Op.INR | Op.DCR:
                self._flag = self._set(operands[0], self._value(operands[0]) + (1 if op is Op.INR else -1))
            case Op.INRA | Op.DCRA:
                self._accumulator = self._flag = signed(self._accumulator + (1 if op is Op.INRA else -1))
            case Op.CMP:
                self._flag = signed(self._accumulator - self._value(operands[0]))
            case Op.LD:
                self._set(operands[0], self._value(operands[1]))
            case Op.LDA:
                self._accumulator = self._value(operands[0])
            case Op.STA:
                self._set(operands[0], self._accumulator)
            case Op.X:
                first, second = self._value(operands[0]), self._value(operands[1])
                self._set(operands[0], second)
                self._set(operands[1], first)
            case Op.XA:
                held, self._accumulator = self._accumulator, self._value(operands[0])
                self._set(operands[0], held)
            case Op.RL | Op.RR:
                value, by = self._value(operands[0]), self._value(operands[1]) & 31
                self._flag = self._set(operands[0], value << by if op is Op.RL else value >> by)
            case Op.HALT:
                self._halted = True
            case Op.WAIT:
                self.waits_for = self._value(operands[0]) & U32
            case _:
                self._stack_operation(op, operands)

    def _stack_operation(self, op: Op, operands: tuple[Operand, ...]) -> None:
        match op:
            case Op.CALL:
                self._push(self._at)
                self._at = operands[0].value
            case Op.RET:
                self._at = self._pop()
            case Op.PUSH:
                self._push(self._value(operands[0]))
            case Op.POP:
                self._set(operands[0], self._pop())
            case Op.PUSHA:
                self._push(self._accumulator)
            case Op.POPA:
                self._accumulator = self._pop()

    def _push(self, value: int) -> None:
        if len(self._stack) >= _STACK_SIZE:
            self.failed = True
        else:
            self._stack.append(value)

    def _pop(self) -> int:
        if not self._stack:
            self.failed = True
            return 0
        return self._stack.pop()

    def _value(self, operand: Operand) -> int:
        source, value = operand
        if source is Source.NUMBER:
            return value
        return self._parameters[value] if source is Source.PARAMETER else self._variables[value]

    def _set(self, operand: Operand, value: int) -> int:
        registers = self._parameters if operand.source is Source.PARAMETER else self._variables
        registers[operand.value] = signed(value)
        return registers[operand.value]
