"""Which shapes does the HTTP API speak? Typed structs shared by web UI, command line and results.

Times on the wire are seconds since the epoch (UTC); durations are seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from appliance.lease_shapes import NetworkTiming


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """One job, as `GET /api/jobs/ID` answers. `sentence` says state and reason to a person.

    standard_return: of the standard task, null where it wasn't done. board_name: '' keeps it off the leaderboard.

    position: 1 is next, null when it doesn't wait. eta_s: until it starts (waiting) or ends at the latest (running).
    place: 'guest' came from the fleet, 'away' was sent to it, '' is this appliance's own.
    """

    id: str
    state: str
    reason: str
    sentence: str
    position: int | None
    eta_s: float | None
    attempt: int
    name: str
    submitter: str
    source_kind: str
    source: str
    ref: str
    commit_id: str
    image: str
    priority: int
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    limit_s: float
    exit_code: int | None
    steps: int | None
    missed_steps: int | None
    residual: float | None
    has_bundle: bool
    log_bytes: int
    notes: list[str] = []
    preflight: bool = False
    pinned: bool = False
    cleared_at: float | None = None
    place: str = ""
    standard_return: float | None = None
    board_name: str = ""


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/jobs?limit=&before=`: newest first; `next` is the `before` of the following page or null."""

    jobs: list[JobView]
    total: int
    next: str | None


class SubmitGit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/jobs` for a repository."""

    git_url: str
    ref: str = ""
    name: str = ""
    image: str = ""
    preflight: bool = False
    board_name: Annotated[str, msgspec.Meta(max_length=200)] = ""


class BoardName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/jobs/ID/board`: under which name a job stands on the leaderboard; '' takes it off."""

    name: Annotated[str, msgspec.Meta(max_length=200)]


class BoardEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A name's best job on a robot. mean_return: over the job's episodes. twin_return: of the same actions on the twin."""

    rank: int
    name: str
    mean_return: float
    twin_return: float | None
    at: float
    robot: str
    job_id: str


