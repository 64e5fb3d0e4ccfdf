"""Which images may a job choose, and what is in them? As the runner has left word of it, beside the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.paths import Paths
from appliance.shapes import ImageView
from appliance.webui.job_files import Disk
from appliance.webui.web import Refusal

_MAX_BYTES = 2**20


@dataclass(frozen=True)
class JobImages:
    """The images of an appliance; `usual` is the one for jobs that don't choose."""

    paths: Paths
    disk: Disk
    usual: str

    def names(self) -> list[str]:
        """All that can be chosen, the usual one first."""
        folder = self.paths.image_packages(self.usual).parent
        found = {Path(name).stem for name in self.disk.names(folder) if name.endswith(".json")}
        return [self.usual, *sorted(found - {self.usual})]

    def views(self) -> list[ImageView]:
        """What each of them holds."""
        return [ImageView(name=name, packages=self._packages(name)) for name in self.names()]

    def chosen(self, wish: str) -> str:
        """The image for a wish, '' standing for the usual one. Raises Refusal with the choices."""
        if wish in {"", self.usual}:
            return self.usual
        names = self.names()
        if wish not in names:
            raise Refusal(
                400, "no_such_image", f"There is no job image {wish[:40]!r} here. Choose {' or '.join(names)}."
            )
        return wish

    def _packages(self, name: str) -> dict[str, str]:
        piece = self.disk.piece(self.paths.image_packages(name), 0, _MAX_BYTES)
        try:
            return dict(sorted(msgspec.json.decode(piece.content or b"{}", type=dict[str, str]).items()))
        except msgspec.DecodeError:
            return {}
