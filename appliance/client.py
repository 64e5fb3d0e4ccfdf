"""How does a program speak to an appliance over HTTP? The client that the command line uses, and tests with it.

Raises `Unreachable` when nobody answers and `Refused` with the appliance's own words when it says no.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import requests

from appliance.errors import RaasError
from appliance.fleet_shapes import FleetView, SubmitGitToFleet
from appliance.lease_shapes import LeasePerson, LeaseView
from appliance.shapes import (
    Animation,
    Health,
    Hooks,
    HookView,
    HookWish,
    ImageView,
    JobPage,
    JobView,
    Leaderboard,
    NewToken,
    Problem,
    QueueView,
    RobotView,
    SubmitGit,
    TokenView,
    TokenWish,
)

CHUNK_BYTES = 256 * 1024
_LEFT_OUT = {".git", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache"}

Shape = TypeVar("Shape", bound=msgspec.Struct)


class Unreachable(RaasError):
    """No appliance answers at this address."""


class Refused(RaasError):
    """The appliance said no; `status` is the HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Client:
    """One appliance, e.g. `Client("http://127.0.0.1:8080")`."""

    def __init__(self, url: str, timeout_s: float = 30.0, token: str = "", ca_file: str = "") -> None:
        """`token` is what the appliance's owner handed out, where one is needed; `ca_file` is believed for https."""
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the office has no business on the way to the robot
        if ca_file:
            self._session.verify = ca_file
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def submit_git(
        self,
        git_url: str,
        ref: str = "",
        name: str = "",
        image: str = "",
        preflight: bool = False,
        board_name: str = "",
    ) -> JobView:
        """Queue a repository; `ref` is a branch, tag or commit, empty for the default branch."""
        wish = SubmitGit(git_url=git_url, ref=ref, name=name, image=image, preflight=preflight, board_name=board_name)
        body = msgspec.json.encode(wish)
        return self._shape(JobView, "POST", "/api/jobs", data=body, headers={"Content-Type": "application/json"})

    def submit_archive(
        self,
        path: Path,
        name: str = "",
        progress: Callable[[int, int], None] | None = None,
        image: str = "",
        preflight: bool = False,
        board_name: str = "",
    ) -> JobView:
        """Queue a zip or tar file; `progress(sent_bytes, total_bytes)` is called while it is sent."""
        fields = {"name": name, "image": image, "preflight": "yes" if preflight else "", "board_name": board_name}
        with path.open("rb") as file:
            body = _Multipart(file, path.name, path.stat().st_size, fields, progress)
            headers = {"Content-Type": body.content_type}
            return self._shape(JobView, "POST", "/api/jobs", data=body, headers=headers)

    def submit_to_fleet(
        self, path: Path, fields: dict[str, str], progress: Callable[[int, int], None] | None = None
    ) -> JobView:
        """Queue a zip or tar file for the fleet; fields: name, tags, counts_per_turn, urgent, live."""
        with path.open("rb") as file:
            body = _Multipart(file, path.name, path.stat().st_size, fields, progress)
            return self._shape(
                JobView, "POST", "/api/fleet/jobs", data=body, headers={"Content-Type": body.content_type}
            )

    def submit_git_to_fleet(self, wish: SubmitGitToFleet) -> JobView:
        """Queue a repository for the fleet; it is fetched once, here."""
        body, headers = msgspec.json.encode(wish), {"Content-Type": "application/json"}
        return self._shape(JobView, "POST", "/api/fleet/jobs", data=body, headers=headers)

    def fleet(self) -> FleetView:
        """What the appliance knows of its fleet."""
        return self._shape(FleetView, "GET", "/api/fleet")

    def jobs(self, limit: int = 100, before: str = "") -> JobPage:
        """The newest jobs first."""
        return self._shape(JobPage, "GET", "/api/jobs", params={"limit": str(limit), "before": before})

    def job(self, job_id: str) -> JobView:
        """One job."""
        return self._shape(JobView, "GET", f"/api/jobs/{job_id}")

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job; its record stays."""
        return self._shape(JobView, "DELETE", f"/api/jobs/{job_id}")

    def again(self, job_id: str) -> JobView:
        """Queue a job's program once more."""
        return self._shape(JobView, "POST", f"/api/jobs/{job_id}/again")

    def queue(self) -> QueueView:
        """What is worked on, and what waits."""
        return self._shape(QueueView, "GET", "/api/queue")

    def pause_queue(self) -> QueueView:
        """Start no further job."""
        return self._shape(QueueView, "POST", "/api/queue/pause")

    def resume_queue(self) -> QueueView:
        """Let the queue go on."""
        return self._shape(QueueView, "POST", "/api/queue/resume")

    def move(self, job_id: str, position: int) -> JobView:
        """Put a waiting job at a position of the queue; 1 is next."""
        return self._shape(JobView, "POST", f"/api/jobs/{job_id}/move", json={"position": position})

    def pin(self, job_id: str, pinned: bool = True) -> JobView:
        """Keep a job's results when room is made, or no longer."""
        return self._shape(JobView, "POST", f"/api/jobs/{job_id}/pin", json={"pinned": pinned})

    def animation(self, job_id: str, *, ask: bool = False) -> Animation:
        """How far a run's GIF is; `ask` for it first."""
        return self._shape(Animation, "POST" if ask else "GET", f"/api/jobs/{job_id}/animation")

    def leaderboard(self) -> Leaderboard:
        """Returns of the standard task, the best first."""
        return self._shape(Leaderboard, "GET", "/api/leaderboard")

    def list_job(self, job_id: str, name: str) -> JobView:
        """List one's job on the leaderboard under a name; '' takes it off."""
        return self._shape(JobView, "POST", f"/api/jobs/{job_id}/board", json={"name": name})

    def images(self) -> list[ImageView]:
        """Which images a job may choose, and what is in them."""
        return msgspec.json.decode(self._ask("GET", "/api/images").content, type=list[ImageView])

    def tokens(self) -> list[TokenView]:
        """Who holds a token."""
        return msgspec.json.decode(self._ask("GET", "/api/tokens").content, type=list[TokenView])

    def new_token(self, wish: TokenWish) -> NewToken:
        """Hand out a token; its text is told this once."""
        return self._shape(NewToken, "POST", "/api/tokens", data=msgspec.json.encode(wish))

    def remove_token(self, name: str) -> list[TokenView]:
        """Take a token back; those that are left."""
        answer = self._ask("DELETE", f"/api/tokens/{quote(name, safe='')}")
        return msgspec.json.decode(answer.content, type=list[TokenView])

    def hooks(self) -> Hooks:
        """Who is told of a job's end, and the last deliveries."""
        return self._shape(Hooks, "GET", "/api/owner/hooks")

    def add_hook(self, wish: HookWish) -> HookView:
        """Tell this address from now on; the secret is told this once."""
        return self._shape(HookView, "POST", "/api/owner/hooks", data=msgspec.json.encode(wish))

    def test_hook(self, hook_id: str) -> Hooks:
        """Send it a test, soon."""
        return self._shape(Hooks, "POST", f"/api/owner/hooks/{quote(hook_id, safe='')}/test", data=b"{}")

    def remove_hook(self, hook_id: str) -> Hooks:
        """Tell it no longer; those that are left."""
        return self._shape(Hooks, "DELETE", f"/api/owner/hooks/{quote(hook_id, safe='')}")

    def lease(self) -> LeaseView:
        """Whether and where programs elsewhere may drive."""
        return self._shape(LeaseView, "GET", "/api/lease")

    def lease_people(self) -> list[LeasePerson]:
        """Who may drive over the network."""
        return msgspec.json.decode(self._ask("GET", "/api/lease/people").content, type=list[LeasePerson])

    def revoke_lease(self, name: str) -> list[LeasePerson]:
        """Let somebody drive no longer; those who may still."""
        answer = self._ask("DELETE", f"/api/lease/people/{quote(name, safe='')}")
        return msgspec.json.decode(answer.content, type=list[LeasePerson])

    def log(self, job_id: str, start: int = 0) -> bytes:
        """What the job has printed from byte `start` on."""
        return self._ask("GET", f"/api/jobs/{job_id}/log", params={"from": str(start)}).content

    def download(
        self, job_id: str, name: str, target: Path, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Save `result.json`, `steps.csv`, `bundle.zip` or `run.gif` of a job; a broken download leaves no file."""
        folder = "/jobs" if name == "run.gif" else "/api/jobs"
        answer = self._ask("GET", f"{folder}/{job_id}/{name}", stream=True)
        total, done = int(answer.headers.get("Content-Length", 0)), 0
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as file:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(done, total)
            part.replace(target)
        except requests.RequestException as error:
            raise Unreachable(f"The connection broke after {done} of {total} bytes; try again.") from error
        finally:
            part.unlink(missing_ok=True)

    def robot(self) -> RobotView:
        """What the robot is doing."""
        return self._shape(RobotView, "GET", "/api/robot")

    def stop(self, why: str = "") -> RobotView:
        """Emergency stop, latched."""
        return self._shape(RobotView, "POST", "/api/robot/stop", json={"why": why})

    def resume(self) -> RobotView:
        """Clear an emergency stop or a fault."""
        return self._shape(RobotView, "POST", "/api/robot/resume", json={})

    def health(self) -> Health:
        """Which parts work; an unhealthy appliance answers too."""
        return msgspec.json.decode(self._ask("GET", "/healthz", accept=(200, 503)).content, type=Health)

    def _shape(self, shape: type[Shape], method: str, path: str, **options: Any) -> Shape:
        return msgspec.json.decode(self._ask(method, path, **options).content, type=shape)

    def _ask(
        self, method: str, path: str, accept: tuple[int, ...] = (200, 201, 202), **options: Any
    ) -> requests.Response:
        try:
            answer = self._session.request(method, self.url + path, timeout=self._timeout_s, **options)
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"The certificate at {self.url} isn't believed ({_reason(error)}). Use a name that it is for, and"
                " name the file of whoever signed it with --ca."
            ) from error
        except OSError as error:  # requests' own errors are some
            if not isinstance(error, requests.RequestException):
                raise Unreachable(f"The file of --ca can't be used: {error}") from error
            raise Unreachable(
                f"No appliance answers at {self.url}. Is it running (`make run`), and is the address right (--url)?"
            ) from error
        if answer.status_code in accept:
            return answer
        try:
            problem = msgspec.json.decode(answer.content, type=Problem)
        except msgspec.DecodeError:
            raise Refused(answer.status_code, "http", f"{self.url} answered {answer.status_code}.") from None
        raise Refused(answer.status_code, problem.error, problem.message)


def _reason(error: requests.exceptions.SSLError) -> str:
    """OpenSSL's words, without what is around them."""
    said = str(error)
    return (
        said[said.find("certificate verify failed") :].partition(" (_ssl")[0] if "verify failed" in said else said[:200]
    )


def packed(folder: Path) -> Path:
    """A temporary tar.gz of a folder's files, without version control, caches and links; the caller deletes it."""
    handle, name = tempfile.mkstemp(prefix="raas-", suffix=".tar.gz")
    with open(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", compresslevel=5) as tar:
        tar.add(folder, arcname=".", filter=_kept)
    return Path(name)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(entry.name).name in _LEFT_OUT or not (entry.isfile() or entry.isdir()):
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


class _Multipart:
    """A form with one file, read piece by piece: uploads of any size in constant memory."""

    def __init__(
        self,
        file: io.BufferedReader,
        file_name: str,
        file_bytes: int,
        fields: dict[str, str],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        boundary = "raas-form-boundary-5f1d8c"
        self.content_type = f"multipart/form-data; boundary={boundary}"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
            for key, value in fields.items()
        ]
        safe_name = file_name.replace('"', "_").replace("\r", "_").replace("\n", "_")
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="archive"; filename="{safe_name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
        self._streams = [io.BytesIO(head), file, io.BytesIO(tail)]
        self._total = len(head) + file_bytes + len(tail)
        self._sent = 0
        self._progress = progress

    def __len__(self) -> int:
        return self._total

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the body; empty at its end."""
        while self._streams:
            chunk = self._streams[0].read(CHUNK_BYTES if size < 0 else max(size, CHUNK_BYTES))
            if chunk:
                self._sent += len(chunk)
                if self._progress is not None:
                    self._progress(self._sent, self._total)
                return chunk
            self._streams.pop(0)
        return b""
