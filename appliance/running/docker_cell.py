"""How is a cell made of a Docker container? Created, attached, started, given the word, judged and removed.

Whatever the engine or the connection to it raises becomes an EngineError that says what to do.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import docker
import docker.errors
import requests.exceptions
from docker.types import LogConfig, Mount, Ulimit

from appliance import engine
from appliance.errors import EngineError, EngineRefusal
from appliance.running import cell, proof
from appliance.running.attach import Reader
from appliance.running.cell import Cell, Exit, Finding, Spec
from appliance.running.output import Capture

_DRAIN_S: Final = 5.0
_EXIT_CODE_S: Final = 10
#: Exit code of a program that SIGTERM ended, or that likes the number.
_TERMINATED: Final = 128 + signal.SIGTERM
_ABSENT: Final = "Docker Engine doesn't answer; is it running? `systemctl status docker` tells."


class DockerCell:
    """One container, up and waiting. `remove()` it in any case; the connection `client` ends with it."""

    def __init__(self, client: docker.DockerClient, spec: Spec) -> None:
        """Create the container, attach to it and start it. Raises EngineError; nothing is left behind then."""
        self._client, self._api = client, client.api
        self._stream: socket.socket | None = None
        self._reader: Reader | None = None
        self._process = -1  # a pidfd of the first process; -1 if none is to be had
        self._was_deserted = self._is_orphan = False  # its output has ended before itself; because the engine has
        with engine_errors(f"a job's cell ({spec.fitting.image})"):
            self._id: str = self._api.create_container(**_arguments(self._api, spec))["Id"]
        try:
            with engine_errors("the start of a job's cell"):
                self._stream = self._attach()
                self._api.start(self._id)
                self._process = self._open_process()
        except EngineError:
            self.remove()
            raise

    def start(self, capture: Capture) -> None:
        """Give the word: run.py begins. Nothing reaches its standard input after that."""
        assert self._stream is not None
        stream, self._stream = self._stream, None
        self._started_s = time.time()
        self._reader = Reader(stream, capture)
        with engine_errors("the job's start"):
            stream.sendall(cell.WORD)
            stream.shutdown(socket.SHUT_WR)

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within the time.

        The first process's pidfd tells 2 ms after its end, the end of the output stream 40 ms after, and the engine 50. A job
        whose engine dies goes on; so does one that closes its own output.
        """
        if self._process < 0:
            return self._reader.ended.wait(timeout_s) if self._reader else not self._is_running()
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        if poll.poll(timeout_s * 1000.0):
            return True
        if self._reader is not None and self._reader.ended.is_set() and not self._was_deserted:
            self._was_deserted, self._is_orphan = True, not self._engine_answers()
        return False

    def terminate(self) -> None:
        """SIGTERM to the init, which hands it on to all of the job's first process group."""
        self._signal("SIGTERM")

    def kill(self) -> None:
        """SIGKILL to everything in the container."""
        self._signal("SIGKILL")

    def finish(self) -> Exit:
        """How run.py ended; takes in the last of its output first. Raises EngineError, also where output was lost."""
        if self._reader is not None:
            self._reader.finish(_DRAIN_S)
        if self._is_orphan:
            raise EngineError("Docker Engine went away while the job ran, and with it what the job printed.")
        with engine_errors("the job's end"):
            code = int(self._api.wait(self._id, timeout=_EXIT_CODE_S)["StatusCode"])
            state = self._api.inspect_container(self._id)["State"]
            signalled = code == _TERMINATED and self._was_signalled()
        return Exit(code, bool(state["OOMKilled"]), signalled)

    def remove(self) -> None:
        """Kill it if need be and remove it with everything that it wrote."""
        if self._reader is not None:
            self._reader.close()
        if self._stream is not None:
            self._stream.close()
        if self._process >= 0:
            os.close(self._process)
        self._process = -1
        try:
            with engine_errors("the removal of a job's cell"), contextlib.suppress(docker.errors.NotFound):
                self._api.remove_container(self._id, force=True, v=True)
        finally:
            self._client.close()

    def _attach(self) -> socket.socket:
        parameters = {"stdout": 1, "stderr": 1, "stream": 1, "stdin": 1, "logs": 0}
        stream = self._api.attach_socket(self._id, params=parameters)
        # The library hands out a file-like wrapper; its socket is ours to close. Nothing has been read ahead, as the
        # container hasn't started.
        duplicate = socket.socket(fileno=socket.dup(stream.fileno()))
        duplicate.settimeout(None)
        stream.close()
        return duplicate

    def _open_process(self) -> int:
        """A pidfd of the container's first process; -1 if it has ended, or the engine runs in other namespaces."""
        with engine_errors("the job's process"):
            pid = self._api.inspect_container(self._id)["State"]["Pid"]
        try:
            process = os.pidfd_open(pid)  # an ended container's number is 0, which is an error too
        except OSError:
            return -1
        try:
            # The number may mean another process here, or by now; the control group names the container.
            is_ours = self._id in Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            is_ours = False
        if not is_ours:
            os.close(process)
            return -1
        return process

    def _engine_answers(self) -> bool:
        try:
            with engine_errors("whether it lives"):
                return bool(self._api.ping())
        except EngineError:
            return False

    def _is_running(self) -> bool:
        with engine_errors("the job's process"):
            return bool(self._api.inspect_container(self._id)["State"]["Running"])

    def _was_signalled(self) -> bool:
        """Whether the engine has sent it a signal; `terminate` and `kill` are such signals too."""
        filters = {"container": self._id, "event": "kill"}
        return any(self._api.events(since=int(self._started_s), until=int(time.time()) + 1, filters=filters))

    def _signal(self, name: str) -> None:
        with engine_errors("a signal to the job"):
            try:
                self._api.kill(self._id, name)
            except docker.errors.APIError as error:
                if error.status_code not in {404, 409}:  # gone, or not running any more
                    raise


