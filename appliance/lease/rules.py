"""May this person have a place in the queue now, and for how long? The owner's rules, pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.config import LeaseSection
from appliance.waiting import about
from gym_raas.remote_wire import Denial

#: A lease that is shorter isn't worth the settling before it.
SHORTEST_S: Final = 1.0


@dataclass(frozen=True)
class Case:
    """Who asks, and what is known. waiting: leases of all that wait. used_s: this person's, within the last 24 hours."""

    name: str
    may: bool
    asked_s: float
    waiting: int
    used_s: float


@dataclass(frozen=True)
class Refusal:
    """Why not, and what to do."""

    code: Denial
    text: str


def judge(case: Case, rules: LeaseSection) -> float | Refusal:
    """The time limit of the lease, s, or why there is none."""
    if not case.may:
        return Refusal(
            Denial.NOT_ALLOWED, f"{case.name}'s permission has ended. Ask the robot's owner for a new token."
        )
    if case.waiting >= rules.max_waiting:
        return Refusal(Denial.FULL, f"{case.waiting} others wait to drive over the network already. Try again later.")
    left_s = rules.quota_s - case.used_s
    if left_s < SHORTEST_S:
        text = f"{case.name} has used up the {about(rules.quota_s)} that the owner allows in 24 hours. Try again later."
        return Refusal(Denial.QUOTA, text)
    return min(case.asked_s or rules.limit_s, rules.limit_s, left_s)
