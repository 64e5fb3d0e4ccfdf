"""A bench for submissions: a data folder, `intake.prepare` on it, and the assertion that a refusal leaves nothing."""

from __future__ import annotations

import io
import itertools
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.config import Config, FetchSection
from appliance.errors import BadSource
from appliance.intake import preparing, requirements
from appliance.paths import Paths
from appliance.store import Job, NewJob, Store
from tests import host_watch

RUN = "import gym\nprint('hello')\n"
_MOMENTS = itertools.count(1_700_000_000)


class Bench:
    """Submits to a folder of its own. `fetch` are settings of the section of that name."""

    def __init__(self, folder: Path, **fetch: object) -> None:
        self.paths = Paths(folder / "data", folder / "run", folder / "shm")
        self.paths.inbox.mkdir(parents=True)
        self.store = Store(self.paths.database)
        settings = {"uid": host_watch.UID, "timeout_s": 20.0, "max_mb": 8, "max_files": 500, **fetch}
        self.config = Config(fetch=msgspec.convert(settings, FetchSection))
        self.packages = {"numpy": "1.26.4", "gym": "0.26.2"}

    def git(self, url: str, ref: str = "") -> Job:
        """A queued job for a repository."""
        return self.store.add(NewJob(source_kind="git", source=url, ref=ref, submitter="me"), next(_MOMENTS))

    def archive(self, content: bytes) -> Job:
        """A queued job for an archive, and the archive where the web UI would have put it."""
        job = self.store.add(NewJob(source_kind="archive", source="a.zip", submitter="me"), next(_MOMENTS))
        self.paths.upload(job.id).write_bytes(content)
        return job

    def prepare(self, job: Job, cancelled: Callable[[], bool] = lambda: False) -> preparing.Prepared:
        """Prepare a job's source."""
        return preparing.prepare(job, self.paths, self.config, self._equip, cancelled)

    def _equip(self, path: Path) -> tuple[str, ...]:
        requirements.check(path, self.packages)
        return ()

    def files(self, job: Job) -> dict[str, str]:
        """What the prepared source holds: path and text."""
        root = self.paths.source(job.id)
        return {
            str(path.relative_to(root)): path.read_text(errors="replace")
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def refusal(self, job: Job) -> str:
        """The message with which a job's source is refused; asserts that nothing of it is left."""
        with pytest.raises(BadSource) as refused, host_watch.unchanged():
            self.prepare(job)
        assert not self.paths.job(job.id).exists()
        message = str(refused.value)
        assert message.isprintable() or set(message) - {"\n"} == {c for c in message if c.isprintable()}
        assert 20 < len(message) < 1000
        return message


def zip_of(files: dict[str, str | bytes], **options: int) -> bytes:
    """A zip of `files`; a name that ends with a slash is a folder."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", **options) as archive:  # type: ignore[call-overload]  # its options by name
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tar_of(entries: dict[str, str | bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """A tar of files (text or bytes), or of entries as given."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:  # type: ignore[call-overload]  # mode is one of its literals
        for name, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()


def tar_entry(kind: bytes, linkname: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """An entry of a special kind."""
    entry = tarfile.TarInfo()
    entry.type, entry.linkname, entry.mode = kind, linkname, mode
    return entry
