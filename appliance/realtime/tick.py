"""What happens in one tick? Sample, estimate, limit, actuate, publish: these five, in this order, every millisecond.

Nothing here waits, logs or touches a file; whoever reads the results reads shared memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from appliance.realtime import messages
from appliance.realtime.encoder import Encoder
from appliance.realtime.estimator import Estimator
from appliance.realtime.faults import EncoderLoss, Stall
from appliance.realtime.link import Received, RobotLink
from appliance.realtime.mailbox import Mailbox
from appliance.realtime.messages import Command, DriverRequest, Notice, NoticeKind
from appliance.realtime.pilot import Pilot, Seen
from appliance.realtime.publisher import Publisher
from appliance.realtime.safety import OFF, Drive, Safety
from appliance.realtime.telemetry import Fault


class Sampled(NamedTuple):
    """What came in: from the robot, and at most one datagram each from guard and gateway."""

    due_us: int
    now_us: int
    robot: Received
    command: Command | None
    request: DriverRequest | None


_Message = TypeVar("_Message")


@dataclass(frozen=True)
class Parts:
    """Everything that a tick works with, wired by the entry point (or by a test)."""

    link: RobotLink
    guard: Mailbox
    gateway: Mailbox
    encoder: Encoder
    estimator: Estimator
    safety: Safety
    stall: Stall
    encoder_loss: EncoderLoss
    pilot: Pilot
    publisher: Publisher
    clock_us: Callable[[], int]


class Tick:
    """The loop's work. Call `run()` once per tick."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._drive = OFF
        self._unsent: bytes | None = messages.pack_notice(Notice(0, NoticeKind.READY, 0, 0, 0, 0.0))

    def run(self, due_us: int, now_us: int) -> None:
        """One tick that was due at `due_us` and began at `now_us` (monotonic)."""
        sampled = self._sample(due_us, now_us)
        seen = self._estimate(sampled)
        drive = self._limit(sampled, seen)
        self._actuate(drive, now_us)
        self._publish(seen, drive)

    def _sample(self, due_us: int, now_us: int) -> Sampled:
        """Edges and replies from the robot, one command, one request."""
        parts = self._parts
        robot = parts.link.receive(now_us)
        command = _unpacked(messages.unpack_command, parts.guard.receive())
        request = _unpacked(messages.unpack_request, parts.gateway.receive())
        return Sampled(due_us, now_us, robot, command, request)

    def _estimate(self, sampled: Sampled) -> Seen:
        """Where the robot is and how it moves."""
        parts, robot = self._parts, sampled.robot
        if not robot.up or robot.lost_reports:
            parts.encoder.forget_levels()
            parts.estimator.forget_edges()
        edges = parts.encoder.decode(robot.reports)
        counts = parts.encoder.counts
        return Seen(sampled.due_us, sampled.now_us, counts, parts.estimator.update(counts, edges, robot.now_tick_us))

    def _limit(self, sampled: Sampled, seen: Seen) -> Drive:
        """What whoever may move the motor wants of it, within the limits."""
        parts = self._parts
        pilot = parts.pilot
        pilot.watch(seen, self._fault(sampled.robot, seen))
        if sampled.command is not None:
            pilot.hear_guard(sampled.command, seen)
        if sampled.request is not None:
            pilot.hear_job(sampled.request, seen)
        wished = pilot.action(seen)
        motion = seen.motion
        return parts.safety.limited(
            wished, motion.velocity_rad_s, motion.angle_rad if parts.estimator.is_zero_known else None
        )

    def _fault(self, robot: Received, seen: Seen) -> Fault:
        """What is broken, if anything. Encoder and stall count only while something may move."""
        parts = self._parts
        lost = parts.encoder_loss.judge(seen.now_us, parts.encoder.illegal, robot.lost_reports)
        stalled = parts.stall.judge(seen.now_us, seen.counts, seen.motion.angle_rad, self._drive.command)
        if robot.fault is not Fault.NONE:
            return robot.fault
        if not parts.pilot.may_move:
            return Fault.NONE
        if lost:
            return Fault.ENCODER_LOST
        return Fault.STALL if stalled else Fault.NONE

    def _actuate(self, drive: Drive, now_us: int) -> None:
        """One send to the robot."""
        self._parts.link.send(now_us, drive.command)
        self._parts.pilot.acted(drive, self._parts.clock_us())
        self._drive = drive

    def _publish(self, seen: Seen, drive: Drive) -> None:
        """Answers to the job and the guard, one datagram each, then the records."""
        parts = self._parts
        replies = parts.pilot.replies()
        if replies:
            parts.gateway.send(messages.pack_reply(replies.popleft()))
        if self._unsent is None and parts.pilot.notices:
            self._unsent = messages.pack_notice(parts.pilot.notices.popleft())
        if self._unsent is not None and parts.guard.send(self._unsent):
            self._unsent = None
        parts.publisher.publish(parts.pilot, seen, drive, parts.clock_us())

    def stop(self, now_us: int) -> None:
        """Motor off: the last thing that a loop does."""
        self._parts.link.send(now_us, None)
        self._parts.link.close()


def _unpacked(unpack: Callable[[bytes], _Message], data: bytes | None) -> _Message | None:
    """The message in a datagram; one of a wrong size is nobody's and ignored."""
    if data is None:
        return None
    try:
        return unpack(data)
    except struct.error:
        return None
