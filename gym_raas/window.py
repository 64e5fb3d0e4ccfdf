"""Can somebody watch? A window that shows pictures where there is a screen and pygame, and otherwise does nothing.

pygame is an extra (`pip install pygame`) and takes its time to import, so it is loaded by name and only
when a window is really wanted.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
import numpy.typing as npt


def has_display() -> bool:
    """Whether this process can reach a screen."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Window:
    """A window on the screen; `rate_hz` paces `show` to real time. It never raises: a picture is no reason to stop."""

    def __init__(self, title: str, rate_hz: float | None = None) -> None:
        self._title = title
        self._rate_hz = rate_hz
        self._screen: Any = None
        self._pygame = _pygame() if has_display() else None
        self._clock = self._pygame.time.Clock() if self._pygame else None

    @property
    def is_open(self) -> bool:
        """Whether `show` would show anything."""
        return self._pygame is not None

    def show(self, picture: npt.NDArray[np.uint8]) -> None:
        """Put an image of shape (height, width, 3) on the screen."""
        if self._pygame is None:
            return
        try:
            self._blit(picture)
        except self._pygame.error:  # the screen went away, or never really was there
            self.close()

    def _blit(self, picture: npt.NDArray[np.uint8]) -> None:
        pygame = self._pygame
        assert pygame is not None
        if self._screen is None:
            pygame.display.init()
            height, width = picture.shape[:2]
            self._screen = pygame.display.set_mode((width, height))
            pygame.display.set_caption(self._title)
        self._screen.blit(pygame.surfarray.make_surface(picture.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()
        if any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()
        elif self._rate_hz and self._clock:
            self._clock.tick(self._rate_hz)

    def close(self) -> None:
        """Close the window; it stays closed."""
        if self._pygame is not None and self._screen is not None:
            self._pygame.display.quit()
        self._pygame = self._screen = None


def _pygame() -> Any:
    """The module pygame, or None where it isn't installed."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "hide")
    try:
        return importlib.import_module("pygame")
    except ImportError:
        return None