class DockerCells:
    """Makes containers for the appliance `tag` on the engine at `host`, which may come and go."""

    def __init__(self, host: str, tag: str) -> None:
        self._host, self._tag = host, tag
        self._client: docker.DockerClient | None = None

    def problem(self) -> str:
        """Why no cell can be made now; asks the engine."""
        try:
            self._connected().api.ping()
        except EngineError as error:
            return str(error)
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            self.close()
            return _ABSENT
        return ""

    def create(self, spec: Spec) -> Cell:
        """A new container, over a connection of its own: it may be made in another thread."""
        return DockerCell(self._connect(), spec)

    def prove(self, waiting: Cell, output: Path) -> tuple[Finding, ...]:
        """Try each limit in a waiting cell that has the probe as its source."""
        return proof.run(waiting, output)

    def version(self) -> str:
        """The engine's and the kernel's."""
        with engine_errors("its version"):
            found = self._connected().api.version()
        return f"{found['Version']} on {found['KernelVersion']}"

    def sweep(self, keep: Collection[str] = ()) -> int:
        """Remove all containers of this appliance, running or not, but those of these names."""
        client = self._connect()
        with contextlib.closing(client), engine_errors("left-over cells"):
            found = client.api.containers(all=True, filters={"label": f"{cell.LABEL}={self._tag}"})
            left = [found_one["Id"] for found_one in found if not {f"/{name}" for name in keep} & {*found_one["Names"]}]
            for identity in left:
                with contextlib.suppress(docker.errors.NotFound):
                    client.api.remove_container(identity, force=True, v=True)
        return len(left)

    def close(self) -> None:
        """Close the connection; the next call makes a new one."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _connected(self) -> docker.DockerClient:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> docker.DockerClient:
        client = engine.connect(self._host)
        if client is None:
            raise EngineError(_ABSENT)
        return client


@contextlib.contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """Turn the errors of the Docker library and its connection into EngineError; `what` failed."""
    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise EngineRefusal(f"Docker Engine lacks an image for {what}. Build it with `make job-image`.") from error
    except docker.errors.APIError as error:
        raise EngineRefusal(f"Docker Engine refused {what}: {error.explanation or error}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise EngineError(
            f"Docker Engine doesn't answer ({what}). Is it running? `systemctl status docker` tells."
        ) from error


def _arguments(api: docker.APIClient, spec: Spec) -> dict[str, Any]:
    """The arguments of `create_container`."""
    settings = cell.host_config(spec)
    settings["log_config"] = LogConfig(type=settings["log_config"]["Type"], config={})
    settings["ulimits"] = [Ulimit(name=name, soft=value, hard=value) for name, value in cell.ulimits(spec).items()]
    settings["mounts"] = [
        Mount(target, str(path), type="bind", read_only=True, propagation="rprivate")
        for target, path in cell.mounts(spec).items()
    ]
    return {
        "image": spec.fitting.image,
        "command": list(cell.COMMAND),
        "name": spec.name,
        "hostname": "cell",
        "user": f"{spec.limits.uid}:{spec.limits.uid}",
        "working_dir": cell.WORK_DIR,
        "labels": spec.labels,
        "environment": cell.environment(spec),
        "stdin_open": True,  # the word comes that way; it is closed with the connection, so nothing waits for ever
        "network_disabled": True,
        "host_config": api.create_host_config(**settings),
    }
