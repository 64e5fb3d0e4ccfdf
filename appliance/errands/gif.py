"""How do pictures become a GIF, one after the other, so that a long one takes no more memory than a short one?

Each frame holds only what has changed, everything else is transparent: it compresses to almost nothing. Format: GIF89a,
https://www.w3.org/Graphics/GIF/spec-gif89a.txt; Pillow does the compression.
"""

from __future__ import annotations

import struct
from typing import IO, Final

import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image

#: Colours of a GIF of ours; the last one stands for "as before".
COLOURS: Final = 64
_AS_BEFORE: Final = COLOURS - 1
_LEAVE: Final = 1  # disposal: what is drawn stays

Indices = npt.NDArray[np.uint8]


class GifWriter:
    """Writes to `file`; `palette` is a picture in mode P with at most COLOURS - 1 colours."""

    def __init__(self, file: IO[bytes], size: tuple[int, int], palette: Image.Image) -> None:
        self._file = file
        self._palette = palette
        self._last: Indices | None = None
        self._held: tuple[Image.Image, tuple[int, int]] | None = None
        self._held_cs = 0
        colours = bytes((palette.getpalette() or [])[: 3 * _AS_BEFORE]).ljust(3 * COLOURS, b"\0")
        table = 0b1000_0000 | (COLOURS.bit_length() - 2)
        file.write(b"GIF89a" + struct.pack("<HHBBB", *size, table, 0, 0) + colours)
        file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # again and again

    def add(self, picture: Image.Image, centiseconds: int) -> None:
        """Show a picture in mode RGB for so long; one that looks like the last only makes that one last."""
        now: Indices = np.asarray(picture.quantize(palette=self._palette, dither=Image.Dither.NONE), dtype=np.uint8)
        changed = np.ones(now.shape, bool) if self._last is None else now != self._last
        self._last = now
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            self._held_cs += centiseconds
            return
        self._flush()
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        shown = np.where(changed[box], now[box], np.uint8(_AS_BEFORE))
        self._held, self._held_cs = (Image.fromarray(shown), (int(columns[0]), int(rows[0]))), centiseconds

    def close(self) -> None:
        """Write the end."""
        self._flush()
        self._file.write(b";")

    def _flush(self) -> None:
        if self._held is not None:
            image, place = self._held
            blocks = GifImagePlugin.getdata(
                image, place, duration=10 * self._held_cs, transparency=_AS_BEFORE, disposal=_LEAVE
            )
            self._file.write(b"".join(blocks))
