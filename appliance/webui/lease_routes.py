"""Who may drive over the network? The page and the API tell, and take it back; they never see a token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.config import Config
from appliance.errors import NotFound
from appliance.lease.permissions import Permission, Permissions
from appliance.lease_shapes import LeasePerson, LeaseView
from appliance.paths import Paths
from appliance.webui.threads import Threads
from appliance.webui.web import Request, Response, Site, json_response, redirect


@dataclass(frozen=True)
class LeaseRoutes:
    """Handlers over the permissions. now_s: the wall clock. threads: where the database is waited for."""

    config: Config
    paths: Paths
    threads: Threads
    now_s: Callable[[], float]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/api/lease", self.show)
        site.route("GET", "/api/lease/people", lambda _request: json_response(self.people()))
        site.route("DELETE", "/api/lease/people/<name>", self.remove)
        site.route("POST", "/owner/lease/<name>/remove", self.take_back)

    def show(self, _request: Request) -> Response:
        """GET /api/lease: whether and where programs elsewhere may drive."""
        return json_response(self.view())

    def remove(self, request: Request) -> Response:
        """DELETE /api/lease/people/NAME: this person may no longer; a lease that runs ends."""
        name = request.arguments["name"]
        self.threads.call(lambda: self._revoke(name))
        return json_response(self.people())

    def take_back(self, request: Request) -> Response:
        """The form on the owner's page: the same; somebody who is gone already is gone."""
        name = request.arguments["name"]
        try:
            self.threads.call(lambda: self._revoke(name))
        except NotFound:
            pass
        return redirect("/owner/people")

    def view(self) -> LeaseView:
        """What everybody may know."""
        lease = self.config.lease
        return LeaseView(enabled=lease.enabled, port=lease.port, limit_s=lease.limit_s, quota_s=lease.quota_s)

    def people(self) -> list[LeasePerson]:
        """Who may."""
        now_s = self.now_s()
        return [
            LeasePerson(name=one.name, made_at=one.made_at, ends_at=one.ends_at, ended=one.has_ended(now_s))
            for one in self.threads.call(self._all)
        ]

    def _all(self) -> list[Permission]:
        permissions = Permissions(self.paths.database)
        try:
            return permissions.all()
        finally:
            permissions.close()

    def _revoke(self, name: str) -> None:
        permissions = Permissions(self.paths.database)
        try:
            permissions.revoke(name)
        finally:
            permissions.close()
