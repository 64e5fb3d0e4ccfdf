"""Prepare one git job and one archive job and print what came of it: run by tests/test_intake.py as other users.

`python tests/prepare_once.py FOLDER URL`, prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from appliance.errors import RaasError
from appliance.intake import isolation
from appliance.store import Job
from tests.submissions import RUN, Bench, zip_of


def attempt(bench: Bench, job: Job) -> dict[str, object]:
    """What became of a job."""
    try:
        prepared = bench.prepare(job)
    except RaasError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"commit": prepared.commit_id, "files": bench.files(job)}


def main(folder: Path, url: str) -> None:
    """Do it."""
    bench = Bench(folder, allow_http=True, allow_private=True, max_mb=2)
    found = {
        "level": isolation.level(),
        "git": attempt(bench, bench.git(url)),
        "archive": attempt(bench, bench.archive(zip_of({"run.py": RUN}))),
        "missing": attempt(bench, bench.git(url + "x")),
        "too big": attempt(bench, bench.archive(zip_of({"run.py": RUN, "big": os.urandom(3 << 20)}))),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
