"""A fleet for tests: its bucket on SeaweedFS with the least rights that members need, and appliances that join by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.federation import keyring, policies
from appliance.federation.keys import Keys
from appliance.federation.s3_store import Bucket, S3Store
from tests.federation.servers import BUCKET, REPOSITORY

FLEET = "lab"
#: Half of it covers a job of theirs, and everything else goes nine times faster than in a real fleet.
LEASE_S = 105.0


def identities(*members: str, compactor: str = "") -> list[dict[str, Any]]:
    """What a SeaweedFS needs to know of members: exactly what `raas fleet policy --for seaweedfs` prints."""
    return [
        policies.seaweedfs(BUCKET, Keys(FLEET), who, f"key-{who}", f"secret-{who}", compacts=who == compactor)
        for who in members
    ]


@dataclass(frozen=True)
class Fleet:
    """A fleet in a bucket, and its operator's key."""

    where: Bucket
    key: Path

    @property
    def keys(self) -> Keys:
        return Keys(FLEET)

    def create(self) -> dict[str, Any]:
        return dict(self.raas(["create", "--lease", str(LEASE_S), "--key", str(self.key)]))

    def join(self, folder: Path, name: str) -> dict[str, Any]:
        """A new appliance's folder, joined and admitted."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "raas.yaml").write_text(f"name: {name}\njob: {{limit_s: 30, grace_s: 1, output_kb: 14336}}\n")
        told = self.raas(
            ["join", "--member", name, "--key", str(self.key)], folder, f"key-{name}", f"secret-{name}", code=None
        )
        return dict(told)

    def raas(
        self, command: list[str], data: Path | None = None, access: str = "", secret: str = "", code: int | None = 0
    ) -> Any:
        """`raas --json fleet ...` with the bucket's name; the administrator's key unless another is given."""
        where = ["--bucket", self.where.bucket, "--endpoint", self.where.endpoint, "--fleet", FLEET]
        where += ["--access-key", access or self.where.access_key, "--secret-key", secret or self.where.secret_key]
        data = data or self.key.parent
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", "--data", str(data), "--json", "fleet", *command, *where],
            capture_output=True, text=True, timeout=60, cwd=REPOSITORY, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def store(self) -> S3Store:
        """The bucket, with all rights."""
        return S3Store(self.where)


def signer_of(folder: Path) -> keyring.Own:
    """A member's key, as an attacker has it who took over that appliance."""
    return keyring.own(folder / "federation", "", "")
