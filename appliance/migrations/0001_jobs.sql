-- Jobs, what happened to them, and the few facts that all processes share.
CREATE TABLE job (
    id               TEXT PRIMARY KEY,              -- ULID
    queue_key        REAL NOT NULL,                 -- order in the queue: lower runs first
    state            TEXT NOT NULL,
    reason           TEXT NOT NULL DEFAULT '',
    detail           TEXT NOT NULL DEFAULT '',      -- a sentence for a person
    name             TEXT NOT NULL DEFAULT '',
    submitter        TEXT NOT NULL,
    source_kind      TEXT NOT NULL CHECK (source_kind IN ('git', 'archive')),
    source           TEXT NOT NULL,                 -- git URL, or the archive's file name
    ref              TEXT NOT NULL DEFAULT '',
    commit_id        TEXT NOT NULL DEFAULT '',      -- git commit, or sha256 of the archive
    image            TEXT NOT NULL DEFAULT 'standard',
    priority         INTEGER NOT NULL DEFAULT 0,
    attempt          INTEGER NOT NULL DEFAULT 1,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    submitted_at     REAL NOT NULL,                 -- seconds since the epoch
    started_at       REAL,                          -- run.py started
    ended_at         REAL,
    exit_code        INTEGER,
    steps            INTEGER,
    missed_steps     INTEGER,
    residual         REAL                           -- measured against twin; filled by a later version
) STRICT;
CREATE INDEX job_by_queue ON job (state, queue_key);
CREATE INDEX job_by_submission ON job (submitted_at);

-- What the event stream replays: every change of a job or of the queue, in order.
CREATE TABLE event (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    at     REAL NOT NULL,
    kind   TEXT NOT NULL,                           -- 'job' or 'queue'
    job_id TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE fact (
    key   TEXT PRIMARY KEY,                         -- 'queue_paused', 'runner_heartbeat', ...
    value TEXT NOT NULL
) STRICT;
