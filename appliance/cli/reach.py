"""Which appliance does a command mean, and which job? From --url, --data and what a person types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from appliance.client import Client
from appliance.errors import NotFound
from appliance.paths import Paths
from appliance.shapes import JobView

DEFAULT_URL: Final = "http://127.0.0.1:8080"


def address(url: str, paths: Paths) -> str:
    """The appliance's URL: as given, else what a running `raas up` of this data folder wrote, else the default."""
    if url:
        return url if "://" in url else f"http://{url}"
    if paths.address.exists():
        return paths.address.read_text().strip()
    return DEFAULT_URL


def find_job(client: Client, wanted: str) -> JobView:
    """The job with this id; `last` is the newest, and the end of an id will do if only one recent job has it."""
    if len(wanted) == 26:
        return client.job(wanted.upper())
    recent = client.jobs(limit=200).jobs
    if wanted == "last":
        if not recent:
            raise NotFound("There are no jobs yet. Submit one with `raas submit FOLDER`.")
        return recent[0]
    found = [job for job in recent if len(wanted) >= 4 and job.id.endswith(wanted.upper())]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"{len(found)} recent jobs end with {wanted}; give more characters.")
    raise NotFound(f"No recent job is called {wanted}. `raas jobs` lists them; `last` means the newest.")


def is_git(source: str) -> bool:
    """Whether SOURCE of `raas submit` is a URL rather than a path."""
    return "://" in source or (not Path(source).exists() and (source.endswith(".git") or "@" in source))
