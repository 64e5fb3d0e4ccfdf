"""An appliance with an owner, everything that somebody could show to get in, and what nobody may change thereby."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from appliance.config import Config
from appliance.identity import sessions
from appliance.identity.ownership import Ownership
from appliance.webui import app
from appliance.webui.gatekeeper import READING
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call
from tests.webui.stage import Stage, WebProcess

PASSWORD, NEW_PASSWORD = "correct horse battery", "another horse entirely"
SETTINGS = "robot: {link: pigpiod}\nweb: {submit: token}\nfetch: {max_upload_mb: 1}\n"
#: What changes by itself.
RESTLESS = {"runner_heartbeat"}


@dataclass(frozen=True)
class Besieged:
    """insufficient: what the owner's addresses must refuse, as headers. submitter: what others' addresses may refuse, too."""

    stage: Stage
    web: WebProcess
    routes: list[tuple[str, str]]
    job_id: str
    owner: dict[str, str]
    owners_cookie: dict[str, str]
    submitter: dict[str, str]
    insufficient: dict[str, dict[str, str]]

    def path(self, rule: str) -> str:
        """An address that exists, so that an attack that got through would do something."""
        name = "webui" if "/services/" in rule else "keeper"
        parts = {
            "<job_id>": self.job_id,
            "<name>": name,
            "<verb>": "restart",
            "<hook_id>": "0",
            "<file_name>": "result.json",
        }
        for part, value in {**parts, "<version>": "0", "<name:path>": "style.css"}.items():
            rule = rule.replace(part, value)
        return rule

    @property
    def writes(self) -> list[tuple[str, str]]:
        """(method, path) of everything that changes something."""
        return [(method, self.path(rule)) for method, rule in self.routes if method not in READING]

    @property
    def own(self) -> dict[str, str]:
        """The headers of a page of the appliance's own."""
        return {"Origin": self.web.url, "Host": self.web.url.partition("//")[2]}

    def state(self) -> tuple[object, ...]:
        """Database, owner, settings, uploads, and what the guard was asked."""
        paths = self.stage.paths
        with closing(sqlite3.connect(paths.database)) as db:
            rows = [line for line in db.iterdump() if not any(key in line for key in RESTLESS)]
        kept = {
            path: path.read_bytes()
            for folder in (paths.identity, paths.data / "settings", paths.inbox)
            for path in files(folder)
        }
        return rows, kept, list(self.stage.guard.asked)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def fill_in(web: WebProcess, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
    """Send a form of the appliance's own page."""
    own = {"Origin": web.url, "Host": web.url.partition("//")[2], "Content-Type": "application/x-www-form-urlencoded"}
    return call(web.port, "POST", path, urlencode(fields).encode(), {**own, **(headers or {})})


def cookie(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def besieged(folder: Path) -> Iterator[Besieged]:
    """Claimed, with tokens of each kind and sessions that have ended in each way."""
    with set_stage(SETTINGS) as stage:
        now_s = time.time()
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), PASSWORD)
        foreign = Ownership(folder / "another appliance")
        foreign.claim(foreign.setup_code(), PASSWORD)
        tokens = {
            "owner": ownership.add_token("otto", "owner", now_s),
            "submitter": ownership.add_token("anna", "submit", now_s),
            "expired_token": ownership.add_token("ended", "owner", now_s - 100.0, lasts_s=50.0),
            "removed_token": ownership.add_token("removed", "owner", now_s),
            "foreign_token": foreign.add_token("otto", "owner", now_s),
        }
        ownership.add_token("keeper", "submit", now_s)
        ownership.remove_token("removed")
        ended = ownership.log_in(now_s - sessions.LIFETIME_S - 1.0)
        job = stage.queued("theirs")
        routes = app.build(Config(), stage.paths, stage.paths.config).routes
        with stage.serve() as web:
            logged_out = cookie(fill_in(web, "/login", password=PASSWORD))
            before = cookie(fill_in(web, "/login", password=PASSWORD))
            by_token = cookie(fill_in(web, "/login", password=tokens["submitter"]))
            assert fill_in(web, "/logout", logged_out).status == 303
            changed = fill_in(web, "/owner/password", before, old=PASSWORD, new=NEW_PASSWORD)
            assert changed.status == 303, changed.body
            said = before["Cookie"].partition("=")[2]
            cookies = {
                "cookie_after_logout": logged_out,
                "cookie_before_a_new_password": before,
                "cookie_of_a_token_before_it": by_token,
                "cookie_of_another_appliance": {"Cookie": f"raas_session={foreign.log_in(now_s)}"},
                "expired_cookie": {"Cookie": f"raas_session={ended}"},
                "forged_cookie": {"Cookie": "raas_session=" + said.replace(said[:2], "99", 1)},
                "token_as_cookie": {"Cookie": f"raas_session={tokens['owner']}"},
            }
            owner = bearer(tokens["owner"])
            insufficient = {
                "nothing": {}, "basic_credentials": {"Authorization": "Basic b3R0bzpvdHRv"}, "garbage": bearer("\xff" * 300),
                **{name: bearer(tokens[name]) for name in ("expired_token", "removed_token", "foreign_token")}, **cookies,
            }  # fmt: skip
            yield Besieged(
                stage, web, sorted(routes), job.id, owner, cookie(changed), bearer(tokens["submitter"]), insufficient
            )