class Leaderboard(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/leaderboard`: the best first. unlisted: jobs that did the standard task and gave no name."""

    entries: list[BoardEntry]
    unlisted: int


class EndedJob(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook says of a job that has ended; as in `JobView`, `detail` is a sentence."""

    id: str
    state: str
    reason: str
    detail: str
    name: str
    submitter: str
    source_kind: str
    source: str
    ref: str
    commit_id: str
    attempt: int
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    exit_code: int | None
    steps: int | None
    missed_steps: int | None
    residual: float | None
    standard_return: float | None


class HookBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is sent. event: `job.ended`, or `test` with job null. delivery: the same at every try."""

    event: str
    delivery: str
    robot: str
    job: EndedJob | None


class HookWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/owner/hooks`; without a secret one is made."""

    url: Annotated[str, msgspec.Meta(max_length=1000)]
    secret: Annotated[str, msgspec.Meta(max_length=200)] = ""


class HookView(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook. secret: told once, in the answer to `POST /api/owner/hooks`; '' afterwards."""

    id: str
    url: str
    made_at: float
    secret: str = ""


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery. state: waiting, delivered or given_up. next_at: when it is tried again, null if it isn't."""

    id: str
    hook_id: str
    host: str
    event: str
    job_id: str
    made_at: float
    state: Literal["waiting", "delivered", "given_up"]
    tries: int
    next_at: float | None
    status: int | None
    said: str


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/owner/hooks`: who is told of a job's end, and the last deliveries, the newest first."""

    hooks: list[HookView]
    deliveries: list[DeliveryView]


class Animation(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/jobs/ID/animation`: how far a run's GIF is. `url` leads to it once it is ready."""

    state: Literal["none", "waiting", "drawing", "ready", "failed"]
    sentence: str
    url: str = ""
    size_bytes: int = 0


class CameraView(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/camera`: whether there is a picture, at /api/camera/picture, and if not, why."""

    live: bool
    sentence: str


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/jobs/ID/camera`: what the camera saw of a run. times_s: of each picture, since the run's start.

    Picture number N (from 0) is at /jobs/ID/camera/ATTEMPT/N; all of them, one JPEG after the other, at `url`, '' if there is none.
    """

    attempt: int
    times_s: list[float]
    size_bytes: int
    url: str
    sentence: str


class CheckGit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/git/check`."""

    git_url: Annotated[str, msgspec.Meta(max_length=2000)]
    ref: Annotated[str, msgspec.Meta(max_length=255)] = ""


class GitSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at a git address now. ok: as far as was seen, a job of it can be prepared; `sentence` says it to a person.

    ref: the branch or tag, '' for a commit. has_program: whether run.py is at its top; null where that wasn't seen.
    """

    ok: bool
    sentence: str
    ref: str = ""
    commit: str = ""
    has_program: bool | None = None


class RobotView(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/robot`, and event `robot` of the stream (at most 15 a second).

    state: RobotState's name in lower case, or `offline` where no loop publishes. t_s: when this was measured, on the
    robot's own monotonic clock; age_s: how long ago that was. kind: of robot, which says what the shaft's angle means.
    """

    name: str
    link: str
    state: str
    fault: str
    stopped: bool
    stop_who: str
    stop_why: str
    sentence: str
    job_id: str
    angle_rad: float
    velocity_rad_s: float
    action: float
    command: float
    session_s: float
    time_left_s: float
    limit_s: float
    steps: int
    missed: int
    rate_hz: float
    target_rate_hz: int
    missed_ticks: int
    worst_tick_us: int
    queue_length: int
    queue_paused: bool
    age_s: float
    t_s: float = 0.0
    kind: str = "pendulum"


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/queue`, and event `queue` of the stream: what is being worked on, then what waits, in running order.

    `waiting` holds the first jobs only, `length` counts them all. `paused_by`: owner or emergency_stop.
    """

    paused: bool
    length: int
    active: list[JobView]
    waiting: list[JobView]
    paused_by: str = ""


class MoveJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/jobs/ID/move`: 1 is next."""

    position: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class PinJob(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/jobs/ID/pin`."""

    pinned: bool = True


class ImageView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `GET /api/images`, the usual image first: what a program finds in it, name -> version."""

    name: str
    packages: dict[str, str]


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """Event `log` of the stream: the output of this attempt has so many bytes now; `GET /api/jobs/ID/log` has them."""

    id: str
    attempt: int
    size: int


class Motion(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/robot/motion`: the last seconds of the live ring in columns of equal length, oldest first."""

    t_s: list[float]
    angle_rad: list[float]
    velocity_rad_s: list[float]
    action: list[float]


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """One of `GET /api/samples`: a program to start from. program: the text of its run.py."""

    name: str
    title: str
    about: str
    program: str


class TokenWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/tokens`: whose it is, what it allows, for how many days (null: until it is removed)."""

    name: str
    right: Literal["submit", "owner"] = "submit"
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class NewToken(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to `POST /api/tokens`; the token isn't told again."""

    name: str
    token: str


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """One of `GET /api/tokens`. ends_at: null if it has no end."""

    name: str
    right: str
    made_at: float
    ends_at: float | None
    ended: bool


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Every error answer: `error` is a short code, `message` says what is wrong and what to do."""

    error: str
    message: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /healthz`: 200 when ok, else 503; each part says 'ok' or what is wrong."""

    ok: bool
    parts: dict[str, str]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`result.json`: N steps; obs after each step, shape N x 3 for a pendulum; stdout with stderr in it; failed: not succeeded."""

    times: list[float]
    obs: list[tuple[float, ...]]
    actions: list[float]
    costs: list[float]
    stdout: str
    failed: bool


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How the loop kept its time in one attempt.

    late_us: wake-ups after their deadline; late_histogram: of the same, (upper bound in µs, count). work_us: per tick, `max` is
    the worst one. missed_ticks, missed_boundaries: deadlines and 50 ms boundaries that passed unused.
    """

    ticks: int
    late_us: dict[str, float]
    work_us: dict[str, float]
    step_error_us: dict[str, float]
    late_histogram: list[tuple[int, int]] = []
    missed_ticks: int = 0
    missed_boundaries: int = 0


class SelfTest(msgspec.Struct, frozen=True, kw_only=True):
    """How the robot was before or after a job: settled, nudged, and let swing. `problem` says what to look at.

    friction_rad_s2: Coulomb friction that the swing has shown. zero_correction_counts: how far the zero was off.
    """

    passed: bool
    problem: str = ""
    settle_s: float = 0.0
    test_s: float = 0.0
    friction_rad_s2: float = 0.0
    zero_correction_counts: int = 0


class StandardTask(msgspec.Struct, frozen=True, kw_only=True):
    """A job that did the standard task (`gym_raas.standard`): how often, its returns, and boundaries missed in all of it.

    twin_return: mean return of the same actions on the robot's twin.
    """

    episodes: int
    mean_return: float
    best_return: float
    missed: int
    twin_return: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`report.json`, written last: what happened in one attempt, and a checksum (SHA-256) of every other file."""

    schema: int
    job_id: str
    attempt: int
    state: str
    reason: str
    detail: str
    name: str
    submitter: str
    source_kind: str
    source: str
    ref: str
    commit_id: str
    image: str
    robot: str
    robot_kind: str
    link: str
    parameter_hash: str
    software: str
    submitted_at: float
    started_at: float | None
    ended_at: float
    duration_s: float
    limit_s: float
    exit_code: int | None
    out_of_memory: bool
    settle_s: float
    steps: int
    missed_steps: int
    return_sum: float
    output_bytes: int
    output_dropped_bytes: int
    timing: Timing | None
    residual: dict[str, float] | None
    files: dict[str, str]
    self_test_before: SelfTest | None = None
    self_test_after: SelfTest | None = None
    standard_task: StandardTask | None = None
    network: NetworkTiming | None = None
