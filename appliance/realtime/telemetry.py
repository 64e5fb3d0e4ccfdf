"""How does the loop publish what it does? Fixed-layout records in shared memory, written without a system call.

Two kinds of file under the appliance's `shm` folder:

* the *live ring*: `LIVE_SLOTS` records at 100 Hz that everybody on the host may read (web UI, health);
* one *segment* per session: all its steps and a trace of every tick, big enough for the whole time limit. It is made
  by the guard (all pages allocated before the motor may move), filled by the loop, and drained by the runner alone.
  It outlives both writer and reader, so results survive a killed loop or runner.

Every record carries its sequence number (counted from 1) and a CRC-32 of all its other bytes, so a reader drops
a torn one; there is no lock that a dead process could hold.
"""

from __future__ import annotations

import enum
import errno
import mmap
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

LIVE_MAGIC: Final = b"RAASLIV1"
SEGMENT_MAGIC: Final = b"RAASSEG1"
HEADER_BYTES: Final = 4096
LIVE_SLOTS: Final = 1024
LIVE_RATE_HZ: Final = 100


class RobotState(enum.IntEnum):
    """What the motor loop is doing."""

    DISARMED = 0  # idle, motor off
    SETTLING = 1  # braking the pendulum to rest
    ARMED = 2  # a session exists, run.py hasn't started
    RUNNING = 3  # a job may drive
    FAULT = 4  # broken hardware, latched until resumed
    STOPPED = 5  # emergency stop, latched until resumed


class Fault(enum.IntEnum):
    """Why the state is FAULT. `gym_raas.wire.Refusal.FAULT` goes to the job, a sentence to people."""

    NONE = 0
    LINK_LOST = 1  # pigpiod (or the twin) doesn't answer
    LINK_SLOW = 2
    ENCODER_LOST = 3  # notifications lost or illegal transitions
    STALL = 4
    DIRECTION = 5
    NEVER_SETTLES = 6
    FRICTION = 7  # self-test: the arm runs harder or easier than it did when its model was fitted
    OUT_OF_SERVICE = 8  # too many self-tests in a row have failed


class LiveRecord(NamedTuple):
    """The newest truth about the robot, 100 times a second.

    t_ns: CLOCK_MONOTONIC. session: 0 if none. session_t_us: time since run.py started. time_left_us: of the session.
    command: applied signed PWM command. k: boundary index. rate_hz: ticks per second over the last second.
    missed_ticks, worst_tick_us: since the loop started; tick_us: work of the last tick.
    """

    t_ns: int
    state: int
    fault: int
    session: int
    session_t_us: int
    time_left_us: int
    counts: int
    angle_rad: float
    velocity_rad_s: float
    action: float
    command: float
    k: int
    steps: int
    missed: int
    flags: int
    rate_hz: float
    ticks: int
    missed_ticks: int
    tick_us: int
    worst_tick_us: int


class StepRecord(NamedTuple):
    """One step of a job, as the loop saw it; times are µs since the session's start (run.py's start).

    k: boundary index on the grid. received_us: action arrived in the loop. acted_us: first tick of duty. sample_us: the
    boundary's sample. counts, angle, velocity: at the boundary, after the step. action: as sent (finite). command:
    applied signed PWM command at the first tick. cost: task cost from the state before the step. missed: boundaries passed unused
    directly before this one. flags: gym_raas.wire.Flag.
    """

    k: int
    received_us: int
    acted_us: int
    sample_us: int
    counts: int
    angle_rad: float
    velocity_rad_s: float
    action: float
    command: float
    cost: float
    missed: int
    flags: int


class TickRecord(NamedTuple):
    """One tick of the loop during a session; late_us: wake-up after its deadline; work_us: time spent in the tick."""

    t_us: int
    counts: int
    velocity_rad_s: float
    command: float
    flags: int
    late_us: int
    work_us: int


Record = TypeVar("Record", bound=LiveRecord | StepRecord | TickRecord)


class Layout(Generic[Record]):
    """Bytes of one kind of record: seq (u64), crc (u32), then the fields."""

    def __init__(self, record: type[Record], fields: str) -> None:
        self.record = record
        self.packer = struct.Struct("<QI" + fields)
        self.size = self.packer.size

    def pack_into(self, buffer: mmap.mmap | bytearray, offset: int, seq: int, record: Record) -> None:
        """Write one record. The crc is packed last into the same bytes, so a torn record doesn't verify."""
        data = bytearray(self.packer.pack(seq, 0, *record))
        data[8:12] = zlib.crc32(data).to_bytes(4, "little")
        buffer[offset : offset + self.size] = bytes(data)

    def unpack_from(self, buffer: mmap.mmap | bytes, offset: int) -> tuple[int, Record] | None:
        """(seq, record), or None where nothing was written or the record is torn."""
        data = bytearray(buffer[offset : offset + self.size])
        crc, data[8:12] = int.from_bytes(data[8:12], "little"), b"\0\0\0\0"
        if zlib.crc32(data) != crc or len(data) < self.size:
            return None
        seq, _, *values = self.packer.unpack(data)
        return (seq, self.record(*values)) if seq else None


LIVE: Final = Layout(LiveRecord, "QBBQqqqddddqIIIfQQII")
STEP: Final = Layout(StepRecord, "qqqqqdddfdII")
TICK: Final = Layout(TickRecord, "IiffHII")


