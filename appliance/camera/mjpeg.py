"""How does an MJPEG stream become pictures? `multipart/x-mixed-replace`, as ustreamer, mjpg-streamer, ffmpeg and most cameras send it.

Nothing is decoded: a part that begins and ends as a JPEG does is a picture. A part's length is believed where it is
given; otherwise the part ends at the next boundary. Whatever a stranger's camera sends, no more than one picture of
`MOST_BYTES` is ever kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from typing import Final

from appliance.camera.errors import CameraError

#: A picture of 4000 x 3000 pixels in good quality has about half of this.
MOST_BYTES: Final = 8 << 20
_MOST_HEADER_BYTES: Final = 8192
_FIRST, _LAST = b"\xff\xd8", b"\xff\xd9"
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


def boundary(content_type: str) -> bytes:
    """What stands between the parts of such a stream. Raises CameraError with what to do."""
    header = Message()
    header["Content-Type"] = content_type
    if header.get_content_maintype() != "multipart":
        raise CameraError(
            f"It answers with {header.get_content_type()}, not with an MJPEG stream. ustreamer's ends in /stream; "
            "other cameras' manuals say 'MJPEG over HTTP'."
        )
    found = header.get_param("boundary")
    if not isinstance(found, str) or not 1 <= len(found) <= 200:
        raise CameraError("Its stream doesn't say what stands between two pictures (boundary).")
    # Half of all cameras write the dashes into the name, the others leave them to the reader.
    return b"--" + found.removeprefix("--").encode("latin-1", "replace")


class Splitter:
    """Takes a stream's bytes as they come and gives whole pictures."""

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._data = bytearray()
        self._searched = 0
        #: Parts in a row that were no pictures.
        self.spoilt = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pictures that are complete now. Raises CameraError when what comes can't be a stream of pictures."""
        self._data += data
        while (part := self._part()) is not None:
            picture = _picture(part)
            self.spoilt = 0 if picture else self.spoilt + 1
            if picture:
                yield picture

    def _part(self) -> bytes | None:
        """The next part's content; None until it is complete."""
        data = self._data
        start = data.find(self._boundary)
        if start < 0:
            self._must_fit(len(data), _MOST_HEADER_BYTES)
            return None
        head = _HEAD_END.search(data, start + len(self._boundary))
        if head is None:
            self._must_fit(len(data) - start, _MOST_HEADER_BYTES)
            return None
        length = _LENGTH.search(data, start, head.end())
        end = head.end() + int(length[1]) if length else self._next_boundary(head.end())
        self._must_fit((end if end >= 0 else len(data)) - head.end(), MOST_BYTES)
        if end < 0 or end > len(data):
            return None
        part = bytes(data[head.end() : end])
        del data[:end]
        self._searched = 0
        return part

    def _next_boundary(self, begin: int) -> int:
        """Where the part ends whose length isn't said. What was searched in vain isn't searched again."""
        found = self._data.find(self._boundary, max(begin, self._searched))
        self._searched = max(0, len(self._data) - len(self._boundary))
        return found

    def _must_fit(self, size: int, most: int) -> None:
        if size > most:
            raise CameraError("What it sends isn't a stream of JPEG pictures, or they are far too large.")


def _picture(part: bytes) -> bytes:
    """The JPEG in a part, without line ends or padding behind it; empty if there is none."""
    end = part.rfind(_LAST)
    return part[: end + len(_LAST)] if part.startswith(_FIRST) and end > 0 else b""
