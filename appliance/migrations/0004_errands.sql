-- What the web page asks the runner to do on the side: the one may not reach the network, nor work for long.
CREATE TABLE errand (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,                         -- 'look' at a repository, or 'draw' a run
    subject  TEXT NOT NULL,                         -- which one
    asked_at REAL NOT NULL,                         -- seconds since the epoch
    begun_at REAL,
    done_at  REAL,
    answer   TEXT NOT NULL DEFAULT '',              -- JSON
    UNIQUE (kind, subject)
) STRICT;
