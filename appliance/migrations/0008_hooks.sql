-- Who is told when a job has ended, and how that went. The trigger writes in the transaction that ends the job, whoever ends
-- it, so no end is missed and none is told twice.
CREATE TABLE hook (
    id      TEXT PRIMARY KEY,
    url     TEXT NOT NULL,
    secret  TEXT NOT NULL,                          -- signs what is sent
    made_at REAL NOT NULL
) STRICT;

CREATE TABLE hook_delivery (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,                  -- the same at every try
    hook_id  TEXT NOT NULL REFERENCES hook (id) ON DELETE CASCADE,
    event    TEXT NOT NULL,                         -- 'job.ended' or 'test'
    job_id   TEXT NOT NULL DEFAULT '',
    made_at  REAL NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    next_at  REAL,                                  -- null: delivered, or given up
    tried_at REAL,
    status   INTEGER,                               -- of the last answer; null: there was none
    said     TEXT NOT NULL DEFAULT ''               -- what came of the last try, for a person
) STRICT;
CREATE INDEX hook_delivery_due ON hook_delivery (next_at) WHERE next_at IS NOT NULL;

CREATE TRIGGER job_ended AFTER UPDATE OF state ON job
WHEN NEW.state IN ('succeeded', 'failed', 'timed_out', 'cancelled')
    AND OLD.state NOT IN ('succeeded', 'failed', 'timed_out', 'cancelled')
BEGIN
    INSERT INTO hook_delivery (id, hook_id, event, job_id, made_at, next_at)
    SELECT lower(hex(randomblob(16))), id, 'job.ended', NEW.id, (julianday('now') - 2440587.5) * 86400.0, 0.0 FROM hook;
END;
