"""Who is built of what? Everything behind one WSGI application, wired in one place."""

from __future__ import annotations

import logging
import socket
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from appliance import facts
from appliance.calibration import in_use
from appliance.care.machine_look import Kernel
from appliance.config import Config
from appliance.errors import NotFound
from appliance.identity.ownership import Ownership
from appliance.jobs import State
from appliance.paths import Paths
from appliance.store import Store
from appliance.webui import bodies, samples
from appliance.webui.again import Again
from appliance.webui.animations import Animations
from appliance.webui.api_routes import ApiRoutes
from appliance.webui.board import Board
from appliance.webui.camera_routes import CameraRoutes
from appliance.webui.comparing import Comparing
from appliance.webui.doorkeeper import Doorkeeper
from appliance.webui.driven import Driven
from appliance.webui.errands_asked import ErrandsAsked
from appliance.webui.errors_shown import ErrorsShown
from appliance.webui.event_routes import EventRoutes
from appliance.webui.fleet_routes import FleetRoutes
from appliance.webui.gatekeeper import Gatekeeper, is_loopback
from appliance.webui.git_check import GitCheck
from appliance.webui.health import Doctor
from appliance.webui.hook_routes import HookDesk, HookRoutes
from appliance.webui.hub import Hub
from appliance.webui.identity_routes import COOKIES, IdentityRoutes, announce
from appliance.webui.job_files import Disk
from appliance.webui.job_images import JobImages
from appliance.webui.job_routes import JobRoutes
from appliance.webui.job_views import Lens
from appliance.webui.leaderboard import LeaderboardRoutes
from appliance.webui.lease_routes import LeaseRoutes
from appliance.webui.metrics import Metrics
from appliance.webui.owner_calibration import OwnerCalibration
from appliance.webui.owner_looks import Looks
from appliance.webui.owner_pages import OwnerFrame, OwnerPages
from appliance.webui.owner_settings import OwnerSettings
from appliance.webui.owner_welcome import OwnerWelcome
from appliance.webui.pages import Pages
from appliance.webui.people_routes import PeopleRoutes
from appliance.webui.queue_routes import QueueRoutes
from appliance.webui.robot_file import RobotFile
from appliance.webui.robot_routes import RobotRoutes
from appliance.webui.static_files import StaticFiles
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import Counter
from appliance.webui.threads import Threads
from appliance.webui.uploads import Inbox
from appliance.webui.watch import Watch
from appliance.webui.web import Site, Templates, WsgiApp

TEMPLATES = Path(__file__).with_name("templates")
_MIB = 2**20
_LOG = logging.getLogger("webui")


@dataclass(frozen=True)
class Application:
    """What the entry point serves, and what it starts beside it. routes: each method and rule that is answered."""

    wsgi: WsgiApp
    watch: Watch
    routes: frozenset[tuple[str, str]]


def build(config: Config, paths: Paths, config_file: Path) -> Application:
    """The web application of one appliance, whose raas.yaml is `config_file`."""
    store, disk, hub = StoreThreads(paths.database), Disk(), Hub()
    board = Board(config, paths, time.monotonic_ns)
    inbox = Inbox(paths.inbox, config.fetch.max_upload_mb * _MIB, config.storage.min_free_mb * _MIB)
    inbox.prepare(lambda job_id: store.read(lambda rows: _exists(rows, job_id)))

    def lens() -> Lens:
        return Lens(paths, config.job.limit_s, time.time())

    files = StaticFiles()
    templates = Templates(TEMPLATES, unenforced=lambda: _unenforced(store), static=files.prefix,
                          appliance_name=config.name, has_login=not _is_at_home(config),
                          has_fleet=bool(config.federation.bucket))  # fmt: skip
    images = JobImages(paths, disk, config.job.image)
    counter = Counter(config, store, inbox, images, time.time)
    robot_file = RobotFile(in_use.file_of(config), paths, Threads(1))
    robot = RobotRoutes(board, Doctor(config, paths, board, store, time.time), robot_file)
    site = Site(bodies.check, ErrorsShown(templates, board.robot))
    files.install(site)
    ApiRoutes(templates, board).install(site)
    samples.install(site)
    robot.install(site)
    job_routes = JobRoutes(store, counter, disk, lens)
    errands = ErrandsAsked(paths.database)
    Animations(paths, store, errands, disk, time.time).install(site)  # before what takes any name of a file
    camera = CameraRoutes(config.camera, paths, store, disk)
    camera.install(site)
    job_routes.install(site)
    FleetRoutes(config, templates, board, store, inbox, job_routes).install(site)
    QueueRoutes(store, lens, images).install(site)
    Again(store, counter, Threads(1), lens).install(site)
    GitCheck(config, store, errands, time.time).install(site)
    Metrics(board, store, paths, Kernel(), Threads(1), time.time).install(site)
    EventRoutes(hub, board, store, lens).install(site)
    driven = Driven(paths, disk, board)
    Pages(config, paths, templates, board, store, counter, disk, robot, lens, images, driven, camera).install(site)
    Comparing(templates, driven, store, lens).install(site)
    LeaderboardRoutes(templates, board, store, lens).install(site)
    frame = OwnerFrame(templates, board, time.time)
    OwnerPages(paths, frame, Looks(paths, config_file), lambda: store.read(_has_running)).install(site)
    settings = OwnerSettings(paths, config_file, frame, Threads(1))
    settings.install(site)
    OwnerWelcome(paths, frame, settings, store).install(site)
    HookRoutes(config, frame, HookDesk(paths.database), time.time).install(site)
    OwnerCalibration(paths, frame, store, Threads(1), robot_file).install(site)
    ownership = Ownership(paths.identity)
    IdentityRoutes(ownership, templates, board, time.time, COOKIES[config.web.scheme]).install(site)
    leases = LeaseRoutes(config, paths, Threads(1), time.time)
    leases.install(site)
    PeopleRoutes(ownership, frame, config.web.submit, time.time, leases).install(site)
    return Application(_guarded(config, ownership, site), Watch(board, hub, store, lens), frozenset(site.routes))


def _is_at_home(config: Config) -> bool:
    """Whether it needs no owner: a twin that only this machine reaches."""
    return config.robot.link == "twin" and is_loopback(config.web.address)


def _guarded(config: Config, ownership: Ownership, site: Site) -> WsgiApp:
    """The site behind its doors: who may do what, and before that, under which names it is reached."""
    is_local, at_home = is_loopback(config.web.address), _is_at_home(config)
    if not ownership.is_claimed and not at_home:
        announce(ownership, _LOG.warning)
    doorkeeper = Doorkeeper(site, ownership, at_home, config.web.submit == "anyone", time.time)
    own_names = () if is_local else (socket.gethostname(), f"{socket.gethostname()}.local")
    return Gatekeeper(
        doorkeeper, (config.web.address, *own_names, *config.web.hosts), literals=not is_local, hsts_s=config.web.hsts_s
    )


def _has_running(rows: Store) -> bool:
    return any(job.state is State.RUNNING for job in rows.active())


def _unenforced(store: StoreThreads) -> str:
    """A limit that doesn't hold, for every page; nothing where the database can't tell, as on an error's page."""
    try:
        return store.read(lambda rows: rows.fact(facts.UNENFORCED))
    except sqlite3.Error:
        return ""


def _exists(rows: Store, job_id: str) -> bool:
    try:
        rows.get(job_id)
    except NotFound:
        return False
    return True
