-- Programs elsewhere that drive the robot over the network.
ALTER TABLE job ADD COLUMN lease_s REAL;                             -- the time limit of such a one; NULL: a program runs here

CREATE TABLE lease_permission (
    name       TEXT PRIMARY KEY,
    public_key BLOB NOT NULL UNIQUE,                -- the public half of the person's key
    made_at    REAL NOT NULL,                       -- seconds since the epoch
    ends_at    REAL                                 -- NULL: no end
) STRICT;
