"""What holds for all tests: Docker Engine runs, hypothesis never judges time, and files share the workers.

Most of the long tests wait for a robot or a browser, so several workers halve the time on two cores. A file stays with
one worker, because its tests share appliances and browsers; so does a folder that shares a booted machine.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from appliance.engine import docker_host, ensure_engine
from appliance.errors import EngineError

#: Folders whose tests share one thing that takes long to start.
_TOGETHER = ("tests/systemd",)
#: Files and folders that take minutes, and mostly wait.
_LONG = (
    "tests/systemd/",
    "tests/end_to_end/",
    "tests/federation/test_two",
    "tests/abuse/",
    "tests/crash/",
    "tests/browser/",
)

settings.register_profile("raas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("raas"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "raas")


def _group(nodeid: str) -> str:
    """What stays together: the tests of a file, or of a folder."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in _TOGETHER if file.startswith(f"{folder}/")), file)


class _ByGroup(LoadFileScheduling):
    """One group at a time for each worker."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Hand out groups in the order of collection."""
    config.option.loadscopereorder = False
    return _ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no worker is left with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """One engine for the whole run, where no service manager has started one; without Docker only its tests fail."""
    with ExitStack() as stack:
        if not hasattr(session.config, "workerinput"):  # the workers use the one that their controller started
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="raas-engine-")))
            try:
                stack.enter_context(ensure_engine(folder, docker_host(os.environ)))
            except EngineError as error:
                session.config.get_terminal_writer().line(str(error))
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _own_temporary_folder() -> Iterator[None]:
    """What a test leaves in the temporary folder is looked at; another worker's things must not be in there."""
    with tempfile.TemporaryDirectory(prefix="raas-t-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # throw-away users pass through
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        yield
        tempfile.tempdir = None
        del os.environ["TMPDIR"]
