"""The HTTP API of the robot: look, stop, resume. Stopping touches neither database nor disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import terminal
from appliance.errors import RobotError
from appliance.realtime.control import Resume, Stop
from appliance.shapes import Health, RobotView
from appliance.webui import bodies, identity
from appliance.webui.board import Board
from appliance.webui.health import Doctor
from appliance.webui.robot_file import RobotFile
from appliance.webui.web import Refusal, Request, Response, Site, json_response

YAML: Final = "application/yaml"
_MOTION_S: Final = 10.0
_MAX_WHY_CHARACTERS: Final = 200
_WHY_PATIENCE_S: Final = 0.25


class StopWish(msgspec.Struct, frozen=True):
    """Body of `POST /api/robot/stop`; it may be left out."""

    why: str = ""


@dataclass(frozen=True)
class RobotRoutes:
    """Handlers over the board, the guard, and the robot's file."""

    board: Board
    doctor: Doctor
    robot_file: RobotFile

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/healthz", self.health)
        site.route("GET", "/api/robot", self.show)
        site.route("GET", "/api/robot/motion", self.motion)
        site.route("POST", "/api/robot/stop", lambda request: json_response(self.stop(request, _why(request))))
        site.route("POST", "/api/robot/resume", lambda request: json_response(self.resume(request)))
        site.route("GET", "/api/robot.yaml", self.parameters)

    def show(self, _request: Request) -> Response:
        """GET /api/robot."""
        return json_response(self.board.robot())

    def parameters(self, _request: Request) -> Response:
        """GET /api/robot.yaml: the parameters that hold, for whoever simulates this robot. Raises NotFound, Conflict."""
        return Response(self.robot_file.in_use().content, content_type=YAML)

    def motion(self, _request: Request) -> Response:
        """GET /api/robot/motion: the last seconds, so that a chart needn't start empty."""
        return json_response(self.board.motion(_MOTION_S))

    def stop(self, request: Request, why: str) -> RobotView:
        """Emergency stop by whoever asks. Raises RobotError where the guard doesn't answer."""
        try:
            self.board.ask_guard("stop", Stop(who=identity.submitter(request), why=why[:_MAX_WHY_CHARACTERS]))
        except RobotError as error:
            raise RobotError(f"{error} If the arm moves, cut the motor's power.") from error
        return self.board.robot()

    def resume(self, request: Request) -> RobotView:
        """Clear stop and fault. Raises RobotError."""
        self.board.ask_guard("resume", Resume(who=identity.submitter(request)))
        self.board.catch_up()
        return self.board.robot()

    def health(self, _request: Request) -> Response:
        """GET /healthz: 200 when all is well, else 503."""
        parts = self.doctor.examine()
        health = Health(ok=all(said == "ok" for said in parts.values()), parts=parts)
        return json_response(health, 200 if health.ok else 503)


def _why(request: Request) -> str:
    """The reason in the body. A body that can't be understood, or doesn't come, is no reason not to stop."""
    try:
        return terminal.line(msgspec.json.decode(bodies.read(request, _WHY_PATIENCE_S), type=StopWish).why)
    except (msgspec.DecodeError, Refusal, OSError):
        return ""
