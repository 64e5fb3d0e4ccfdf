"""The real loop's parts around a simulated robot, one tick at a time: no clock, no sleep, no process."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field

from appliance.config import RealtimeSection
from appliance.realtime import messages
from appliance.realtime.encoder import Encoder
from appliance.realtime.estimator import Estimator
from appliance.realtime.faults import EncoderLoss, Stall
from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.messages import Command, CommandKind, DriverRequest, Notice
from appliance.realtime.pilot import Pilot
from appliance.realtime.publisher import Publisher
from appliance.realtime.safety import Safety
from appliance.realtime.telemetry import LiveRecord, StepRecord, TickRecord
from appliance.realtime.tick import Parts, Tick
from gym_raas import wire
from gym_raas.parameters import Robot
from tests.scenarios.simulated_link import SimulatedLink

TICK_US = 1000
LEASE_EVERY_US = 250_000


@dataclass
class Box:
    """A mailbox whose other end is the scenario."""

    incoming: deque[bytes] = field(default_factory=deque)
    outgoing: deque[bytes] = field(default_factory=deque)

    def receive(self) -> bytes | None:
        return self.incoming.popleft() if self.incoming else None

    def send(self, data: bytes) -> bool:
        self.outgoing.append(data)
        return True


@dataclass
class Records:
    """A session's records in memory."""

    steps: list[StepRecord] = field(default_factory=list)
    ticks: list[TickRecord] = field(default_factory=list)

    def append_step(self, record: StepRecord) -> None:
        self.steps.append(record)

    def append_tick(self, record: TickRecord) -> None:
        self.ticks.append(record)

    def close(self) -> None:
        pass


@dataclass
class LiveList:
    """The newest live record."""

    newest: LiveRecord | None = None

    def append(self, record: LiveRecord) -> None:
        self.newest = record


class SteppedLoop:
    """A loop whose time stands still between calls of `tick()`. The lease is renewed by itself until `lease` is False."""

    def __init__(self, robot: Robot, timing: RealtimeSection, link: SimulatedLink) -> None:
        self.robot = robot
        self.link = link
        self.now_us = 0
        self.lease = True
        self.session = 0
        self.guard, self.gateway, self.live = Box(), Box(), LiveList()
        self.records: dict[int, Records] = {}
        self.notices: list[Notice] = []
        self.replies: list[wire.Reply] = []
        self._numbers, self._seqs = itertools.count(1), itertools.count(1)
        self.segments_missing = False
        handling = HANDLINGS[robot.kind]
        estimator = Estimator(robot.encoder.counts_per_turn, handling.kind.home_rad)
        self.estimator = estimator
        self.encoder = Encoder(robot.pins.encoder_a, robot.pins.encoder_b)
        self.pilot = Pilot(robot, handling, timing, estimator, self._open)
        self._tick = Tick(
            Parts(
                link=link,
                guard=self.guard,
                gateway=self.gateway,
                encoder=self.encoder,
                estimator=estimator,
                safety=Safety(robot),
                stall=Stall(handling.balance(robot.model)),
                encoder_loss=EncoderLoss(),
                pilot=self.pilot,
                publisher=Publisher(self.live, 1_000_000 // TICK_US),
                clock_us=lambda: self.now_us,
            )
        )

    def _open(self, session: int) -> Records:
        if self.segments_missing:
            raise FileNotFoundError
        return self.records.setdefault(session, Records())

    def tick(self, late_us: int = 0) -> None:
        """Run the tick that is due now, then let the time of one tick pass."""
        if self.lease and self.session and self.now_us % LEASE_EVERY_US == 0:
            self.command(CommandKind.LEASE)
        self._tick.run(self.now_us, self.now_us + late_us)
        while self.guard.outgoing:
            self.notices.append(messages.unpack_notice(self.guard.outgoing.popleft()))
        while self.gateway.outgoing:
            self.replies.append(wire.parse_reply(messages.unpack_reply(self.gateway.outgoing.popleft()).payload))
        self.now_us += TICK_US

    def run_for(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e6 / TICK_US)):
            self.tick()

    def command(self, kind: CommandKind, value: float = 0.0, session: int | None = None) -> int:
        number = next(self._numbers)
        session = self.session if session is None else session
        self.guard.incoming.append(messages.pack_command(Command(number, kind, session, value)))
        return number

    def arm(self, limit_s: float = 120.0, session: int = 0) -> None:
        self.session = session or self.session + 1
        self.command(CommandKind.ARM, limit_s)

    def request(
        self, kind: wire.Kind, action: float = 0.0, mode: int = 0, driver: int = 1, session: int | None = None
    ) -> int:
        seq = next(self._seqs)
        session = self.session if session is None else session
        self.gateway.incoming.append(messages.pack_request(DriverRequest(session, driver, kind, mode, seq, action)))
        return seq
