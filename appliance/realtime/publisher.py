"""Who learns what the loop does, and how often? The live ring at 100 Hz, the session's trace every tick."""

from __future__ import annotations

from typing import Protocol

from appliance.realtime.pilot import Pilot, Seen
from appliance.realtime.safety import Drive
from appliance.realtime.session import Session
from appliance.realtime.telemetry import LIVE_RATE_HZ, LiveRecord, TickRecord

_LARGEST_U32 = 0xFFFFFFFF


class Ring(Protocol):
    """Where live records go: `telemetry.LiveRing`."""

    def append(self, record: LiveRecord) -> None:
        """Publish a record."""


class Publisher:
    """Counts ticks and what they cost, and writes the records."""

    def __init__(self, ring: Ring, rate_hz: int) -> None:
        self._ring = ring
        self._period_us = 1_000_000 / rate_hz
        self._every = max(1, rate_hz // LIVE_RATE_HZ)
        self._ticks = self._missed_ticks = self._worst_us = 0
        self._rate_hz = 0.0
        self._rate_ticks = 0
        self._rate_since_us: int | None = None
        self._last_due_us = 0
        self._session: Session | None = None

    def publish(self, pilot: Pilot, seen: Seen, drive: Drive, end_us: int) -> None:
        """Record the tick that has done its work at `end_us`."""
        work_us = min(max(0, end_us - seen.now_us), _LARGEST_U32)
        session = pilot.session
        self._count(seen)
        if session is self._session:  # arming maps and locks a whole segment, while the motor is off
            self._worst_us = max(self._worst_us, work_us)
        self._session = session
        if pilot.records is not None and session is not None and session.started_us is not None:
            late_us = min(max(0, seen.now_us - seen.due_us), _LARGEST_U32)
            pilot.records.append_tick(
                TickRecord(
                    session.elapsed_us(seen.now_us), seen.motion.counts, seen.motion.velocity_rad_s,
                    drive.command or 0.0, drive.flags, late_us, work_us,
                )
            )  # fmt: skip
        if self._ticks % self._every == 0:
            self._ring.append(self._live(pilot, seen, drive, work_us))

    def _count(self, seen: Seen) -> None:
        self._ticks += 1
        if self._last_due_us:
            self._missed_ticks += round((seen.due_us - self._last_due_us) / self._period_us) - 1
        self._last_due_us = seen.due_us
        if self._rate_since_us is None:
            self._rate_since_us = seen.now_us
            return
        self._rate_ticks += 1
        passed_us = seen.now_us - self._rate_since_us
        if passed_us >= 1_000_000:
            self._rate_hz = 1e6 * self._rate_ticks / passed_us
            self._rate_ticks, self._rate_since_us = 0, seen.now_us

    def _live(self, pilot: Pilot, seen: Seen, drive: Drive, work_us: int) -> LiveRecord:
        session, steering, motion = pilot.session, pilot.steering, seen.motion
        return LiveRecord(
            t_ns=seen.now_us * 1000,
            state=pilot.state,
            fault=pilot.fault,
            session=0 if session is None else session.number,
            session_t_us=0 if session is None else session.elapsed_us(seen.now_us),
            time_left_us=0 if session is None else session.left_us(seen.now_us),
            counts=motion.counts,
            angle_rad=motion.angle_rad,
            velocity_rad_s=motion.velocity_rad_s,
            action=drive.action,
            command=drive.command or 0.0,
            k=0 if steering is None else steering.k,
            steps=0 if steering is None else steering.steps,
            missed=0 if steering is None else steering.missed,
            flags=drive.flags,
            rate_hz=self._rate_hz,
            ticks=self._ticks,
            missed_ticks=self._missed_ticks,
            tick_us=work_us,
            worst_tick_us=self._worst_us,
        )
