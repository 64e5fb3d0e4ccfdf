"""The window on a screen of the test's own (Xvfb), and its absence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

needs_pygame = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import pygame"], capture_output=True).returncode != 0,
    reason="pygame (extra 'window') is not installed",
)

WATCH = """
import gymnasium, gym_raas, sys
env = gymnasium.make('raaspendulum-v1', render_mode='human')
env.reset()
for _ in range(5):
    env.step([2.0])
driver = env.unwrapped._driver
print(driver._window.is_open)
if driver._window.is_open:
    import pygame
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    print((abs(shown.astype(int) - driver.picture()) <= 1).all())
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.step([2.0])
    print(driver._window.is_open)
env.step([2.0])
env.close()
"""


@pytest.fixture
def display() -> Iterator[str]:
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("Xvfb is not installed")
    reader, writer = os.pipe()
    screen = [xvfb, "-displayfd", str(writer), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    process = subprocess.Popen(screen, pass_fds=[writer], stderr=subprocess.DEVNULL)
    os.close(writer)
    with os.fdopen(reader) as numbers:
        yield f":{numbers.readline().strip()}"
    process.terminate()
    process.wait()


def watch(**environment: str) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    done = subprocess.run([sys.executable, "-c", WATCH], env=clean | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@needs_pygame
def test_a_window_shows_the_picture_and_may_be_closed(display: str) -> None:
    assert watch(DISPLAY=display, SDL_VIDEODRIVER="x11") == ["True", "True", "False"]


def test_without_a_display_nothing_is_shown_and_nothing_fails() -> None:
    assert watch() == ["False"]


@needs_pygame
def test_a_display_that_does_not_answer_is_no_failure() -> None:
    assert watch(DISPLAY=":98765", SDL_VIDEODRIVER="x11") == ["False"]


def test_without_pygame_nothing_is_shown_and_nothing_fails() -> None:
    hidden = "import sys\nsys.modules['pygame'] = None\n" + WATCH
    done = subprocess.run(
        [sys.executable, "-c", hidden], env=os.environ | {"DISPLAY": ":0"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False"]


@needs_pygame
def test_a_watched_simulation_runs_in_real_time(display: str) -> None:
    program = (
        "import gymnasium, gym_raas, time\n"
        "env = gymnasium.make('raaspendulum-v1', render_mode='human'); env.reset(); env.step([1.0])\n"
        "start = time.monotonic()\n"
        "for _ in range(20): env.step([1.0])\n"
        "print(time.monotonic() - start)\n"
    )
    environment = os.environ | {"DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
    start_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert float(done.stdout) >= 0.9, done.stderr
    assert time.monotonic() - start_s < 30.0
