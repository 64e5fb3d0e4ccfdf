"""Every page there is, asked of the router: a new one is looked at without anybody adding it to a list.

The appliance behind them has all of it: history, a queue, a fleet, people who may drive over the network, webhooks, names on
the leaderboard.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from appliance import facts
from appliance.config import Config
from appliance.fleet_shapes import Applicant, ComplaintView, FleetView, JobLine, MemberView, Picture
from appliance.jobs import State
from appliance.lease.permissions import Permissions
from appliance.webui import app
from tests.webui.http_calls import call, post_json
from tests.webui.stage import Stage, WebProcess, furnish
from tests.webui.test_leaderboard import did_it

SETTINGS: Final = (
    "camera: {url: test}\nlease: {enabled: true}\n"
    "federation: {bucket: robots, endpoint: 'http://127.0.0.1:1', fleet: lab, tags: [camera]}\n"
)


def furnished(stage: Stage, web: WebProcess) -> dict[str, str]:
    """Furnish an appliance that was set with `SETTINGS`; its pages' addresses by name."""
    for mean_return, name in (
        (-611.2, "Ada"),
        (-702.9, "control-lab"),
        (-1530.0, "A rather long name of a whole course"),
    ):
        did_it(stage, mean_return, name, submitter=f"{name}@127.0.0.1")
    running = furnish(stage)
    done = next(job for job in stage.store.recent(50) if job.state is State.SUCCEEDED and job.name.startswith("Swing"))
    stage.store.set_fact(facts.FLEET_STATUS, msgspec.json.encode(fleet(time.time())).decode(), time.time())
    permissions = Permissions(stage.paths.database)
    permissions.grant("anna", b"a" * 32, time.time(), None)
    permissions.grant("ben", b"b" * 32, time.time(), 3600.0)
    permissions.close()
    assert post_json(web.port, "/api/owner/hooks", {"url": "https://example.org/lab/told"}).status == 201
    pages = {"running": f"/jobs/{running.id}", "done": f"/jobs/{done.id}", "absent": "/jobs/x"}
    pages["compared"] = f"/compare?a={done.id}&b={done.id}"
    routes = app.build(Config(), stage.paths, stage.paths.config).routes
    for method, rule in sorted(routes):
        if method == "GET" and "<" not in rule and not rule.startswith("/api/") and _is_page(web, rule):
            pages[rule.strip("/").replace("/", "-") or "robot"] = rule
    return pages


def _is_page(web: WebProcess, path: str) -> bool:
    answer = call(web.port, "GET", path, headers={"Accept": "text/html"})
    return answer.status == 200 and answer.headers.get("content-type", "").startswith("text/html")


def fleet(now_s: float) -> FleetView:
    """A fleet as its process tells of it: members in each state, an applicant, jobs, something that was refused."""
    alive = MemberView(
        "pi-a", "Bench by the window", "pendulum", "pigpiod", ("camera",), "6f1d", "", "0.1.0", "", 41.0, is_alive=True
    )
    busy = msgspec.structs.replace(
        alive, who="pi-b", name="Bench by the door", holding="01M7", busy="drives a job", tags=()
    )
    silent = MemberView("pi-c", "Ben's", "pendulum", "pigpiod", silent_s=86400.0)
    out = MemberView("pi-d", "A robot with a name that fills its forty letters", "cart", "twin", is_out=True)
    swing = tuple(round(180 * (1 - k / 60)) for k in range(60))
    jobs = (
        JobLine("01M7", "held", now_s - 20, name="LQR from every start", by="pi-a", where="pi-b"),
        JobLine("01M6", "ended", now_s - 900, "succeeded", "Swing-up", "pi-c", "pi-a", "", 1200, swing),
        JobLine(
            "01M5", "ended", now_s - 4000, "failed", "", "pi-b", "pi-a", "run.py ended with exit code 1.", 37, swing[:9]
        ),
        JobLine("01M4", "open", now_s - 5000, name="A job with needs that nobody meets", by="pi-a"),
    )
    picture = Picture(
        now_s - 3, (alive, busy, silent, out), (Applicant("pi-e", "New bench", "ab12 cd34 ef56 7890"),), 1, 1, 2, jobs
    )
    refused = ComplaintView(now_s - 100, "pi-c", "An entry of q/01M6 isn't signed by who it says; it was left out.")
    return FleetView(
        state="working", sentence="Everything that is known here is in the bucket.", fleet="lab", me="pi-a", bucket="robots",
        endpoint="http://127.0.0.1:1", robot="s3://robots/f/lab/pi/pi-a", fingerprint="ab12 cd34", lease_s=600.0,
        complaints=(refused,), picture=picture,
    )  # fmt: skip
