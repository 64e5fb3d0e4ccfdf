"""A long history is listed page by page, and what is asked for all the time reads no more of it than it needs."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.bench import many_jobs
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess


def test_the_bench_of_many_jobs_works() -> None:
    found = many_jobs.measure(jobs=300, rounds=1)
    assert [each.address for each in found] == list(many_jobs.ADDRESSES)


def test_a_long_history_is_read_page_by_page(stage: Stage, web: WebProcess) -> None:
    many_jobs.fill(stage.paths.database, 1200)
    seen, before = [], ""
    while before is not None:
        page = call(web.port, "GET", f"/api/jobs?limit=500&before={before}").json
        assert page["total"] == 1200
        seen += [job["id"] for job in page["jobs"]]
        before = page["next"]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 1200


def test_what_is_asked_all_the_time_is_found_by_an_index(stage: Stage) -> None:
    asked = (
        "SELECT * FROM job WHERE state = ? AND place <> ?",
        "SELECT * FROM job WHERE place = ? AND ended_at IS NULL ORDER BY id",
        "SELECT * FROM job WHERE state IN (?, ?) AND place <> ? ORDER BY id",
    )
    with closing(sqlite3.connect(stage.paths.database)) as db:
        for query in asked:
            plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}", ["x"] * query.count("?")))
            assert "USING INDEX" in plan, (query, plan)
