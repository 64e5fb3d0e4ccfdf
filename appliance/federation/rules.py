"""Which of the fleet's jobs may this robot run, and when? Its owner's rules, and what it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.federation.entries import Spec

_DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Rules:
    """hours: minutes of the day from and until, None for always. share: of a day. takes_from: empty for all members.

    limit_s: how long jobs may run here; archive_bytes: the largest archive that is taken in.
    """

    hours: tuple[int, int] | None = None
    share: float = 1.0
    takes_from: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    robot: str = "pendulum"
    counts_per_turn: int = 0
    image: str = "standard"
    limit_s: float = 120.0
    archive_bytes: int = 128 << 20

    def not_now(self, minute: int, given_s: float) -> str:
        """Why no job is taken at this minute of the day, '' if one may be; given_s: worked for the fleet in a day."""
        if self.hours is not None and not _within(minute, self.hours):
            return "Outside the hours that the owner gives to the fleet."
        if given_s >= self.share * _DAY_MINUTES * 60:
            return "The fleet has had its share of the day."
        return ""

    def objection(self, spec: Spec) -> str:
        """Why a job isn't taken here at all, '' if it may be."""
        needs = spec.needs
        if self.takes_from and spec.by not in self.takes_from:
            return f"The owner takes no jobs from {spec.by}."
        if needs.robot != self.robot:
            return f"It needs a {needs.robot}."
        if not set(needs.tags) <= set(self.tags):
            return f"It needs {', '.join(sorted(set(needs.tags) - set(self.tags)))}."
        if needs.counts_per_turn not in (0, self.counts_per_turn):
            return f"It needs an encoder with {needs.counts_per_turn} counts per turn."
        if needs.image != self.image:
            return f"It needs the job image {needs.image}."
        if spec.limit_s > self.limit_s:
            return f"It may run for {spec.limit_s:g} s, and jobs here for {self.limit_s:g} s."
        if spec.archive.size_bytes > self.archive_bytes:
            return "Its archive is larger than this appliance takes."
        return ""


def hours(text: str) -> tuple[int, int] | None:
    """'22:00-06:00' as minutes of the day; None for ''."""
    if not text:
        return None
    begin, end = ((int(part[:2]) * 60 + int(part[3:])) for part in text.split("-"))
    return begin, end


def _within(minute: int, span: tuple[int, int]) -> bool:
    begin, end = span
    return begin <= minute < end if begin <= end else minute >= begin or minute < end
