"""How does a simulation run? Builds the world from its settings, lets the jobs come, waits as a person would, audits."""

from __future__ import annotations

import random
from dataclasses import replace

from appliance.federation.compaction import opened_head
from appliance.federation.keys import Keys
from appliance.federation.model_store import ModelStore
from appliance.federation.requests import Get
from appliance.federation.simulation.audit import Audit
from appliance.federation.simulation.cast import Cast
from appliance.federation.simulation.member import Member
from appliance.federation.simulation.report import Report
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from appliance.federation.simulation.summary import Run
from appliance.federation.simulation.world import World

_BOOT_SPREAD_S = 60.0
_DAY_S = 86400.0
_IDLE_APPLIANCES = 4
_STEP_S = 60.0
#: More slots than this, and what is below the watermark is deleted as it would be in a bucket.
_FORGET_FROM = 200_000


def play(settings: Settings, *, measure_idle: bool = True) -> Report:
    """Run one simulation on the model. The stop rule is the submitters': they have all they asked for, or patience ends."""
    rng = random.Random(settings.seed)
    cast = Cast(rng, quick=settings.quick_signatures)
    members = members_of(settings, cast, rng)
    store = ModelStore()
    world = World(settings, store, members)
    audit = Audit(cast.roster(), Keys(cast.fleet))
    world.fates = fates_of(settings, members, rng)
    cut_off(settings, members, rng)
    end_s = _schedule(settings, world, members, rng)
    patience_s = end_s + 12 * settings.timing.lease_s + settings.jobs / settings.appliances * sum(settings.run_s)
    while world.now_s < patience_s:
        world.run_until(world.now_s + _STEP_S)
        if len(store) > _FORGET_FROM:
            _forget(world, audit)
        if world.now_s > end_s and all(member.desk.is_settled for member in members if member.who not in world.gone):
            break
    requests, busy_h = dict(world.tally.requests), world.now_s / 3600
    world.run_until(world.now_s + max(4 * settings.timing.lease_s, 1.2 * settings.timing.sweep_s))
    audit.everything(store, world.server_s())
    return Run(
        "model", settings, audit, world.tally, members, world.gone,
        requests, idle_day(settings) if measure_idle else {}, busy_h,
    ).report()  # fmt: skip


def idle_day(settings: Settings) -> dict[str, float]:
    """Requests of one idle appliance in one day, after its start."""
    quiet = replace(settings, appliances=_IDLE_APPLIANCES, jobs=0, faults=NO_FAULTS, compactors=0)
    rng = random.Random(settings.seed)
    cast = Cast(rng, quick=True)
    world = World(quiet, ModelStore(), members_of(quiet, cast, rng))
    _schedule(quiet, world, world.members, rng)
    world.run_until(3600.0)
    before = dict(world.tally.requests)
    world.run_until(3600.0 + _DAY_S)
    return {kind: (count - before.get(kind, 0)) / _IDLE_APPLIANCES for kind, count in world.tally.requests.items()}


def members_of(settings: Settings, cast: Cast, rng: random.Random) -> list[Member]:
    """The members of a simulation; the first ones compact."""
    roster = cast.roster()
    found = []
    for number in range(settings.appliances):
        compacts = number < settings.compactors
        identity = cast.member(f"pi{number:05d}", compacts=compacts)
        found.append(Member(identity, roster, settings, rng.getrandbits(48), compacts=compacts))
    return found


def fates_of(settings: Settings, members: list[Member], rng: random.Random) -> dict[int, str]:
    """What happens to whoever begins the so-many-th job. By job and not by member, who might never get one."""
    faults, count = settings.faults, len(members)
    killed = [("killed", "killed_for_good")[number % 2] for number in range(round(faults.killed * count))]
    fates = (killed + ["paused"] * round(faults.paused * count))[: settings.jobs]
    rng.shuffle(fates)
    return dict(zip(rng.sample(range(settings.jobs), len(fates)), fates, strict=True))


def cut_off(settings: Settings, members: list[Member], rng: random.Random) -> None:
    """Decide who loses the network, and when."""
    span_s = _span_s(settings)
    for member in rng.sample(members, round(settings.faults.cut_off * len(members))):
        begin_s = rng.uniform(0.0, span_s)
        member.cut_off.append((begin_s, begin_s + rng.uniform(0.3, 2.0) * settings.timing.lease_s))


def _span_s(settings: Settings) -> float:
    """How long jobs come in for the load that is wanted."""
    return settings.jobs * sum(settings.run_s) / 2 / (settings.appliances * settings.load)


def _schedule(settings: Settings, world: World, members: list[Member], rng: random.Random) -> float:
    """Boot everybody, and let jobs come in batches; returns when the last one does."""
    for number in range(len(members)):
        world.at(rng.uniform(0.0, _BOOT_SPREAD_S), "boot", number)
    span_s, left, last_s = _span_s(settings), settings.jobs, _BOOT_SPREAD_S
    while left > 0:
        count = min(left, settings.batch)
        left -= count
        at_s = _BOOT_SPREAD_S + rng.uniform(0.0, span_s)
        world.at(at_s, "submit", rng.randrange(len(members)), count)
        last_s = max(last_s, at_s)
    return last_s


def _forget(world: World, audit: Audit) -> None:
    reply = world.store.perform(Get(audit.keys.index_head), world.server_s())
    head = opened_head(audit.roster, reply.body) if reply.body else None
    if head is not None and head.watermark:
        audit.take(world.store.forget_through(audit.keys.queue, f"{audit.keys.queue}{head.watermark}/9999"))
