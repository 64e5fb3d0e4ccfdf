"""Which errors do the environments raise on purpose? One tree; every message says what to do next.

Bad actions and options are Python's own ValueError and TypeError; robot files have `parameters.RobotFileError`.
"""

from __future__ import annotations


class RaasEnvError(Exception):
    """Root of the environments' own errors. `str(error)` is one or two sentences for a person."""


class ClosedError(RaasEnvError):
    """The environment was closed; make a new one."""


class RobotError(RaasEnvError):
    """Something between this program and the real robot."""


class RobotUnreachable(RobotError):
    """Nobody answers at the robot's address."""


class RobotBusy(RobotError):
    """Another environment drives the robot in this session."""


class RobotSilent(RobotError):
    """The robot had answered before and does so no longer."""


class RobotRefused(RobotError):
    """The robot understood the message and refused it."""


class SessionOver(RobotError):
    """This program's time with the robot has ended: time limit, end of the job."""


class RobotStopped(SessionOver):
    """Somebody pressed the emergency stop."""


class RobotFault(SessionOver):
    """The robot found itself faulty and switched its motor off."""


class WrongKind(RobotError):
    """The robot is of another kind than the environment."""


class BadToken(RobotError):
    """What was given as the token of a remote lease is none."""


class LeaseDenied(RobotError):
    """The appliance lets this person not drive over the network, or not now."""


class ForkedError(RobotError):
    """A forked child process used its parent's connection to the robot."""


class MissingExtra(RaasEnvError):
    """Something was asked for that needs an extra of this package; the message says which."""
