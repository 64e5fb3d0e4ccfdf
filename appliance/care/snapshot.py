"""What was seen when somebody looked at the machine? Plain data: `gathering` fills it in, the checks judge it.

None stands for what could not be seen from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """Configuration and robot file: empty problems where they can be used. is_fitted: not the packaged parameters.

    robot_taken: what was taken on the page Calibration, for people; robot_left_out: why something of it doesn't hold.
    """

    problem: str = ""
    robot_problem: str = ""
    robot_file: str = ""
    is_fitted: bool = False
    is_real: bool = False
    robot_taken: str = ""
    robot_left_out: str = ""
    page_problem: str = ""


@dataclass(frozen=True)
class Pin:
    """One GPIO: its number, pigpiod's mode (0 input, 1 output, else an alternative function), its level."""

    number: int
    mode: int
    level: int


@dataclass(frozen=True)
class Robot:
    """The robot's daemon and its guard. version: pigpiod's, None where nothing answers. runs: the guard answers.

    faults: those that the guard has seen since it started, and how often; self_tests: how many passed and failed.
    """

    where: str = ""
    version: int | None = None
    motor_pins: tuple[Pin, ...] = ()
    encoder_pins: tuple[Pin, ...] = ()
    runs: bool = False
    guard_problem: str = ""
    state: str = ""
    fault: str = "none"
    loop_alive: bool = True
    gateway_alive: bool = True
    stopped_by: str = ""
    faults: tuple[tuple[str, int], ...] = ()
    self_tests: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class RealTime:
    """Means for the motor loop. report: the loop's own line, or that of a trial in a process of our own."""

    report: str = ""
    is_loops_own: bool = False
    core: int = 0
    cores: int = 1
    isolated: str | None = None
    governor: str | None = None
    preempt_rt: bool | None = None


@dataclass(frozen=True)
class Engine:
    """Docker Engine: its words on what it can limit, and whether the job image is there."""

    host: str
    problem: str = ""
    version: str = ""
    limits: Mapping[str, bool] = field(default_factory=dict)
    has_image: bool = True


@dataclass(frozen=True)
class Proof:
    """What the runner found when it exceeded each limit of a cell. problem: its words for those that don't hold."""

    day: str
    held: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True)
class Storage:
    """The data folder's file system."""

    folder: str
    free_mb: int = 0
    total_mb: int = 0
    least_mb: int = 0
    free_files_percent: float = 100.0
    kind: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Clock:
    """The wall clock. newest_s: the latest time that the database knows."""

    now_s: float
    synchronized: bool | None = None
    newest_s: float = 0.0


@dataclass(frozen=True)
class Power:
    """A Raspberry Pi's supply and temperature. throttled: the firmware's bits; None on other machines."""

    model: str = ""
    throttled: int | None = None
    celsius: float | None = None


@dataclass(frozen=True)
class Network:
    """How the page is reached. answers: HTTP status of its /healthz, None if nothing does.

    certificate: its names, and its end (s since the epoch); certificate_problem: why it can't be read.
    """

    address: str
    port: int
    addresses: tuple[str, ...] = ()
    has_route: bool = False
    answers: int | None = None
    scheme: str = "http"
    certificate: tuple[tuple[str, ...], float] | None = None
    certificate_problem: str = ""


@dataclass(frozen=True)
class Database:
    """The SQLite file. schema: -1 where there is no file yet. residuals: the twin's error (rad), newest job first."""

    path: str
    schema: int = -1
    newest_schema: int = 0
    problem: str = ""
    jobs: int = 0
    residuals: tuple[float, ...] = ()


@dataclass(frozen=True)
class Right:
    """A file or folder: who reads and writes it (mode bits), and which of these bits must not be set."""

    path: str
    mode: int
    forbidden: int
    why: str


@dataclass(frozen=True)
class Service:
    """A unit of systemd: its name and state, and what to look at when it has failed."""

    name: str
    active: str


@dataclass(frozen=True)
class Camera:
    """The camera, where there is one. age_s: of its newest picture, None if there is none. said: by whoever looks through it."""

    age_s: float | None
    said: str


@dataclass(frozen=True)
class Snapshot:
    """Everything at once. `engine` is None where whoever looks has no access to Docker's socket, and mustn't have."""

    settings: Settings
    robot: Robot
    real_time: RealTime
    storage: Storage
    clock: Clock
    power: Power
    network: Network
    database: Database
    rights: tuple[Right, ...] = ()
    services: tuple[Service, ...] = ()
    engine: Engine | None = None
    proof: Proof | None = None
    camera: Camera | None = None
