-- Jobs that come from a fleet, and jobs that go to one.
-- '': of this appliance alone; 'guest': claimed from the fleet, runs here; 'away': submitted here, runs elsewhere
ALTER TABLE job ADD COLUMN place TEXT NOT NULL DEFAULT '' CHECK (place IN ('', 'guest', 'away'));

-- The one job of the fleet that this appliance has claimed, or may have.
CREATE TABLE fleet_held (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    job      TEXT NOT NULL,                         -- its name in the fleet
    token    INTEGER NOT NULL,                      -- slot of the claim
    sealed   BLOB NOT NULL,                         -- the claim's bytes
    sure     INTEGER NOT NULL,                      -- whether it is known to stand in its slot
    spec     BLOB NOT NULL DEFAULT x'',             -- JSON
    local_id TEXT NOT NULL DEFAULT '',              -- the row in `job` that runs it
    problem  TEXT NOT NULL DEFAULT '',              -- why it can't be run here
    since    REAL NOT NULL DEFAULT 0,               -- CLOCK_BOOTTIME when it was handed over
    boot     TEXT NOT NULL DEFAULT '',              -- the lease holds in this boot of the machine only
    until_s  REAL NOT NULL DEFAULT 0                -- CLOCK_BOOTTIME until which it may be acted on
) STRICT;

-- Jobs that were submitted here for the fleet.
CREATE TABLE fleet_sent (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    local_id TEXT NOT NULL UNIQUE REFERENCES job (id) ON DELETE CASCADE,
    wish     BLOB NOT NULL,                         -- JSON: what the submitter asked for
    spec     BLOB NOT NULL DEFAULT x'',             -- JSON, once its archive is known
    job      TEXT NOT NULL DEFAULT '',              -- its name in the fleet, before it is sent
    sealed   BLOB NOT NULL DEFAULT x'',
    state    TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent', 'home'))
) STRICT;
CREATE INDEX fleet_sent_by_state ON fleet_sent (state, number);

-- What was refused in the fleet, and why it can't be used; the newest few hundred.
CREATE TABLE fleet_complaint (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at     REAL NOT NULL,
    who    TEXT NOT NULL,
    text   TEXT NOT NULL
) STRICT;
