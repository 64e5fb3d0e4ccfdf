-- Jobs that are away are looked for five times a second; without this each look reads the whole table.
CREATE INDEX job_by_place ON job (place, ended_at);
