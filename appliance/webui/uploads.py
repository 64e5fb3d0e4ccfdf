"""How does an archive come in? Streamed to the disk piece by piece; it counts once it is safely there.

The file is written under a temporary name, synced, renamed to the job's id, and the folder is synced: after a power
cut it is either whole or absent. Nothing looks inside here; unpacking strangers' archives is the runner's work.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import gevent
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from appliance import durable
from appliance.ulid import is_valid
from appliance.webui.threads import Threads
from appliance.webui.web import Refusal, Request

ARCHIVE_FIELD: Final = "archive"
CHUNK_BYTES: Final = 256 * 1024
#: Room for the form around the file.
FORM_BYTES: Final = 64 * 1024
#: The whole upload must be through by then: a slow home network sends 128 MiB in this time.
UPLOAD_TIMEOUT_S: Final = 900.0
_PARTIAL: Final = ".partial-"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

Answer = TypeVar("Answer")


@dataclass
class Form:
    """What a form brought: its text fields and, perhaps, the name of a file that is now in the inbox."""

    fields: dict[str, str] = field(default_factory=dict)
    archive_name: str = ""


class Inbox:
    """The folder where uploads wait for the runner."""

    def __init__(self, folder: Path, max_bytes: int, min_free_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._threads = Threads(4)

    def prepare(self, known: Callable[[str], bool]) -> None:
        """Make the folder, and clear what a crash left: half an upload, or a whole one whose job was never queued."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            is_partial = path.name.startswith(_PARTIAL) or path.name.endswith(durable.PARTIAL)
            if is_partial or (is_valid(path.name) and not known(path.name)):
                path.unlink()

    def receive(self, request: Request, job_id: str) -> Form:
        """Read a form; its file ends up as `job_id` in the folder. Raises Refusal, and then nothing is left behind."""
        self._check_room(request.length_bytes or 0)
        partial = self._folder / f"{_PARTIAL}{job_id}"
        timeout = Refusal(
            408, "too_slow", f"The upload took longer than {UPLOAD_TIMEOUT_S / 60:.0f} minutes. Send a smaller archive."
        )
        try:
            with gevent.Timeout(UPLOAD_TIMEOUT_S, timeout), _readable(), open(partial, "wb", buffering=0) as file:
                form = self._parse(request, file.fileno())
                if form.archive_name:
                    self._on_disk(os.fsync, file.fileno())
            if form.archive_name:
                self._on_disk(self._publish, partial, job_id)
            return form
        finally:
            partial.unlink(missing_ok=True)

    def keep(self, job_id: str, archive: bytes) -> None:
        """Put an archive of our own there, as safely as one that was received. Raises Refusal."""
        self._check_room(len(archive))
        self._on_disk(durable.write, self._folder / job_id, archive)

    def discard(self, job_id: str) -> None:
        """Take an upload back."""
        (self._folder / job_id).unlink(missing_ok=True)

    def _publish(self, partial: Path, job_id: str) -> None:
        partial.rename(self._folder / job_id)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _check_room(self, length_bytes: int) -> None:
        if length_bytes > self._max_bytes + FORM_BYTES:
            raise self._too_large()
        if shutil.disk_usage(self._folder).free < length_bytes + self._min_free_bytes:
            raise _disk_full()

    def _too_large(self) -> Refusal:
        limit_mb = self._max_bytes // 2**20
        return Refusal(
            413, "too_large", f"The archive is larger than {limit_mb} MiB. Leave data and environments out of it."
        )

    def _on_disk(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """Let a thread wait for the disk while others are served."""
        try:
            return self._threads.call(function, *arguments)
        except OSError as error:
            raise (_disk_full() if error.errno in _FULL else error) from error

    def _parse(self, request: Request, handle: int) -> Form:
        kind, options = parse_options_header(request.headers.get("Content-Type", ""))
        if kind != "multipart/form-data" or not options.get("boundary"):
            raise Refusal(
                415, "unsupported_form", "Send a form of type multipart/form-data with a file field 'archive'."
            )
        form = Form()
        written = 0
        for name, file_name, chunk in _segments(request, options["boundary"]):
            if name == ARCHIVE_FIELD and file_name is not None:
                form.archive_name = form.archive_name or _plain_name(file_name)
                written += len(chunk)
                if written > self._max_bytes:
                    raise self._too_large()
                self._check_room(0)  # others upload, too, and not everybody says how much
                self._on_disk(_write_all, handle, chunk)
            elif file_name is None:
                form.fields[name] = form.fields.get(name, "") + chunk.decode(errors="replace")
                _check_fields(form.fields)
        if not written:
            form.archive_name = ""
        return form


def _segments(request: Request, boundary: str) -> Iterator[tuple[str, str | None, bytes]]:
    """(field name, file name or None, chunk) of the form, as it arrives; an empty field has one empty chunk."""
    with PushMultipartParser(boundary, max_segment_count=16) as parser:
        segment: MultipartSegment | None = None
        while not parser.closed:
            for event in parser.parse(request.body.read(CHUNK_BYTES)):
                if isinstance(event, MultipartSegment):
                    segment = event
                    yield segment.name, segment.filename, b""
                elif event and segment is not None:
                    yield segment.name, segment.filename, bytes(event)


@contextmanager
def _readable() -> Iterator[None]:
    """Say in our words what is wrong with a form, or with the connection that it comes over."""
    try:
        yield
    except ParserLimitReached as error:
        raise Refusal(413, "too_large", "The form has too many or too large fields.") from error
    except MultipartError as error:
        raise Refusal(400, "bad_form", "The upload is incomplete or isn't a form. Send it again.") from error
    except OSError as error:
        if error.filename is not None or error.errno is not None:
            raise
        raise Refusal(400, "broken_off", "The upload broke off before its end. Send it again.") from error


def _write_all(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view) :]


def _plain_name(file_name: str) -> str:
    """The last part of a file's name, printable and short: it is only ever shown."""
    last = file_name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:120].strip() or "archive"


def _check_fields(fields: dict[str, str]) -> None:
    if sum(len(name) + len(text) for name, text in fields.items()) > FORM_BYTES:
        raise Refusal(413, "too_large", "The form's text fields are too long.")


def _disk_full() -> Refusal:
    return Refusal(507, "disk_full", "The appliance's disk is full. Ask its owner to make room, then send it again.")
