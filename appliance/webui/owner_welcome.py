"""The page First steps: where a new owner arrives, with a name to give, a choice to make, and a first job to watch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance.care import services
from appliance.errors import Conflict
from appliance.paths import Paths
from appliance.store import Job, Store
from appliance.units import UnitError
from appliance.webui import owner_calibration, samples
from appliance.webui.owner_pages import OwnerFrame, form_fields
from appliance.webui.owner_settings import OwnerSettings
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import Request, Response, Site

_HERE: Final = "/owner/welcome"
_NAME, _SUBMIT = "name", "web.submit"
#: For browsers without scripts; others go on as soon as the page is back.
_BACK_AFTER_S: Final = 15
_RECENT_JOBS: Final = 200


@dataclass(frozen=True)
class OwnerWelcome:
    """Handlers of the page. Name and choice are the same settings as on the page Settings."""

    paths: Paths
    frame: OwnerFrame
    settings: OwnerSettings
    store: StoreThreads

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", _HERE, lambda _request: self._page({}, {}))
        site.route("POST", _HERE, self.save)

    def save(self, request: Request) -> Response:
        """Keep name and choice, and start the page anew, so that they hold at once."""
        fields = form_fields(request)
        given = {key: fields[key] for key in (_NAME, _SUBMIT) if key in fields}
        differences, problems = self.settings.keep(request, given)
        if problems:
            return self._page(given, problems, 400)
        if not differences:
            return self._page({}, {}, said="Saved; nothing was different.")
        try:
            services.act(self.paths, "restart", "webui", wait=False)
        except (UnitError, Conflict) as error:
            return self._page({}, {}, said=f"Saved. It holds when the page has been restarted: {error}")
        answer = self._page({}, {}, said="Saved. The page starts anew, which takes a few seconds …", restarting=True)
        headers = {**answer.headers, "Refresh": f"{_BACK_AFTER_S}; url={_HERE}"}
        return Response(answer.body, answer.status, answer.content_type, headers)

    def _page(
        self,
        given: Mapping[str, str],
        problems: Mapping[str, str],
        status: int = 200,
        said: str = "",
        *,
        restarting: bool = False,
    ) -> Response:
        config = self.settings.load().config
        return self.frame.page(
            "welcome", status, problems=problems, said=said, restarting=restarting,
            given={_NAME: config.name, _SUBMIT: config.web.submit, **given}, sample=self.store.read(_newest_sample),
            calibration=self.store.read(owner_calibration.newest), first=samples.views()[0],
        )  # fmt: skip


def _newest_sample(rows: Store) -> Job | None:
    return next((job for job in rows.recent(_RECENT_JOBS) if job.name.startswith(samples.JOB_NAME)), None)
