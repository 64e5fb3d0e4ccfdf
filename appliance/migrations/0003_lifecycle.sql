-- What becomes of a job before it drives, and after it has driven.
ALTER TABLE job ADD COLUMN notes TEXT NOT NULL DEFAULT '';           -- sentences for the submitter, one a line
ALTER TABLE job ADD COLUMN preflight INTEGER NOT NULL DEFAULT 0;     -- tried on the simulation first
ALTER TABLE job ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;        -- its results are never cleared
ALTER TABLE job ADD COLUMN cleared_at REAL;                          -- its results made room for newer ones
