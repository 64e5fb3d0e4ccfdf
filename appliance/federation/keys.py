"""What are the objects of a fleet called? Every name in the bucket, built and taken apart in one place. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from appliance import ulid

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SLOT: Final = re.compile(r"[0-9]{4}")


def is_name(text: object) -> bool:
    """Whether `text` may name a fleet or an appliance: lower case, digits, hyphens, at most 40."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Keys:
    """The names below `f/<fleet>/`."""

    fleet: str

    @property
    def root(self) -> str:
        """Everything of the fleet begins with this."""
        return f"f/{self.fleet}/"

    @property
    def queue(self) -> str:
        """Prefix of all job logs."""
        return f"{self.root}q/"

    @property
    def bell(self) -> str:
        """Changes whenever there may be something new to do."""
        return f"{self.root}bell"

    @property
    def charter(self) -> str:
        """The fleet's public key and name, signed by itself."""
        return f"{self.root}fleet"

    @property
    def revoked(self) -> str:
        """Members that are out, signed by the fleet key."""
        return f"{self.root}revoked"

    @property
    def index_head(self) -> str:
        """The compacted index: watermark and segments; compare-and-swap."""
        return f"{self.root}idx/head"

    def index_segment(self, sha256: str) -> str:
        """One compacted part of the history."""
        return f"{self.root}idx/seg/{sha256}.json.gz"

    @property
    def terms(self) -> str:
        """Prefix of the log that elects a compactor."""
        return f"{self.root}idx/term/"

    def term(self, number: int) -> str:
        """Who compacts since the election of this number."""
        return f"{self.terms}{number:08d}"

    def slot(self, job: str, number: int) -> str:
        """Entry `number` of a job's log; 0 is the specification."""
        return f"{self.queue}{job}/{number:04d}"

    def archive(self, sha256: str) -> str:
        """What a job runs, if it is too large for its specification."""
        return f"{self.root}a/{sha256}"

    def appliance(self, who: str) -> str:
        """Prefix of what only this appliance writes."""
        return f"{self.root}pi/{who}/"

    def member(self, who: str) -> str:
        """Its certificate."""
        return f"{self.appliance(who)}member"

    def heartbeat(self, who: str) -> str:
        """Its heartbeat."""
        return f"{self.appliance(who)}hb"

    def request(self, who: str) -> str:
        """Its wish to become a member: its public key."""
        return f"{self.appliance(who)}join"

    def live(self, who: str) -> str:
        """How the job is that it runs, for a submitter who looks."""
        return f"{self.appliance(who)}live"

    @property
    def members(self) -> str:
        """Prefix of all appliances' folders."""
        return f"{self.root}pi/"

    def robot(self, who: str, sha256: str) -> str:
        """Its twin: the parameters of its robot."""
        return f"{self.appliance(who)}robot-{sha256}.yaml"

    def result(self, who: str, job: str, sha256: str) -> str:
        """A result file of a job that it ran."""
        return f"{self.appliance(who)}r/{job}/{sha256}"

    def site(self, name: str) -> str:
        """A file of the static fleet page."""
        return f"{self.root}site/{name}"

    def parse_slot(self, key: str) -> tuple[str, int] | None:
        """Job and slot number of a key in the queue; None for anything that doesn't belong there."""
        if not key.startswith(self.queue):
            return None
        job, _, number = key[len(self.queue) :].partition("/")
        if _SLOT.fullmatch(number) is None or not ulid.is_valid(job):
            return None
        return job, int(number)
