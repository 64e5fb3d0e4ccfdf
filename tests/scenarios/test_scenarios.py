"""Every scenario file in this folder, against the real loop's parts with a stepped clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios import script

FILES = sorted(Path(__file__).parent.glob("*.scenario"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_loop_plays_the_scenario(path: Path) -> None:
    script.run(path)


def test_a_scenario_that_expects_the_wrong_thing_fails() -> None:
    lines = script.parse("title: x\n0.0 guard arm 1\n0.0 expect state=running\n").lines
    robot = script.load_robot()
    link = script.SimulatedLink(robot, script.State(3.14, 0.0))
    with pytest.raises(AssertionError, match="line 3: expect state=running: state is armed"):
        script.Stage(script.SteppedLoop(robot, script.RealtimeSection(), link)).play(lines)
