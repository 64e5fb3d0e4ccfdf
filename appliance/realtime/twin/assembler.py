"""What does a script say? From the text that PROC brings to instructions.

The language is pigpiod's: words separated by white space, numbers as C writes them, p0-p9 for parameters and v0-v149
for variables. Jumps name tags. Commands that the twin doesn't know, SYS and the waves among them, are refused.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from appliance.realtime.twin.protocol import Command, Refusal, signed

PARAMETERS: Final = 10
VARIABLES: Final = 150
_MAX_TAGS: Final = 50


class Op(enum.IntEnum):
    """Instructions that only a script has, numbered as in pigpio.h."""

    ADD = 800
    AND = 801
    CALL = 802
    CMP = 805
    DCR = 806
    DCRA = 807
    DIV = 808
    HALT = 809
    INR = 810
    INRA = 811
    JM = 812
    JMP = 813
    JNZ = 814
    JP = 815
    JZ = 816
    TAG = 817
    LD = 818
    LDA = 819
    MLT = 821
    MOD = 822
    NOP = 823
    OR = 824
    POP = 825
    POPA = 826
    PUSH = 827
    PUSHA = 828
    RET = 829
    RL = 830
    RLA = 831
    RR = 832
    RRA = 833
    STA = 834
    SUB = 835
    WAIT = 838
    X = 839
    XA = 840
    XOR = 841


class Source(enum.Enum):
    """Where an operand's value comes from."""

    NUMBER = enum.auto()
    PARAMETER = enum.auto()
    VARIABLE = enum.auto()


class Operand(NamedTuple):
    """A number, or the index of a register."""

    source: Source
    value: int


class Instruction(NamedTuple):
    """One step; a jump's operand is the index of the instruction to go on with."""

    op: int
    operands: tuple[Operand, ...]


class ScriptError(ValueError):
    """A script that can't be stored; `refusal` is the result for the client."""

    def __init__(self, refusal: Refusal, what: str) -> None:
        super().__init__(what)
        self.refusal = refusal


JUMPS: Final = frozenset({Op.CALL, Op.JM, Op.JMP, Op.JNZ, Op.JP, Op.JZ})
#: What each word takes: n a number or register, r a register, t a tag, m a mode's letter, u a pull's letter.
_SHAPES: Final = (
    dict.fromkeys("BR1 BR2 CGI HWVER NO PIGPV TICK T".split(), "")
    | dict.fromkeys("BC1 BC2 BS1 BS2 CSI EVT GDC GPW MICS MILS MODEG MG NC NP PFG PRG PRRG READ R".split(), "n")
    | dict.fromkeys("EVM FG NB PFS PRS PWM P SERVO S WDOG WRITE W".split(), "nn")
    | dict.fromkeys("FN HP TRIG".split(), "nnn")
    | {"MODES": "nm", "M": "nm", "PUD": "nu"}
    | dict.fromkeys("DCRA HALT INRA NOP POPA PUSHA RET".split(), "")
    | dict.fromkeys("ADD AND CMP DIV LDA MLT MOD OR RLA RRA SUB WAIT XOR".split(), "n")
    | dict.fromkeys("DCR INR POP PUSH STA XA".split(), "r")
    | dict.fromkeys("LD RL RR".split(), "rn")
    | dict.fromkeys("CALL JM JMP JNZ JP JZ TAG".split(), "t")
    | {"X": "rr"}
)
_SHORT: Final = {"T": "TICK", "MG": "MODEG", "R": "READ", "P": "PWM", "S": "SERVO", "W": "WRITE", "M": "MODES"}
_LETTERS: Final = {"m": "RW540123", "u": "ODU"}
_NUMBER: Final = re.compile(r"([-+]?)(0x[0-9a-f]+|[0-9]+)", re.IGNORECASE)
_REGISTER: Final = re.compile(r"([pv])([0-9]+)", re.IGNORECASE)


def assemble(text: str) -> list[Instruction]:
    """Instructions of a script, tags resolved. Raises ScriptError."""
    steps: list[Instruction] = []
    tags: dict[int, int] = {}
    words = iter(text.split())
    for word in words:
        instruction = _instruction(word.upper(), words)
        if instruction.op == Op.TAG:
            _add_tag(tags, instruction.operands[0].value, len(steps))
        else:
            steps.append(instruction)
    return [_resolved(step, tags) for step in steps]


def _instruction(name: str, words: Iterator[str]) -> Instruction:
    shape = _SHAPES.get(name)
    if shape is None:
        raise ScriptError(Refusal.BAD_SCRIPT_CMD, f"{name} is no command of a script here")
    name = _SHORT.get(name, name)
    number = Op[name] if name in Op.__members__ else Command[name]
    return Instruction(number, tuple(_operand(name, kind, next(words, "")) for kind in shape))


def _operand(name: str, kind: str, word: str) -> Operand:
    if kind in _LETTERS and len(word) == 1 and word.upper() in _LETTERS[kind]:
        return Operand(Source.NUMBER, _LETTERS[kind].index(word.upper()))
    register = _REGISTER.fullmatch(word) if kind in "nr" else None
    if register is not None:
        parameter, index = register[1].lower() == "p", int(register[2])
        if index < (PARAMETERS if parameter else VARIABLES):
            return Operand(Source.PARAMETER if parameter else Source.VARIABLE, index)
    number = _NUMBER.fullmatch(word) if kind in "nt" else None
    if number is not None:
        return Operand(Source.NUMBER, signed(int(number[1] + "1") * _c_integer(number[2])))
    raise ScriptError(Refusal.BAD_SCRIPT_CMD, f"{word!r} is no operand for {name}")


def _c_integer(digits: str) -> int:
    """A number as C reads it: 0x hexadecimal, a leading 0 octal. Raises ScriptError."""
    octal = digits.startswith("0") and len(digits) > 1 and digits[1] not in "xX"
    try:
        return int(digits, 8) if octal else int(digits, 0)
    except ValueError as error:
        raise ScriptError(Refusal.BAD_SCRIPT_CMD, f"{digits!r} is no octal number") from error


def _add_tag(tags: dict[int, int], tag: int, step: int) -> None:
    if tag in tags:
        raise ScriptError(Refusal.DUP_TAG, f"tag {tag} stands twice")
    if len(tags) >= _MAX_TAGS:
        raise ScriptError(Refusal.TOO_MANY_TAGS, f"more than {_MAX_TAGS} tags")
    tags[tag] = step


def _resolved(step: Instruction, tags: dict[int, int]) -> Instruction:
    if step.op not in JUMPS:
        return step
    tag = step.operands[0].value
    if tag not in tags:
        raise ScriptError(Refusal.BAD_TAG, f"tag {tag} is nowhere")
    return step._replace(operands=(Operand(Source.NUMBER, tags[tag]),))
