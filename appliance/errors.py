"""Which errors does the appliance raise on purpose? One tree; every message says what to do next."""

from __future__ import annotations


class RaasError(Exception):
    """Root of the appliance's own errors. `str(error)` is one or two sentences for a person."""


class ConfigError(RaasError):
    """A configuration file that can't be used: names file, key, what was given, what would be right."""


class BadSource(RaasError):
    """What was submitted can't become a job: no `run.py`, a broken archive, a repository that can't be fetched."""


class EngineError(RaasError):
    """Docker Engine can't be reached or refused something."""


class EngineRefusal(EngineError):
    """Docker Engine answered, and refused something; the message has its own words."""


class RobotError(RaasError):
    """The robot (or its guard) refused or didn't answer."""


class NotFound(RaasError):
    """There is no such job."""


class Conflict(RaasError):
    """Not possible in the present state."""


class InUse(RaasError):
    """Another appliance runs on the same data folder or port."""


class Cancelled(RaasError):
    """Work was given up because its job was cancelled; nothing of it is left."""


class IsolationError(RaasError):
    """A confined child could not be started or broke: a fault of the appliance or its machine, not of a submission."""
