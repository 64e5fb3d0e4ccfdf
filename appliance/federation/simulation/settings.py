"""What is simulated? How many of what, how often what goes wrong, and what a request costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from appliance.federation.timing import Timing


@dataclass(frozen=True)
class Faults:
    """What goes wrong. killed, paused, cut_off: share of the appliances; lost, slow: share of the requests.

    A killed appliance dies while it holds a job, and every other one comes back later. A paused one holds a job, stops for
    one to three leases, and goes on as if nothing had happened. A slow write arrives up to three leases late.
    """

    killed: float = 0.1
    paused: float = 0.1
    cut_off: float = 0.1
    lost: float = 0.03
    slow: float = 0.002
    drift: float = 0.02  # of local clocks, each way
    timeout_s: float = 10.0  # until a client gives a request up


NO_FAULTS = Faults(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Prices:
    """S3 Standard's list prices in us-east-1, USD. Traffic isn't counted."""

    put_list_usd: float = 0.005 / 1000
    get_usd: float = 0.0004 / 1000


@dataclass(frozen=True)
class Settings:
    """One simulation. load: share of the time that appliances would work if none failed; batch: jobs submitted at a time.

    run_s: shortest and longest job; latency_s: median of a request; archive_bytes: small ones travel in the specification.
    """

    appliances: int = 50
    jobs: int = 500
    seed: int = 1
    load: float = 0.8
    batch: int = 10
    run_s: tuple[float, float] = (60.0, 150.0)
    latency_s: float = 0.06
    archive_bytes: int = 4096
    compactors: int = 3
    quick_signatures: bool = False
    timing: Timing = field(default_factory=Timing)
    faults: Faults = Faults()
    prices: Prices = Prices()
