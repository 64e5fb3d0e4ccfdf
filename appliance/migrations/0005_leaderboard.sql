-- The return of the standard task, where a job did it, and the name that its submitter wants beside it.
ALTER TABLE job ADD COLUMN standard_return REAL;                     -- mean over the job's episodes; null: not done
ALTER TABLE job ADD COLUMN twin_return REAL;                         -- of the same actions on the twin
ALTER TABLE job ADD COLUMN robot TEXT NOT NULL DEFAULT '';           -- which one has done it
ALTER TABLE job ADD COLUMN board_name TEXT NOT NULL DEFAULT '';      -- '': not on the leaderboard
CREATE INDEX job_by_standard_return ON job (standard_return) WHERE standard_return IS NOT NULL;
