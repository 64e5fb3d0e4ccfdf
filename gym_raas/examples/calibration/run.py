"""Move the arm in ways that tell its constants apart. The appliance records it; `raas calibrate` fits the recording."""

import random

import gymnasium
import gym_raas

STEP_S = 0.05


def say(text):
    print(text, flush=True)


def hold(env, action, seconds):
    """The same action for a while."""
    for _ in range(round(seconds / STEP_S)):
        env.step([action])


def ramps(env):
    """Through the dead zone, slowly, in both directions: where does the arm begin to move?"""
    for sign in (1, -1, 1, -1):
        for step in range(44):
            env.step([sign * (0.3 + 0.02 * step)])
        hold(env, 0.0, 0.8)


def steps(env):
    """From rest, a constant action, in both directions; then let the bridge brake."""
    for size in (0.8, 1.1, 1.5, 2.0):
        for sign in (1, -1):
            hold(env, sign * size, 0.9)
            hold(env, 0.0, 1.1)


def swings(env):
    """Push along with the motion, then let go."""
    for size in (1.0, 1.3, 1.6):
        velocity = 1.0
        for _ in range(40):
            observation, *_ = env.step([size if velocity >= 0.0 else -size])
            velocity = observation[2]
        hold(env, 0.0, 1.5)


def pushes(env):
    """At random, always the same: every size in both directions."""
    chance = random.Random(7)
    for _ in range(48):
        hold(env, chance.choice((-1, 1)) * chance.uniform(0.4, 2.0), chance.choice((0.1, 0.2, 0.4)))
    hold(env, 0.0, 1.0)


def experiment(env):
    """All of it, each part from rest."""
    for number, part in enumerate((ramps, steps, swings, pushes), start=1):
        env.reset()
        say(f"part {number} of 4: {part.__doc__.splitlines()[0]}")
        part(env)


if __name__ == "__main__":
    with gymnasium.make("raaspendulum-v1", max_episode_steps=100_000) as env:
        experiment(env)
    say("done")
