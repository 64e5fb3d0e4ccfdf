"""Where does the appliance keep the key by which remote drivers know it? One file that only the lease service reads.

Made when it is first needed: by the service, or by whoever hands out the first token on the appliance.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from appliance import durable
from appliance.errors import RaasError

SERVER_KEY: Final = "server.key"
_KEY_BYTES: Final = 32


def server_secret(folder: Path) -> bytes:
    """The appliance's secret key, 32 bytes; made if there is none. Raises RaasError.

    A new key makes all tokens useless, so a broken file is never replaced.
    """
    path = folder / SERVER_KEY
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise RaasError(f"{path} can't be used ({error.strerror}). Run this as root on the appliance.") from error
    if len(key) != _KEY_BYTES:
        raise RaasError(
            f"{path} is damaged. Restore it; or remove it, and hand out all tokens for remote driving anew."
        )
    return key


def public(secret: bytes) -> bytes:
    """The public key that belongs to it, 32 bytes."""
    return z85.decode(zmq.curve_public(z85.encode(secret)))


def new_secret() -> bytes:
    """A key for one person, 32 bytes."""
    return z85.decode(zmq.curve_keypair()[1])


def _make(path: Path) -> None:
    """The file belongs to whom the folder belongs to, whoever makes it; nobody else ever reads it."""
    before = os.umask(0o077)
    try:
        durable.write(path, new_secret())
    finally:
        os.umask(before)
    owner = path.parent.stat()
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