def own_folder(folder: Path) -> None:
    """Make a folder for shared memory. Raises PermissionError if another user made it before us.

    /dev/shm is everybody's and our name in it can be guessed. In a folder of his own a stranger could put links in the
    place of our files, and this process would follow them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EPERM, "it belongs to another user, or anybody may write in it. Remove it", folder)


class LiveRing:
    """The live ring; the loop writes, anybody reads."""

    SIZE: Final = HEADER_BYTES + LIVE_SLOTS * LIVE.size

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the ring, or make it anew (writer). Raises FileNotFoundError where no loop has run yet."""
        if create:
            own_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        handle = os.open(path, flags | os.O_NOFOLLOW, 0o644)
        try:
            if create:
                os.fchmod(handle, 0o644)  # anybody reads it, whatever our umask is
                os.ftruncate(handle, self.SIZE)
            access = mmap.ACCESS_WRITE if create else mmap.ACCESS_READ
            self._memory = mmap.mmap(handle, self.SIZE, access=access)
        finally:
            os.close(handle)
        if create:
            self._memory[:] = bytes(self.SIZE)
            self._memory[:8] = LIVE_MAGIC
        self._seq = 0

    def append(self, record: LiveRecord) -> None:
        """Publish a record."""
        self._seq += 1
        LIVE.pack_into(self._memory, HEADER_BYTES + self._seq % LIVE_SLOTS * LIVE.size, self._seq, record)
        self._memory[8:16] = self._seq.to_bytes(8, "little")

    def newest(self) -> tuple[int, LiveRecord] | None:
        """(seq, record) of the newest whole record; None before the first."""
        seq = int.from_bytes(self._memory[8:16], "little")
        for candidate in (seq, seq - 1):
            found = self._slot(candidate)
            if found is not None:
                return found
        return None

    def since(self, seq: int) -> list[tuple[int, LiveRecord]]:
        """Whole records newer than `seq`, oldest first, as far back as the ring holds."""
        last = int.from_bytes(self._memory[8:16], "little")
        first = max(seq + 1, last - LIVE_SLOTS + 2, 1)
        return [found for number in range(first, last + 1) if (found := self._slot(number)) is not None]

    def _slot(self, seq: int) -> tuple[int, LiveRecord] | None:
        found = LIVE.unpack_from(self._memory, HEADER_BYTES + seq % LIVE_SLOTS * LIVE.size)
        return found if found is not None and found[0] == seq else None

    def close(self) -> None:
        """Unmap."""
        self._memory.close()


@dataclass(frozen=True)
class SegmentSize:
    """How many records a session's segment holds."""

    steps: int
    ticks: int

    @classmethod
    def for_limit(cls, limit_s: float, rate_hz: int, dt_s: float) -> SegmentSize:
        """Enough for the time limit and the grace around it."""
        return cls(int((limit_s + 5.0) / dt_s) + 2, int((limit_s + 5.0) * rate_hz) + 2)

    @property
    def bytes(self) -> int:
        """Size of the file."""
        return HEADER_BYTES + self.steps * STEP.size + self.ticks * TICK.size


_SEGMENT_HEADER = struct.Struct("<8sIIQ")


class Segment:
    """Steps and trace of one session in shared memory."""

    def __init__(self, path: Path, *, writable: bool) -> None:
        """Open an existing segment. Raises FileNotFoundError, ValueError (not a segment)."""
        handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        try:
            size = os.fstat(handle).st_size
            self._memory = mmap.mmap(handle, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        finally:
            os.close(handle)
        magic, steps, ticks, self.session = _SEGMENT_HEADER.unpack_from(self._memory)
        self.size = SegmentSize(steps, ticks)
        if magic != SEGMENT_MAGIC or self.size.bytes != size:
            raise ValueError(f"{path} is not a session's segment")
        self._step_seq = self._tick_seq = 0

    @staticmethod
    def create(path: Path, session: int, size: SegmentSize, mode: int = 0o640) -> None:
        """Make a segment with all its pages allocated; an existing one of that name is an error (FileExistsError)."""
        own_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        try:
            os.write(handle, _SEGMENT_HEADER.pack(SEGMENT_MAGIC, size.steps, size.ticks, session))
            os.posix_fallocate(handle, 0, size.bytes)
        finally:
            os.close(handle)

    def append_step(self, record: StepRecord) -> None:
        """Record a step; beyond the capacity it is dropped (the time limit ends the session first)."""
        if self._step_seq < self.size.steps:
            offset = HEADER_BYTES + self._step_seq * STEP.size
            self._step_seq += 1
            STEP.pack_into(self._memory, offset, self._step_seq, record)

    def append_tick(self, record: TickRecord) -> None:
        """Record a tick; beyond the capacity it is dropped."""
        if self._tick_seq < self.size.ticks:
            offset = HEADER_BYTES + self.size.steps * STEP.size + self._tick_seq * TICK.size
            self._tick_seq += 1
            TICK.pack_into(self._memory, offset, self._tick_seq, record)

    def steps(self, after: int = 0) -> Iterator[StepRecord]:
        """Whole step records from number `after` + 1 on, up to the first that isn't written."""
        return self._read(STEP, HEADER_BYTES, self.size.steps, after)

    def ticks(self, after: int = 0) -> Iterator[TickRecord]:
        """Whole tick records from number `after` + 1 on, up to the first that isn't written."""
        return self._read(TICK, HEADER_BYTES + self.size.steps * STEP.size, self.size.ticks, after)

    def _read(self, layout: Layout[Record], start: int, capacity: int, after: int) -> Iterator[Record]:
        for index in range(after, capacity):
            found = layout.unpack_from(self._memory, start + index * layout.size)
            if found is None or found[0] != index + 1:
                return
            yield found[1]

    def close(self) -> None:
        """Unmap."""
        self._memory.close()
