"""Where are private keys and the bucket's credentials? Files that only their owner reads; each error says which is missing."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.config import FederationSection
from appliance.errors import RaasError
from appliance.federation.charter import fingerprint
from appliance.federation.keys import is_name
from appliance.federation.s3_store import Bucket
from appliance.federation.signing import Ed25519Signer

USUAL: Final = Path("/etc/raas/credentials")
ACCESS_KEY: Final = "fleet-access-key"
SECRET_KEY: Final = "fleet-secret-key"  # noqa: S105 - a file's name
_IDENTITY: Final = "identity.json"
_PINNED: Final = "fleet.pinned"


class Missing(RaasError):
    """A key or credential isn't where it should be; the message says where."""


class _Kept(msgspec.Struct, frozen=True):
    who: str
    secret: bytes


@dataclass(frozen=True)
class Own:
    """This appliance in the fleet: its name, and the key that it signs with."""

    who: str
    signer: Ed25519Signer


def bucket(section: FederationSection, environment: Mapping[str, str], timeout_s: float = 10.0) -> Bucket:
    """Where the fleet's objects are, with credentials from files. Raises Missing."""
    access, secret = (_credential(section, environment, name) for name in (ACCESS_KEY, SECRET_KEY))
    return Bucket(section.bucket, section.endpoint, section.region, access, secret, timeout_s)


def _credential(section: FederationSection, environment: Mapping[str, str], name: str) -> str:
    places = [Path(section.credentials) / name] if section.credentials else []
    if not places and environment.get("CREDENTIALS_DIRECTORY"):
        places.append(Path(environment["CREDENTIALS_DIRECTORY"]) / f"raas_{name}")
    places = places or [USUAL / name]
    try:
        text = places[0].read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Missing(
            f"The bucket's credentials are missing: {places[0]} can't be read. Put the key into it."
        ) from error
    if not text:
        raise Missing(f"{places[0]} is empty. Put the key of the bucket into it.")
    return text


def own(folder: Path, wanted: str, name: str) -> Own:
    """This appliance's name and key, made at first. wanted: the name it is to have, '' for one made from `name`."""
    path = folder / _IDENTITY
    if not path.exists():
        secret = secrets.token_bytes(32)
        public = Ed25519Signer(secret).public
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:24] or "pi"
        who = wanted or f"{slug}-{fingerprint(public)[:4]}"
        folder.mkdir(parents=True, exist_ok=True)
        _write_secret(path, msgspec.json.encode(_Kept(who, secret)))
        _give_to_owner_of(folder, path)
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError) as error:
        raise Missing(f"{path} can't be used ({error}). Restore it, or move it away to join anew.") from error
    if not is_name(kept.who) or len(kept.secret) != 32:
        raise Missing(f"{path} is broken. Restore it, or move it away to join anew.")
    if wanted and wanted != kept.who:
        raise Missing(f"This appliance is '{kept.who}' in its fleet; federation.member says '{wanted}'. "
                      f"Set it back, or move {path} away to join anew.")  # fmt: skip
    return Own(kept.who, Ed25519Signer(kept.secret))


def pinned(folder: Path) -> str:
    """Fingerprint of the fleet's key that was believed at first; '' before."""
    path = folder / _PINNED
    return path.read_text().strip() if path.exists() else ""


def pin(folder: Path, public: bytes) -> None:
    """Believe this key from now on."""
    folder.mkdir(parents=True, exist_ok=True)
    durable.write(folder / _PINNED, f"{fingerprint(public)}\n".encode())
    _give_to_owner_of(folder, folder / _PINNED)


def write_credentials(folder: Path, where: Bucket) -> None:
    """Put the bucket's key where `bucket()` looks for it."""
    for name, text in ((ACCESS_KEY, where.access_key), (SECRET_KEY, where.secret_key)):
        (folder / name).unlink(missing_ok=True)
        _write_secret(folder / name, f"{text}\n".encode())


def new_operator(path: Path) -> Ed25519Signer:
    """Make the operator's key. Raises Missing where there is a file already."""
    if path.exists():
        raise Missing(f"{path} exists. Keep it if it is a fleet's key, and give another name with --key.")
    secret = secrets.token_bytes(32)
    _write_secret(path, base64.b64encode(secret) + b"\n")
    return Ed25519Signer(secret)


def operator(path: Path) -> Ed25519Signer:
    """The operator's key. Raises Missing."""
    try:
        secret = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, binascii.Error) as error:
        raise Missing(
            f"The operator's key {path} can't be read. `raas fleet create` made it; give it with --key."
        ) from error
    if len(secret) != 32:
        raise Missing(f"{path} is no operator's key.")
    return Ed25519Signer(secret)


def _write_secret(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _give_to_owner_of(folder: Path, path: Path) -> None:
    """Whoever's folder it is, reads it: root may have joined the fleet on the command line."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
