"""What does a run come to? From what was audited and counted to its report, the same for the model and a real endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.federation.simulation.audit import Audit
from appliance.federation.simulation.member import Member
from appliance.federation.simulation.report import Report, cost_usd, quantiles
from appliance.federation.simulation.settings import Settings
from appliance.federation.simulation.world import Tally


@dataclass(frozen=True)
class Run:
    """A run that is over. requests: until the last result was home. idle: of one appliance in a day. gone: died for good."""

    store: str
    settings: Settings
    audit: Audit
    tally: Tally
    members: list[Member]
    gone: set[str]
    requests: dict[str, int]
    idle: dict[str, float]
    simulated_h: float
    took_s: float = 0.0

    def report(self) -> Report:
        """Ask the members what they believe, and put everything together."""
        audit, settings, tally, members = self.audit, self.settings, self.tally, self.members
        doubles, jobs = audit.believed(members, self.gone), max(1, audit.jobs)
        overtaken = sum(len(member.desk.overtaken) for member in members)
        return Report(
            jobs=audit.jobs, commits=audit.commits, doubles=doubles, lost=len(audit.lost), violations=audit.said(),
            store=self.store, appliances=settings.appliances, seed=settings.seed, load=settings.load, batch=settings.batch,
            given_up=audit.given_up, claims=audit.claims, steals=audit.steals,
            requests=self.requests, requests_per_job=sum(self.requests.values()) / jobs,
            cost_per_job_usd=cost_usd(self.requests, settings.prices) / jobs,
            requests_idle_day=self.idle, cost_per_appliance_day_usd=cost_usd(self.idle, settings.prices),
            pick_up_s=quantiles(audit.waits_s),
            list_pages_per_look=tally.pages / max(1, sum(member.looks for member in members)),
            events=dict(tally.events), stale_holders=tally.events["paused"] + overtaken, stale_holders_refused=overtaken,
            refused_entries=sum(len(member.desk.complaints) for member in members),
            simulated_h=self.simulated_h, took_s=self.took_s,
        )  # fmt: skip
