"""What goes to somebody who helps? One zip file: diagnosis, settings, versions, services, logs; no secret in it.

What is known to be secret (owner's file, setup code, tokens' hashes, the fleet's keys) is searched for in every text, in
addition to what looks like a secret (`redaction`). Names, sources and output of jobs stay out: they are other people's.
"""

from __future__ import annotations

import io
import os
import platform
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from appliance.care import disk_look, gathering, page_settings, redaction, service_logs, services
from appliance.care.doctor import diagnose
from appliance.care.finding import Diagnosis
from appliance.care.gathering import EngineLook
from appliance.config import StorageSection
from appliance.paths import Paths
from appliance.units import UNITS

_LOG_LINES: Final = 2000
_RECENT_JOBS: Final = 100
_SHORTEST_SECRET: Final = 6


@dataclass(frozen=True)
class Appliance:
    """Whose bundle it is. credentials: a folder of secrets that must not get in, where this process sees one."""

    paths: Paths
    config_file: Path
    credentials: Path | None = None


def bundle(appliance: Appliance, engine_look: EngineLook) -> bytes:
    """The zip file."""
    diagnosis = diagnose(gathering.gather(appliance.paths, appliance.config_file, engine_look, try_means=False))
    secrets = tuple(_known_secrets(appliance))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _texts(appliance, diagnosis):
            archive.writestr(name, _without(text, secrets))
    return target.getvalue()


def _texts(appliance: Appliance, diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    paths = appliance.paths
    yield "READ-ME.txt", _READ_ME
    yield "diagnosis.txt", "\n".join(_rows(diagnosis)) + "\n"
    yield "diagnosis.json", _json(diagnosis)
    yield "versions.json", _json(_versions())
    yield "services.json", _json(services.overview(paths))
    yield "disk.json", _json(disk_look.look(paths, StorageSection()))
    yield "jobs.json", _json(_jobs(paths.database))
    yield "raas.yaml", _settings(appliance.config_file)
    yield "page-settings.yaml", _settings(page_settings.path(paths))
    for service in service_logs.SERVICES:
        said = service_logs.tail(paths, service, _LOG_LINES)
        if said.lines or service in UNITS:
            yield f"logs/{service}.txt", "\n".join([f"# {said.source or said.problem}", *said.lines]) + "\n"


def _rows(diagnosis: Diagnosis) -> Iterator[str]:
    for row in diagnosis.findings:
        yield f"{row.verdict.value:8} {row.area:11} {row.check:18} {row.found}" + (
            f"  -> {row.remedy}" if row.remedy else ""
        )
    yield f"\n{diagnosis.summary}"


def _settings(file: Path) -> str:
    """A settings file as it was understood: comments, which may hold anything, stay out."""
    try:
        content = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        return "# not there: the defaults hold\n"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return f"# it can't be read: {type(error).__name__}\n"
    return yaml.safe_dump(redaction.content(content), sort_keys=False, allow_unicode=True)


def _versions() -> dict[str, Any]:
    release = Path("/etc/os-release")
    system = (
        dict(line.split("=", 1) for line in release.read_text().splitlines() if "=" in line) if release.exists() else {}
    )
    packages = {found.name: found.version for found in metadata.distributions()}
    return {
        "python": platform.python_version(), "kernel": platform.release(), "machine": platform.machine(),
        "cores": os.cpu_count(), "system": system.get("PRETTY_NAME", "").strip('"'), "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def _jobs(database: Path) -> list[dict[str, Any]]:
    """The newest jobs without anything that strangers wrote."""
    columns = "id, state, reason, attempt, exit_code, steps, missed_steps, submitted_at, started_at, ended_at"
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5.0)) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute(f"SELECT {columns} FROM job ORDER BY id DESC LIMIT ?", (_RECENT_JOBS,)).fetchall()  # noqa: S608 - constants
    except sqlite3.Error as error:
        return [{"problem": str(error)}]
    return [dict(row) for row in rows]


def _known_secrets(appliance: Appliance) -> Iterator[str]:
    for file in _secret_files(appliance):
        try:
            text = file.read_text(errors="replace").strip()
        except OSError:
            continue
        yield text
        try:
            yield from _leaves(msgspec.json.decode(text))
        except msgspec.DecodeError:
            continue


def _secret_files(appliance: Appliance) -> Iterator[Path]:
    for folder in (appliance.paths.identity, appliance.credentials, appliance.config_file.parent / "credentials"):
        if folder is not None and folder.is_dir() and os.access(folder, os.R_OK):
            yield from (file for file in folder.rglob("*") if file.is_file())


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("name", "right"):
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str):
        yield value


def _without(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, redaction.HIDDEN)
    return "\n".join(redaction.line(line) for line in text.split("\n"))


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"


_READ_ME: Final = """A support bundle of a raas appliance: what works (diagnosis.txt), versions, settings, services, the ends of the logs.

Passwords, keys, tokens and setup codes were taken out; names, sources and output of jobs were never in it. Addresses of
machines and names of people may stand in the logs: look before you publish it.
"""
