"""Which PWM does each GPIO make? pigpiod's software PWM, servo pulses and hardware PWM, with their real resolutions.

Source of the behaviour: pigpio.c, version 78. Among it are traps that the motor loop must survive here as on hardware:
GPIO 12, 18 and 13, 19 share one hardware channel each; only a WRITE (or another mode) ends every kind of PWM; a duty
that rounds to no step at all starts nothing and leaves the level as it was.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from appliance.realtime.twin.bank import Bank
from appliance.realtime.twin.protocol import MAX_USER_GPIO, SAMPLE_US, Mode, Refusal
from appliance.realtime.twin.waves import Wave
from gym_raas.actuator import HARDWARE_STEPS, SOFTWARE_STEPS, software_frequency_hz

#: GPIO with hardware PWM: channel and alternative function.
_HARDWARE: Final = {
    12: (0, Mode.ALT0),
    13: (1, Mode.ALT0),
    18: (0, Mode.ALT5),
    19: (1, Mode.ALT5),
}
#: Steps of the hardware's counter per µs: half of PLLD, 750 MHz on a Raspberry Pi 4.
_COUNTER_PER_US: Final = 375
_HARDWARE_TOP_HZ: Final = 187_500_000
_SERVO_PERIOD_US: Final = 20_000
_SERVO_US: Final = range(500, 2501)
_RANGES: Final = range(25, 40_001)


class Kind(enum.Enum):
    """What a GPIO was last used for."""

    UNDEFINED = enum.auto()
    WRITE = enum.auto()
    PWM = enum.auto()
    SERVO = enum.auto()
    HARDWARE = enum.auto()


@dataclass
class _Gpio:
    kind: Kind = Kind.UNDEFINED
    width: int = 0
    range: int = 255
    frequency_hz: int = 800


@dataclass
class _Channel:
    frequency_hz: int = 0
    duty: int = 0
    real_range: int = 1
    enabled: bool = False

    @property
    def wave(self) -> Wave | None:
        high = self.duty * self.real_range // HARDWARE_STEPS if self.enabled else 0
        return Wave(self.real_range / _COUNTER_PER_US, high / _COUNTER_PER_US) if high else None


class Modulator:
    """pigpiod's functions of a GPIO, on a bank. All return the command's result, negative for a refusal."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._gpios = [_Gpio() for _ in range(MAX_USER_GPIO + 1)]
        self._channels = (_Channel(), _Channel())

    def set_mode(self, gpio: int, mode: int) -> int:
        """MODES: another mode than before ends any PWM."""
        if mode != self._bank.mode(gpio):
            if gpio <= MAX_USER_GPIO:
                self._leave(gpio)
                self._gpios[gpio].kind = Kind.UNDEFINED
            self._bank.set_mode(gpio, mode)
            self._show_channels()
        return 0

    def write(self, gpio: int, level: int) -> int:
        """WRITE: make the GPIO an output at this level; ends any PWM."""
        if gpio <= MAX_USER_GPIO:
            if self._gpios[gpio].kind is not Kind.WRITE:
                self._leave(gpio)
                self._gpios[gpio].kind = Kind.WRITE
            self._bank.set_wave(gpio, None)
        self._bank.set_mode(gpio, Mode.OUTPUT)
        self._bank.latch(1 << gpio, bool(level))
        return 0

    def pwm(self, gpio: int, duty: int) -> int:
        """PWM: software PWM of duty / range."""
        state = self._gpios[gpio]
        if duty > state.range:
            return Refusal.BAD_DUTYCYCLE
        self._enter(gpio, Kind.PWM, duty)
        state.width = duty
        self._show_pwm(gpio)
        return 0

    def holds_pwm(self, gpio: int, duty: int) -> bool:
        """Whether the GPIO makes just this PWM already, so that setting it again changes nothing."""
        if gpio > MAX_USER_GPIO:
            return False
        state = self._gpios[gpio]
        return state.kind is Kind.PWM and state.width == duty

    def servo(self, gpio: int, width_us: int) -> int:
        """SERVO: pulses of this width, 50 a second; 0 is off."""
        if width_us and width_us not in _SERVO_US:
            return Refusal.BAD_PULSEWIDTH
        self._enter(gpio, Kind.SERVO, width_us)
        self._gpios[gpio].width = width_us
        high_us = width_us // SAMPLE_US * SAMPLE_US
        self._show_software(gpio, Wave(_SERVO_PERIOD_US, high_us) if high_us else None)
        return 0

    def set_range(self, gpio: int, steps: int) -> int:
        """PRS: what counts as full duty; a running PWM keeps its ratio."""
        if steps not in _RANGES:
            return Refusal.BAD_DUTYRANGE
        state = self._gpios[gpio]
        if state.kind is Kind.PWM and state.width:
            state.width = steps * state.width // state.range
            state.range = steps
            self._restart_pwm(gpio)
        state.range = steps
        return SOFTWARE_STEPS[state.frequency_hz]

    def set_frequency(self, gpio: int, frequency_hz: int) -> int:
        """PFS: the nearest frequency that software PWM has."""
        state = self._gpios[gpio]
        state.frequency_hz = software_frequency_hz(frequency_hz)
        if state.kind is Kind.PWM and state.width:
            self._restart_pwm(gpio)
        return state.frequency_hz

    def hardware_pwm(self, gpio: int, frequency_hz: int, duty: int) -> int:
        """HP: hardware PWM; sets the channel, and with it the other GPIO that shows it. Frequency 0 ends it."""
        if gpio not in _HARDWARE:
            return Refusal.NOT_HPWM_GPIO
        if duty > HARDWARE_STEPS:
            return Refusal.BAD_HPWM_DUTY
        if frequency_hz > _HARDWARE_TOP_HZ:
            return Refusal.BAD_HPWM_FREQ
        number, function = _HARDWARE[gpio]
        channel, state = self._channels[number], self._gpios[gpio]
        if frequency_hz:
            channel.real_range = int(_COUNTER_PER_US * 1e6 / frequency_hz + 0.5)
            channel.frequency_hz = int(_COUNTER_PER_US * 1e6 / channel.real_range + 0.5)
            channel.duty, channel.enabled = duty, True
            if state.kind is not Kind.HARDWARE:
                self._leave(gpio)
                self._bank.set_mode(gpio, function)
                state.kind = Kind.HARDWARE
        elif state.kind is Kind.HARDWARE:
            channel.enabled, state.kind = False, Kind.UNDEFINED
        self._show_channels()
        return 0

    def duty(self, gpio: int) -> int:
        """GDC: the duty, in the units it was set in."""
        state = self._gpios[gpio]
        if state.kind is Kind.PWM:
            return state.width
        if state.kind is Kind.HARDWARE:
            return self._channels[_HARDWARE[gpio][0]].duty
        return Refusal.NOT_PWM_GPIO

    def pulse_width(self, gpio: int) -> int:
        """GPW: the servo pulse's width, µs."""
        state = self._gpios[gpio]
        return state.width if state.kind is Kind.SERVO else Refusal.NOT_SERVO_GPIO

    def frequency(self, gpio: int) -> int:
        """PFG: the frequency, Hz."""
        state = self._gpios[gpio]
        hardware = state.kind is Kind.HARDWARE
        return self._channels[_HARDWARE[gpio][0]].frequency_hz if hardware else state.frequency_hz

    def range(self, gpio: int) -> int:
        """PRG: what counts as full duty."""
        state = self._gpios[gpio]
        return HARDWARE_STEPS if state.kind is Kind.HARDWARE else state.range

    def real_range(self, gpio: int) -> int:
        """PRRG: the steps that there really are."""
        state = self._gpios[gpio]
        if state.kind is Kind.HARDWARE:
            return self._channels[_HARDWARE[gpio][0]].real_range
        return SOFTWARE_STEPS[state.frequency_hz]

    def _enter(self, gpio: int, kind: Kind, width: int) -> None:
        state = self._gpios[gpio]
        if state.kind is not kind:
            self._leave(gpio)
            state.kind = kind
            if not width:
                self._bank.latch(1 << gpio, False)
        self._bank.set_mode(gpio, Mode.OUTPUT)

    def _leave(self, gpio: int) -> None:
        """End software PWM or servo pulses (this clears the latch) and let go of hardware PWM (this doesn't)."""
        state = self._gpios[gpio]
        self._show_software(gpio, None)
        state.width = 0

    def _restart_pwm(self, gpio: int) -> None:
        self._show_software(gpio, None)
        self._show_pwm(gpio)

    def _show_pwm(self, gpio: int) -> None:
        state = self._gpios[gpio]
        steps = SOFTWARE_STEPS[state.frequency_hz]
        high = state.width * steps // state.range
        self._show_software(gpio, Wave(steps * SAMPLE_US, high * SAMPLE_US) if high else None)

    def _show_software(self, gpio: int, wave: Wave | None) -> None:
        software = self._gpios[gpio].kind in (Kind.PWM, Kind.SERVO)
        if wave is None and software and self._bank.wave(gpio) is not None:
            self._bank.latch(1 << gpio, False)
        self._bank.set_wave(gpio, wave)

    def _show_channels(self) -> None:
        for gpio, (number, function) in _HARDWARE.items():
            if self._bank.mode(gpio) == function:
                self._bank.set_wave(gpio, self._channels[number].wave)
