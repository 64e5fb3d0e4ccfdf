"""What does one start of the fleet's process do? Endpoint probed, charter believed, membership found; then the agent lives.

Whatever is missing is said in a sentence, on the Fleet page and in the log, and tried again: the owner or the operator may
put it right meanwhile. Nothing in here is needed by local jobs.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import shutil
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from appliance import fleet_lease
from appliance.backoff import Backoff
from appliance.calibration import in_use
from appliance.config import Config
from appliance.errors import RaasError
from appliance.federation import keyring, membership
from appliance.federation import rules as owners
from appliance.federation.agent import Agent, Chore
from appliance.federation.carrier import Carrier
from appliance.federation.charter import Charter
from appliance.federation.driver import drive
from appliance.federation.election import ROLE, Election
from appliance.federation.keyring import Own
from appliance.federation.keys import Keys
from appliance.federation.ledger import Ledger
from appliance.federation.local_desk import INCOMING, Clocks, LocalDesk
from appliance.federation.membership import Expulsions, NotYet
from appliance.federation.overview import Look, Post, Standing
from appliance.federation.probe import UnfitStore, probe
from appliance.federation.pruning import Pruning
from appliance.federation.rules import Rules
from appliance.federation.s3_store import S3Store
from appliance.federation.signing import Identity, Roster
from appliance.federation.station import Station
from appliance.federation.timing import Timing
from appliance.fleet_shapes import FleetView
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.store import Store
from gym_raas import parameters

#: How soon a change in the local database is seen.
ROUND_S: Final = 0.2
#: What a fleet's job needs beside its time limit: grace, collecting, and a little air.
_MARGIN_S: Final = 20.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0

_NO_DISK: Final = "The appliance's disk can't be used ({}). Make room on it; the fleet waits and loses nothing."

_log = logging.getLogger("federation")


@dataclass(frozen=True)
class Place:
    """Where the process works. environment: as found at the process's edge."""

    paths: Paths
    config: Config
    environment: Mapping[str, str]
    notifier: Notifier
    stopping: threading.Event


class Service:
    """One start. For one thread."""

    def __init__(self, place: Place) -> None:
        self._place, self._section = place, place.config.federation
        self._store = Store(place.paths.database)
        self._ledger = Ledger(place.paths.database)
        self._s3: S3Store | None = None

    def close(self) -> None:
        """Let go of database and network."""
        if self._s3 is not None:
            self._s3.close()
        self._ledger.close()
        self._store.close()

    def work(self) -> None:
        """Be a member until told to stop. Raises RaasError with what is missing."""
        place, section = self._place, self._section
        keys, folder = Keys(section.fleet), place.paths.federation
        self._s3 = S3Store(keyring.bucket(section, place.environment), fleet_lease.now_s)
        perform = Carrier(self._s3.perform, fleet_lease.now_s).perform
        shutil.rmtree(folder / INCOMING, ignore_errors=True)  # what a crash or a full disk has cut off
        own = keyring.own(folder, section.member, place.config.name)
        charter = membership.believe(perform, keys, folder, section.fingerprint)
        _check_time_limit(place.config, charter.timing)
        probe(perform, keys, own.who)
        identity = self._admitted(keys, charter, own)
        if identity is None:
            return
        held = in_use.load(in_use.file_of(place.config), place.paths)
        robot_file, robot = held.content, held.robot
        robot_sha256 = hashlib.sha256(robot_file).hexdigest()
        membership.write(perform, keys.robot(own.who, robot_sha256), robot_file, create=True)
        timing, clocks = charter.timing, Clocks()
        desk = LocalDesk(self._ledger, self._store, place.paths, rules(place.config, robot), timing.hold_s, clocks)
        roster = Roster(charter.fleet, charter.public)
        station = Station(identity, roster, keys, timing, desk, random.SystemRandom())
        compacts = ROLE in roster.certificate(identity.certificate).roles
        standing = Standing(section, own, charter, robot_sha256)
        look = Look(station, standing, self._store, self._ledger, clocks)
        chores: list[Chore] = [Expulsions(station, charter), look, Pruning(station, self._store, place.paths)]
        if compacts:
            chores.append(Post(station, look, Election(station)))
        agent = Agent(station, compacts=compacts, chores=chores)
        agent.heart.about = lambda: _about(place.config, robot, robot_sha256, desk.busy())
        self._settle_in(own.who)
        look.tell("working", f"{own.who} works in the fleet '{charter.fleet}'.")
        drive(agent.life(), perform, fleet_lease.now_s, self._sleep, place.stopping.is_set)

    def _admitted(self, keys: Keys, charter: Charter, own: Own) -> Identity | None:
        """This appliance as a member, as soon as it is one; None if told to stop before."""
        assert self._s3 is not None
        pauses, said = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S / 2), ""
        while not self._place.stopping.is_set():
            try:
                return membership.enter(self._s3.perform, keys, charter, own, self._place.config.name)
            except NotYet as error:
                if str(error) != said:
                    said = str(error)
                    _log.info("%s", said)
                    Look.write(self._store, FleetView(state="waiting", sentence=said, fleet=self._section.fleet))
            self._place.stopping.wait(pauses.after(0.0))
        return None

    def _settle_in(self, who: str) -> None:
        _log.info("%s works in the fleet '%s'", who, self._section.fleet)
        self._place.notifier.status(f"{who} in the fleet '{self._section.fleet}'")
        self._store.changed()

    def _sleep(self, seconds: float) -> None:
        """Until the time is over or somebody changes the database."""
        until_s = fleet_lease.now_s() + seconds
        while (left_s := until_s - fleet_lease.now_s()) > 0.0 and not self._place.stopping.wait(min(ROUND_S, left_s)):
            if self._store.changed():
                return


