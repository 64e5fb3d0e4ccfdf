"""Wheels made on the spot, and folders of them that pip takes for an index."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path


def wheel(
    name: str, version: str = "1.0", files: dict[str, str | bytes] | None = None, needs: tuple[str, ...] = ()
) -> tuple[str, bytes]:
    """File name and content of a pure Python wheel."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {n}\n" for n in needs
    )
    content: dict[str, str | bytes] = {
        **(files or {f"{name}/__init__.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    return f"{name}-{version}-py3-none-any.whl", target.getvalue()


def folder(path: Path, *wheels: tuple[str, bytes]) -> Path:
    """A folder with these wheels, as `find-links` takes it."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in wheels:
        (path / name).write_bytes(content)
    return path


def _digest(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
