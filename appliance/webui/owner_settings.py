"""The page Settings: what the owner may change from here, the difference shown before it is saved, and when it holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance import config as configuration
from appliance.care import page_settings
from appliance.care.page_settings import Overlaid, Value
from appliance.condition import value_of
from appliance.config import Option
from appliance.errors import ConfigError
from appliance.paths import Paths
from appliance.webui import identity
from appliance.webui.owner_pages import OwnerFrame, form_fields
from appliance.webui.threads import Threads
from appliance.webui.web import Refusal, Request, Response, Site, json_response

_LOG = logging.getLogger("webui")


@dataclass(frozen=True)
class Field:
    """One setting as the form shows it. text: as given, or as it is. choices: where it is one of a few."""

    key: str
    label: str
    text: str
    in_file: str
    right: str
    choices: tuple[str, ...]
    is_set_here: bool
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """One change before it is saved."""

    key: str
    label: str
    before: str
    after: str
    restart: tuple[str, ...]


@dataclass(frozen=True)
class OwnerSettings:
    """Handlers of the settings page. The disk is waited for on a thread."""

    paths: Paths
    config_file: Path
    frame: OwnerFrame
    disk: Threads

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/owner/settings", self.show)
        site.route("POST", "/owner/settings", self.compare)
        site.route("POST", "/owner/settings/save", self.save)
        site.route("GET", "/api/owner/settings", self.tell)

    def show(self, _request: Request) -> Response:
        """The form, as things are."""
        found = self.load()
        return self._form(found, _fields(found, {}, {}))

    def tell(self, _request: Request) -> Response:
        """GET /api/owner/settings: what can be set here, and how it is."""
        found = self.load()
        return json_response({key: value_of(found.config, key) for key in page_settings.EFFECT})

    def compare(self, request: Request) -> Response:
        """What would change; nothing is saved."""
        found, given = self.load(), form_fields(request)
        wished, problems = _wished(found, given)
        if problems:
            return self._form(found, _fields(found, given, problems), status=400)
        return self._form(found, _fields(found, given, {}), differences=_differences(found, wished))

    def save(self, request: Request) -> Response:
        """Keep it, durably, and say which services must be restarted. Raises Refusal for what may not be set."""
        found, given = self.load(), form_fields(request)
        if foreign := sorted(given.keys() - page_settings.EFFECT.keys()):
            raise Refusal(
                403, "not_settable", f"'{foreign[0][:60]}' can't be set from the page; it stands in raas.yaml."
            )
        differences, problems = self.keep(request, given)
        if problems:
            return self._form(found, _fields(found, given, problems), status=400)
        restart = sorted({name for one in differences for name in one.restart})
        now = self.load()
        return self._form(now, _fields(now, {}, {}), saved=restart, is_saved=True)

    def keep(self, request: Request, given: Mapping[str, str]) -> tuple[list[Difference], dict[str, str]]:
        """Save those of the settings that were given, durably: what changed. Or what is wrong with which, and nothing is saved."""
        found = self.load()
        wished, problems = _wished(found, given)
        if problems:
            return [], problems
        differences = _differences(found, wished)
        self.disk.call(page_settings.save, self.paths, wished)
        for one in differences:
            _LOG.info("%s set %s: %s instead of %s", identity.submitter(request), one.key, one.after, one.before)
        return differences, {}

    def load(self) -> Overlaid:
        """What holds after the next restart. Raises Refusal where raas.yaml is broken."""
        try:
            return self.disk.call(page_settings.load, self.config_file, self.paths)
        except ConfigError as error:
            raise Refusal(409, "bad_config", f"{error} Until that is mended, nothing can be set here.") from error

    def _form(self, found: Overlaid, fields: list[Field], status: int = 200, **values: object) -> Response:
        return self.frame.page("settings", status, fields=fields, left_out=found.problems, **values)


def _wished(found: Overlaid, given: Mapping[str, str]) -> tuple[dict[str, Value], dict[str, str]]:
    """All values that the page would keep, and what is wrong with which. What equals raas.yaml isn't kept."""
    wished, problems = dict(found.values), dict[str, str]()
    for key in page_settings.EFFECT:
        if key not in given:
            continue
        value = page_settings.understood(key, given[key])
        try:
            page_settings.changed(found.base, key, value)
        except ConfigError as error:
            problems[key] = str(error).removeprefix("page: ")
            continue
        if value == value_of(found.base, key):
            wished.pop(key, None)
        else:
            wished[key] = value
    return wished, problems


def _differences(found: Overlaid, wished: Mapping[str, Value]) -> list[Difference]:
    after = page_settings.overlay(found.base, wished).config
    return [
        Difference(key, page_settings.LABELS[key], _text(before), _text(then), restart)
        for key, restart in page_settings.EFFECT.items()
        if (before := value_of(found.config, key)) != (then := value_of(after, key))
    ]


def _fields(found: Overlaid, given: Mapping[str, str], problems: Mapping[str, str]) -> list[Field]:
    options = {option.key: option for option in configuration.options()}
    return [
        Field(
            key=key,
            label=page_settings.LABELS[key],
            text=given.get(key, _text(value_of(found.config, key))),
            in_file=_text(value_of(found.base, key)),
            right="yes or no" if isinstance(options[key].default, bool) else options[key].right,
            choices=_choices(options[key]),
            is_set_here=key in found.values,
            problem=problems.get(key, ""),
        )
        for key in page_settings.EFFECT
    ]


def _choices(option: Option) -> tuple[str, ...]:
    if isinstance(option.default, bool):
        return ("yes", "no")
    return tuple(option.right.split(" or ")) if " or " in option.right else ()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
