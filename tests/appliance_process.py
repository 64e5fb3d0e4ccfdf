"""A whole appliance as a test sees it: `raas up` in a process of its own, on a free port and a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.client import Client
from appliance.jobs import State
from appliance.lifeline import die_with_parent
from appliance.paths import Paths
from appliance.shapes import JobView
from tests.patience import eventually
from tests.process_table import processes

REPOSITORY = Path(__file__).parent.parent
START_S = 120.0


@dataclass
class Appliance:
    """A running appliance."""

    process: subprocess.Popen[str]
    paths: Paths
    client: Client
    output: Path

    @property
    def url(self) -> str:
        return self.client.url

    def submit(self, files: dict[str, str | bytes], name: str = "test") -> JobView:
        """Queue a repository made of these files."""
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                path = Path(folder, "repository", file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
            archive = shutil.make_archive(str(Path(folder, "repository")), "gztar", Path(folder, "repository"))
            return self.client.submit_archive(Path(archive), name)

    def finished(self, job_id: str, timeout_s: float = 60.0) -> JobView:
        """The job once it has ended."""

        def ended() -> JobView | None:
            job = self.client.job(job_id)
            return job if State(job.state).is_final else None

        return eventually(ended, timeout_s, f"job {job_id} has ended")

    def reaches(self, job_id: str, state: State, timeout_s: float = 60.0) -> JobView:
        """The job once it is in `state`."""

        def there() -> JobView | None:
            job = self.client.job(job_id)
            assert job.state == state or not State(job.state).is_final, f"{job.state}: {job.sentence}"
            return job if job.state == state else None

        return eventually(there, timeout_s, f"job {job_id} is {state}")

    def log(self, job_id: str) -> str:
        return self.client.log(job_id).decode(errors="replace")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running_appliance(
    folder: Path, config: str = "", *, sample: bool = False, environment: dict[str, str] | None = None
) -> Iterator[Appliance]:
    """Start `raas up` on `folder`; stop it at the end and assert that it left nothing running."""
    folder.mkdir(parents=True, exist_ok=True)
    if config:
        (folder / "raas.yaml").write_text(config)
    with tempfile.TemporaryDirectory(prefix="raas-") as runtime:
        paths = Paths.of(folder, Path(runtime))
        output, tests = folder / "up.out", os.getpid()
        command = [sys.executable, "-m", "appliance.cli", "--data", str(folder), "--runtime-root", runtime, "up"]
        command += ["--port", "0", "--sample" if sample else "--no-sample"]
        with output.open("w") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, text=True, cwd=REPOSITORY,
                env={**os.environ, **(environment or {})}, start_new_session=True,
                preexec_fn=lambda: die_with_parent(tests, signal.SIGTERM),  # noqa: PLW1509 - between fork and exec it makes one system call
            )  # fmt: skip
        try:

            def address() -> str | None:
                assert process.poll() is None, f"raas up ended:\n{output.read_text()}"
                return paths.address.read_text() if paths.address.exists() else None

            url = eventually(address, START_S, "raas up is ready", then=output.read_text)
            appliance = Appliance(process, paths, Client(url), output)
            yield appliance
            appliance.stop()
            left = list(processes(runtime))
            assert left == [], left
            assert not paths.runtime.exists()
            assert not paths.shm.exists()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
