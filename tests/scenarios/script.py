"""Plain-text scenarios: a time line of commands, faults and expectations, run against a stepped loop.

    title: what this shows, as a sentence
    config: {job_silence_s: 2.0}          keys of `realtime` in raas.yaml
    start_deg: 180                        where the arm is at the start

    0.000  guard arm 120                  arm, start, disarm, settle SECONDS, stop, resume, retire; [session=N]
    0.010  job action 2                   action U, read, reset off, reset settle; [driver=N] [session=N]
    0.020  robot jam                      jam, free, rubs FACTOR, cable off, cable on, wires swapped, noise N, lose reports
    0.030  link lost                      lost, back, slow, quick
    0.040  loop pauses 0.2                ticks are missed for so long
    0.050  runner dies                    no more leases
    0.060  expect state=running command=480 ...
    0.070  reply k=1 missed=0 ...         the next answer to the job; `refused=pending` for a refusal
    0.080  no reply
    0.090  notice ended code=deadline     the next notice to the guard
    0.100  steps k=1,2,4 missed=0,0,1     all records of the present or last session

Times are seconds; what stands at a time happens before its tick, expectations are judged after it. `=` is equality (numbers
within a millionth), `~` within 5 % or 0.05, `<` and `>` are what they say.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import yaml

from appliance.config import RealtimeSection
from appliance.realtime.messages import CommandKind, Ending, NoticeKind, Refusal
from appliance.realtime.telemetry import Fault, RobotState
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

JUDGED = {"expect", "reply", "no", "notice", "steps"}
_CHECK = re.compile(r"(\w+)([=~<>])(.+)")


@dataclass
class Line:
    number: int
    at_us: int
    verb: str
    words: list[str]


@dataclass
class Scenario:
    """A scenario file, parsed."""

    title: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    start_deg: float = 180.0
    lines: list[Line] = field(default_factory=list)


def parse(text: str) -> Scenario:
    scenario = Scenario()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].strip()
        if not line:
            continue
        head, _, rest = line.partition(" ")
        if head.endswith(":"):
            setattr(scenario, head[:-1], yaml.safe_load(rest))
            continue
        verb, *words = rest.split()
        scenario.lines.append(Line(number, round(float(head) * 1e6), verb, words))
    assert scenario.title, "a scenario needs a title"
    assert any(line.verb in JUDGED for line in scenario.lines), "a scenario needs an expectation"
    return scenario


def run(path: Path) -> None:
    """Run a scenario file; an assertion names its line."""
    scenario = parse(path.read_text())
    robot = load_robot()
    link = SimulatedLink(robot, State(math.radians(scenario.start_deg), 0.0))
    loop = SteppedLoop(robot, msgspec.convert(scenario.config, RealtimeSection), link)
    loop.tick()
    loop.notices.clear()  # READY
    Stage(loop).play(scenario.lines)


class Stage:
    """Plays lines."""

    def __init__(self, loop: SteppedLoop) -> None:
        self.loop = loop
        self.zero_us = loop.now_us
        self.missed_us = 0

    def play(self, lines: list[Line]) -> None:
        for at_us in sorted({line.at_us for line in lines}):
            now = [line for line in lines if line.at_us == at_us]
            while self.loop.now_us - self.zero_us < at_us:
                self.loop.tick()
            for line in now:
                if line.verb not in JUDGED:
                    self._do(line)
            self.loop.tick()
            for line in now:
                if line.verb in JUDGED:
                    self._judge(line)

    def _do(self, line: Line) -> None:
        words = [word for word in line.words if "=" not in word]
        options = {key: int(value) for key, value in (word.split("=") for word in line.words if "=" in word)}
        getattr(self, f"_{line.verb}")(*words, **options)

    def _guard(self, what: str, value: str = "0", session: int | None = None) -> None:
        if what == "arm":
            self.loop.arm(float(value), session or 0)
        else:
            self.loop.command(CommandKind[what.upper()], float(value), session)

    def _job(self, what: str, value: str = "", driver: int = 1, session: int | None = None) -> None:
        kind = wire.Kind[what.upper()]
        action = float(value) if kind is wire.Kind.ACTION else 0.0
        mode = wire.ResetMode.SETTLE if value == "settle" else wire.ResetMode.MOTOR_OFF
        self.loop.request(kind, action, mode, driver, session)

    def _robot(self, *words: str) -> None:
        link = self.loop.link
        match words:
            case ("jam",) | ("free",):
                link.jammed = words == ("jam",)
            case ("cable", state):
                link.deaf = state == "off"
            case ("rubs", factor):
                link.rub(float(factor), self.loop.now_us)
            case ("wires", "swapped"):
                link.backwards = True
            case ("noise", count):
                link.make_noise(int(count))
            case ("lose", "reports"):
                link.lose_reports()
            case ("spins", speed):
                link.arm.state = State(link.arm.state.angle_rad, float(speed))
            case _:
                raise AssertionError(f"the robot can't {words}")

    def _link(self, state: str) -> None:
        link = self.loop.link
        link.up = {"lost": False, "back": True}.get(state, link.up)
        link.slow = {"slow": True, "quick": False}.get(state, link.slow)

    def _loop(self, _pauses: str, seconds: str) -> None:
        self.loop.now_us += round(float(seconds) * 1e6)

    def _segment(self, state: str) -> None:
        self.loop.segments_missing = state == "missing"

    def _runner(self, _dies: str) -> None:
        self.loop.lease = False

    def _judge(self, line: Line) -> None:
        where = f"line {line.number}: {line.verb} {' '.join(line.words)}"
        if line.verb == "no":
            assert not self.loop.replies, f"{where}: {self.loop.replies}"
            return
        if line.verb == "steps":
            self._judge_steps(line, where)
            return
        seen = getattr(self, f"_seen_{line.verb}")(line, where)
        for word in line.words:
            check = _CHECK.fullmatch(word)
            if check is None:
                continue
            key, sign, wanted = check.groups()
            assert key in seen, f"{where}: there is no {key!r} among {sorted(seen)}"
            assert _holds(seen[key], sign, wanted), f"{where}: {key} is {seen[key]}; all: {seen}"

    def _seen_expect(self, line: Line, where: str) -> dict[str, Any]:
        pilot, link = self.loop.pilot, self.loop.link
        steering = pilot.steering
        return {
            "state": RobotState(pilot.state).name.lower(),
            "fault": Fault(pilot.fault).name.lower(),
            "session": 0 if pilot.session is None else pilot.session.number,
            "command": "off" if link.command is None else link.command,
            "silences": 0 if steering is None else steering.silences,
            "steps": 0 if steering is None else steering.steps,
            "missed": 0 if steering is None else steering.missed,
            "angle_deg": link.angle_deg,
            "speed": abs(link.arm.state.velocity_rad_s),
            "elapsed_s": 0.0 if pilot.session is None else pilot.session.elapsed_us(self.loop.now_us) * 1e-6,
        }

    def _seen_reply(self, line: Line, where: str) -> dict[str, Any]:
        assert self.loop.replies, f"{where}: nothing was answered"
        reply = self.loop.replies.pop(0)
        if isinstance(reply, wire.Refused):
            return {"refused": reply.code.name.lower()}
        assert isinstance(reply, wire.Sample)
        seen = {name: getattr(reply, name) for name in wire.Sample.__slots__}
        return {**seen, "flags": "+".join(flag.name or "" for flag in wire.Flag(reply.flags)).lower() or "none"}

    def _seen_notice(self, line: Line, where: str) -> dict[str, Any]:
        assert self.loop.notices, f"{where}: no notice"
        notice = self.loop.notices.pop(0)
        kind = NoticeKind(notice.kind)
        assert kind.name.lower() == line.words[0], f"{where}: {notice}"
        codes = {NoticeKind.ENDED: Ending, NoticeKind.FAULT: Fault, NoticeKind.REFUSED: Refusal}
        code = codes[kind](notice.code).name.lower() if kind in codes else notice.code
        seen = {"code": code, "session": notice.session, "counts": notice.counts, "value": notice.value}
        seen |= {"test_s": notice.test_s, "friction": notice.friction_rad_s2}
        return seen | ({"fault": Fault(notice.counts).name.lower()} if code == "self_test" else {})

    def _judge_steps(self, line: Line, where: str) -> None:
        records = self.loop.records[max(self.loop.records)].steps
        for word in line.words:
            key, _, wanted = word.partition("=")
            found = ",".join(f"{getattr(record, key):g}" for record in records)
            assert found == wanted, f"{where}: {key} is {found}"


def _holds(value: Any, sign: str, wanted: str) -> bool:
    if isinstance(value, str):
        assert sign == "=", f"{value!r} can only be compared with ="
        return value == wanted
    number = float(wanted)
    match sign:
        case "=":
            return math.isclose(value, number, rel_tol=1e-6, abs_tol=1e-6)
        case "~":
            return math.isclose(value, number, rel_tol=0.05, abs_tol=0.05)
        case "<":
            return bool(value < number)
        case _:
            return bool(value > number)
