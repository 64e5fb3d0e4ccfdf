"""What does pigpiod answer to a command? Checks and the table of commands, over the simulated world.

Pure: time comes in, results and reports go out. Delays (MICS, MILS) and NOIB concern a connection and stand in `server`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from appliance.realtime.twin.assembler import PARAMETERS
from appliance.realtime.twin.modulator import Modulator
from appliance.realtime.twin.notifications import Notifications
from appliance.realtime.twin.protocol import (
    DEFAULT_PERMISSIONS,
    HARDWARE_REVISION,
    MAX_GPIO,
    MAX_USER_GPIO,
    U32,
    VERSION,
    Command,
    Mode,
    Refusal,
)
from appliance.realtime.twin.scripts import Scripts
from appliance.realtime.twin.world import World

_MAX_TRIGGER_US: Final = 100
_MAX_STEADY_US: Final = 300_000
_MAX_ACTIVE_US: Final = 1_000_000
_BANK_2_SHIFT: Final = 32
_PWM: Final = int(Command.PWM)
_SIGNED_WORDS: Final = tuple(struct.Struct(f"<{count}i") for count in range(PARAMETERS + 2))
_Handler = Callable[[int, int, bytes], int]


class Daemon:
    """The stand-in: commands in, results and reports out. Times are µs on the caller's clock.

    `permissions`: bits of the GPIO that clients may change (pigpiod -x). `tick_offset_us` is added to the clock in ticks,
    so that a test can see the 32-bit tick wrap.
    """

    def __init__(self, world: World, *, permissions: int = DEFAULT_PERMISSIONS, tick_offset_us: int = 0) -> None:
        self.world = world
        self.notifications = Notifications(tick_offset_us)
        self.scripts = Scripts(self._from_script)
        self._modulator: Modulator = world.modulator
        self._permissions = permissions
        self._tick_offset_us = tick_offset_us
        self._internals = 0
        self._changing = self._changing_commands()
        self._asking = self._asking_commands()

    @property
    def now_us(self) -> int:
        """The time of the command or tick under way."""
        return self.world.now_us

    def execute(self, now_us: int, command: int, p1: int, p2: int, extension: bytes) -> int:
        """Carry out a command as it arrives; the result is negative for a refusal."""
        if command == _PWM and self._modulator.holds_pwm(p1, p2):
            return 0  # most of what a motor loop sends
        changing = self._changing.get(command)
        if changing is not None:
            self.world.begin(now_us)
            result = changing(p1, p2, extension)
            self.world.applied()
            return result
        asking = self._asking.get(command)
        if asking is None:
            return Refusal.UNKNOWN_COMMAND
        self.world.advance(now_us)
        return asking(p1, p2, extension)

    def tick(self, now_us: int) -> list[tuple[int, bytes]]:
        """Let scripts and time go on; returns reports as (connection, bytes). Call it about once per millisecond."""
        self.world.advance(now_us)
        self.scripts.advance(now_us)
        before = self.world.reported
        samples = self.world.collect()
        waited_for = self.scripts.waited_for
        if waited_for and samples:
            changed, last = 0, before
            for _, levels in samples:
                changed, last = changed | levels ^ last, levels
            self.scripts.changed(now_us, changed)
        return self.notifications.reports(now_us, self.world.levels() & U32, before, samples)

    @property
    def busy(self) -> bool:
        """Whether the next tick may have something to report although nobody commands anything."""
        return self.world.busy or self.notifications.busy

    def disconnected(self, connection: int) -> None:
        """A connection is gone: its handle closes. Pins and scripts stay as they are, as in pigpiod."""
        self.notifications.close_stream(connection)
        self.world.watch(self.notifications.watched)

    def _from_script(self, command: int, p1: int, p2: int, extension: bytes) -> int:
        return self.execute(self.world.now_us, command, p1, p2, extension)

    def _changing_commands(self) -> dict[int, _Handler]:
        modulator = self._modulator
        return {
            Command.MODES: self._any_gpio(modulator.set_mode, Mode.ALT3, Refusal.BAD_MODE),
            Command.PUD: self._any_gpio(self._pull, 2, Refusal.BAD_PUD),
            Command.WRITE: self._any_gpio(modulator.write, 1, Refusal.BAD_LEVEL),
            Command.PWM: self._user_gpio(modulator.pwm),
            Command.PRS: self._user_gpio(modulator.set_range),
            Command.PFS: self._user_gpio(modulator.set_frequency),
            Command.SERVO: self._user_gpio(modulator.servo),
            Command.HP: self._hardware_pwm,
            Command.TRIG: self._trigger,
            Command.BC1: lambda bits, _, __: self._latch_bank(bits, 0, high=False),
            Command.BC2: lambda bits, _, __: self._latch_bank(bits, _BANK_2_SHIFT, high=False),
            Command.BS1: lambda bits, _, __: self._latch_bank(bits, 0, high=True),
            Command.BS2: lambda bits, _, __: self._latch_bank(bits, _BANK_2_SHIFT, high=True),
        }

    def _asking_commands(self) -> dict[int, _Handler]:
        modulator, told = self._modulator, self.notifications
        return {
            Command.MODEG: self._of_gpio(self.world.bank.mode, MAX_GPIO),
            Command.READ: self._of_gpio(lambda gpio: self.world.levels() >> gpio & 1, MAX_GPIO),
            Command.BR1: lambda *_: self.world.levels() & U32,
            Command.BR2: lambda *_: self.world.levels() >> _BANK_2_SHIFT,
            Command.GDC: self._of_gpio(modulator.duty, MAX_USER_GPIO),
            Command.GPW: self._of_gpio(modulator.pulse_width, MAX_USER_GPIO),
            Command.PFG: self._of_gpio(modulator.frequency, MAX_USER_GPIO),
            Command.PRG: self._of_gpio(modulator.range, MAX_USER_GPIO),
            Command.PRRG: self._of_gpio(modulator.real_range, MAX_USER_GPIO),
            Command.TICK: lambda *_: self.now_us + self._tick_offset_us & U32,
            Command.HWVER: lambda *_: HARDWARE_REVISION,
            Command.PIGPV: lambda *_: VERSION,
            Command.CGI: lambda *_: self._internals,
            Command.CSI: self._set_internals,
            Command.FG: self._glitch_filter,
            Command.FN: self._noise_filter,
            Command.WDOG: self._watchdog,
            Command.NO: lambda *_: told.open(self.now_us, None),
            Command.NB: lambda handle, bits, _: self._notify(told.begin(handle, bits)),
            Command.NP: lambda handle, *_: self._notify(told.pause(handle)),
            Command.NC: lambda handle, *_: self._notify(told.close(handle)),
            Command.EVM: lambda handle, bits, _: told.monitor_events(handle, bits),
            Command.EVT: lambda event, *_: told.trigger_event(event),
            Command.PROC: lambda _, __, text: self.scripts.store(self.now_us, text),
            Command.PROCD: lambda number, *_: self.scripts.delete(number),
            Command.PROCR: lambda number, _, data: self.scripts.run(self.now_us, number, _words(data)),
            Command.PROCS: lambda number, *_: self.scripts.stop(self.now_us, number),
            Command.PROCU: lambda number, _, data: self.scripts.update(number, _words(data)),
        }

    def _refused(self, gpio: int) -> Refusal | None:
        """NOT_PERMITTED, if the GPIO exists and clients may not change it."""
        forbidden = gpio <= MAX_GPIO and not self._permissions >> gpio & 1
        return Refusal.NOT_PERMITTED if forbidden else None

    def _any_gpio(self, change: Callable[[int, int], int], top: int, refusal: Refusal) -> _Handler:
        """Checks of a command on one of all GPIO, with a value from 0 to `top`."""

        def checked(gpio: int, value: int, _: bytes) -> int:
            if self._refused(gpio):
                return Refusal.NOT_PERMITTED
            if gpio > MAX_GPIO:
                return Refusal.BAD_GPIO
            return change(gpio, value) if value <= top else refusal

        return checked

    def _user_gpio(self, change: Callable[[int, int], int]) -> _Handler:
        """Checks of a command on one of GPIO 0-31; the function checks the value itself."""

        def checked(gpio: int, value: int, _: bytes) -> int:
            if self._refused(gpio):
                return Refusal.NOT_PERMITTED
            return change(gpio, value) if gpio <= MAX_USER_GPIO else Refusal.BAD_USER_GPIO

        return checked

    def _of_gpio(self, ask: Callable[[int], int], top: int) -> _Handler:
        """Checks of a question about a GPIO."""
        refusal = Refusal.BAD_USER_GPIO if top == MAX_USER_GPIO else Refusal.BAD_GPIO
        return lambda gpio, _, __: ask(gpio) if gpio <= top else refusal

    def _pull(self, gpio: int, pull: int) -> int:
        self.world.bank.pull(gpio, up=pull == 2)
        return 0

    def _hardware_pwm(self, gpio: int, frequency_hz: int, extension: bytes) -> int:
        if self._refused(gpio):
            return Refusal.NOT_PERMITTED
        if gpio > MAX_GPIO:
            return Refusal.BAD_GPIO
        return self._modulator.hardware_pwm(gpio, frequency_hz, _first_word(extension))

    def _trigger(self, gpio: int, pulse_us: int, extension: bytes) -> int:
        """A pulse; the world runs ahead of the clock to its end, a tenth of a millisecond at most."""
        level = _first_word(extension)
        if self._refused(gpio):
            return Refusal.NOT_PERMITTED
        if gpio > MAX_USER_GPIO:
            return Refusal.BAD_USER_GPIO
        if level > 1:
            return Refusal.BAD_LEVEL
        if not 0 < pulse_us <= _MAX_TRIGGER_US:
            return Refusal.BAD_PULSELEN
        self.world.bank.latch(1 << gpio, bool(level))
        self.world.applied()
        self.world.begin(self.now_us + pulse_us)
        self.world.bank.latch(1 << gpio, not level)
        return 0

    def _latch_bank(self, bits: int, shift: int, *, high: bool) -> int:
        permitted = self._permissions >> shift & U32
        self.world.bank.latch((bits & permitted) << shift, high)
        return Refusal.SOME_PERMITTED if bits & ~permitted else 0

    def _set_internals(self, value: int, *_: object) -> int:
        self._internals = value
        return 0

    def _glitch_filter(self, gpio: int, steady_us: int, _: bytes) -> int:
        """Checked and accepted; simulated signals have no glitches to filter."""
        if gpio > MAX_USER_GPIO:
            return Refusal.BAD_USER_GPIO
        return 0 if steady_us <= _MAX_STEADY_US else Refusal.BAD_FILTER

    def _noise_filter(self, gpio: int, steady_us: int, extension: bytes) -> int:
        """As the glitch filter."""
        if gpio <= MAX_USER_GPIO and _first_word(extension) > _MAX_ACTIVE_US:
            return Refusal.BAD_FILTER
        return self._glitch_filter(gpio, steady_us, extension)

    def _watchdog(self, gpio: int, timeout_ms: int, _: bytes) -> int:
        if gpio > MAX_USER_GPIO:
            return Refusal.BAD_USER_GPIO
        return self.notifications.watchdog(self.now_us, gpio, timeout_ms)

    def _notify(self, result: int) -> int:
        self.world.watch(self.notifications.watched)
        return result


def _words(data: bytes) -> tuple[int, ...]:
    """The whole 32-bit words of an extension, signed; one too many at most, for that is refused."""
    return _SIGNED_WORDS[min(len(data) // 4, PARAMETERS + 1)].unpack_from(data)


def _first_word(data: bytes) -> int:
    """The first 32-bit word of an extension; 0 where the client sent none."""
    return struct.unpack_from("<I", data)[0] if len(data) >= 4 else 0
