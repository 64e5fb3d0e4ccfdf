"""What of a job that ran elsewhere is shown here? Its bundle, taken apart with care: another appliance made it."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.errors import RaasError
from appliance.running import results
from appliance.shapes import Report, Result

#: What is taken out of a bundle to be shown, and how large each may be; larger ones stay in it.
_LARGEST_BYTES: Final = 16 << 20
_CHECKS: Final[dict[str, Callable[[bytes], object]]] = {
    "result.json": lambda body: msgspec.json.decode(body, type=Result),
    "steps.csv": bytes.decode,
    results.OUTPUT: len,
    results.REPORT: lambda body: msgspec.json.decode(body, type=Report),
}

_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, msgspec.DecodeError, UnicodeDecodeError, NotImplementedError, RuntimeError, EOFError,
)  # fmt: skip


class BadBundle(RaasError):
    """The bundle isn't what an appliance makes; the message says why."""


def unpack(bundle: Path, folder: Path) -> None:
    """Make `folder` hold the bundle and its files, complete or not at all. Raises BadBundle, OSError (full disk)."""
    part = folder.with_name(folder.name + durable.PARTIAL)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _take_out(bundle, part)
        shutil.copyfile(bundle, part / results.BUNDLE)
        for file in part.iterdir():
            durable.sync_file(file)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        durable.sync_file(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _take_out(bundle: Path, part: Path) -> None:
    try:
        with zipfile.ZipFile(bundle) as archive:
            for entry in archive.infolist():
                name = entry.filename.rpartition("/")[2]
                if name in _CHECKS:
                    with archive.open(entry) as file:
                        body = file.read(_LARGEST_BYTES + 1)
                    if len(body) > _LARGEST_BYTES:
                        continue  # a program that prints megabytes makes such; it is read from the bundle
                    _CHECKS[name](body)
                    (part / name).write_bytes(body)
    except _BROKEN as error:
        raise BadBundle(f"it can't be read ({error})") from error
    if not (part / results.REPORT).exists():
        raise BadBundle(f"it has no {results.REPORT}")