def rules(config: Config, robot: parameters.Robot) -> Rules:
    """The owner's rules from `raas.yaml`, and what the robot is."""
    section = config.federation
    return Rules(
        hours=owners.hours(section.hours), share=section.share, takes_from=section.takes_from,
        tags=(*section.tags, config.robot.link), robot=robot.kind, counts_per_turn=robot.encoder.counts_per_turn,
        image=config.job.image, limit_s=config.job.limit_s, archive_bytes=config.fetch.max_upload_mb << 20,
    )  # fmt: skip


def _check_time_limit(config: Config, timing: Timing) -> None:
    """Half a lease must cover a whole job right after a heartbeat, or none would ever start."""
    if config.job.limit_s + config.job.grace_s + _MARGIN_S > timing.hold_s:
        most_s = timing.hold_s - config.job.grace_s - _MARGIN_S
        raise UnfitStore(f"job.limit_s is {config.job.limit_s:g}, and this fleet's lease covers jobs of {most_s:g} s at most. "
                         "Lower it, or let the operator make a fleet with a longer lease.")  # fmt: skip


def _about(config: Config, robot: parameters.Robot, sha256: str, busy: str) -> dict[str, Any]:
    return {
        "name": config.name, "robot": sha256, "kind": robot.kind, "link": config.robot.link,
        "tags": list(config.federation.tags), "busy": busy, "software": version("raas-appliance"),
    }  # fmt: skip


def say(paths: Paths, sentence: str) -> None:
    """Tell the page why the fleet isn't there; where the disk is full not even that."""
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(Store(paths.database)) as store:
        Look.write(store, FleetView(state="waiting", sentence=sentence))


def serve(place: Place) -> None:
    """Start again and again until told to stop."""
    backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
    while not place.stopping.is_set():
        service, began_s = Service(place), fleet_lease.now_s()
        try:
            service.work()
        except (RaasError, parameters.RobotFileError) as error:
            _log.warning("%s", error)
            place.notifier.status(str(error))
            say(place.paths, str(error))
        except (OSError, sqlite3.OperationalError) as error:
            _log.warning("%s", text := _NO_DISK.format(error))
            place.notifier.status(text)
            say(place.paths, text)
        except Exception:  # noqa: BLE001 - the process's edge
            _log.exception("unexpected; going on as after a crash")
            say(place.paths, "The fleet's process had an unexpected error; its log says more.")
        finally:
            service.close()
        place.stopping.wait(backoff.after(fleet_lease.now_s() - began_s))
