"""How does the API explain itself? Its document for programs, and the same as a page for people."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from appliance.webui import openapi
from appliance.webui.board import Board
from appliance.webui.openapi import Operation
from appliance.webui.web import HTML, Request, Response, Site, Templates, json_response


@dataclass(frozen=True)
class ApiRoutes:
    """Handlers over the contract."""

    templates: Templates
    board: Board

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/api/openapi.json", self.document)
        site.route("GET", "/api", self.page)

    def document(self, _request: Request) -> Response:
        """GET /api/openapi.json."""
        return json_response(openapi.document(version("raas-appliance")))

    def page(self, _request: Request) -> Response:
        """Every operation and every shape, without a script."""
        document = openapi.document(version("raas-appliance"))
        operations = [(each, document["paths"][each.path][each.method.lower()]) for each in openapi.CONTRACT]
        text = self.templates.render(
            "api.html", title="HTTP API", page="api", operations=operations, document=document, robot=self.board.robot(),
            who=_who, kind=kind,
        )  # fmt: skip
        return Response(text.encode(), content_type=HTML, headers={"Cache-Control": "no-store"})


def _who(operation: Operation) -> str:
    return {"visitor": "anyone", "submitter": "who may submit", "owner": "owner"}[operation.role.name.lower()]


def kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, such as `list of JobView` or `integer or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items') or {})}" if schema.get("items") else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))
