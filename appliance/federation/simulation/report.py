"""What did a simulation show? The figures and the verdict, for people and for scripts."""

from __future__ import annotations

import msgspec

from appliance.federation.simulation.settings import Prices


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `raas fleet simulate --json`.

    jobs: that reached the bucket. commits: whose log has an end. doubles: committed more than once, in a log or in anyone's
    belief. lost: without an end, or whose end didn't reach its submitter. requests_per_job: everything that was asked of
    the store until the last result was home, polling included. cost_per_appliance_day_usd: of an idle one, measured.
    """

    jobs: int
    commits: int
    doubles: int
    lost: int
    requests_per_job: float
    cost_per_appliance_day_usd: float
    violations: list[str]
    store: str
    appliances: int
    seed: int
    load: float
    batch: int
    given_up: int
    claims: int
    steals: int
    requests: dict[str, int]
    requests_idle_day: dict[str, float]
    cost_per_job_usd: float
    pick_up_s: dict[str, float]
    list_pages_per_look: float
    events: dict[str, int]
    stale_holders: int
    stale_holders_refused: int
    refused_entries: int
    simulated_h: float
    took_s: float


def cost_usd(requests: dict[str, float] | dict[str, int], prices: Prices) -> float:
    """What requests cost."""
    dear = requests.get("put", 0) + requests.get("list", 0)
    return dear * prices.put_list_usd + requests.get("get", 0) * prices.get_usd


def quantiles(values: list[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, and the largest."""
    ordered = sorted(values)
    if not ordered:
        return {}
    pick = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in pick.items()}
