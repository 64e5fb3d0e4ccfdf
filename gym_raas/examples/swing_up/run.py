"""Swing the pendulum up and balance it, for 20 seconds.

Two controllers take turns. Far from the top, *energy shaping* pushes the arm the way it already moves until it has just
the energy that it needs to stand. Near the top, a linear-quadratic regulator (*LQR*) catches it and holds it.
"""

import gym
import gym_raas
import numpy as np

STEPS = 400
DT = 0.05  # one step takes 50 ms

robot = gym_raas.load_robot()
model = robot.model
DAMPING = model.viscous_per_s + model.back_emf_per_s
MAX_ACTION = robot.limits.action
COMMAND_PER_ACTION = robot.pwm.command_per_action
TOP_ENERGY = 2.0 * model.gravity_rad_s2  # standing still upright; hanging still is 0


def lqr_gains():
    """Feedback on (angle, velocity, last push) near the top, which holds even if a push acts one step late."""
    # Continuous: angle'' = gravity * angle - damping * angle' + push, with the push constant during a step.
    a = np.array([[0.0, 1.0, 0.0], [model.gravity_rad_s2, -DAMPING, 1.0], [0.0, 0.0, 0.0]])
    step, term = np.eye(3), np.eye(3)
    for n in range(1, 20):  # the matrix exponential of a * DT
        term = term @ a * DT / n
        step = step + term
    # Discrete: the push of this step is half of the last one and half of the new one, a delay of half a step.
    late = 0.5
    f = np.array([[*step[0, :2], late * step[0, 2]], [*step[1, :2], late * step[1, 2]], [0.0, 0.0, 0.0]])
    g = np.array([[(1 - late) * step[0, 2]], [(1 - late) * step[1, 2]], [1.0]])
    state_cost, push_cost = np.diag([30.0, 1.0, 0.0]), np.array([[0.05]])
    p = state_cost
    for _ in range(500):  # the Riccati equation, by walking backwards in time
        k = np.linalg.solve(push_cost + g.T @ p @ g, g.T @ p @ f)
        p = state_cost + f.T @ p @ (f - g @ k)
    return k[0]


GAINS = lqr_gains()


def action_for(push):
    """The action whose push (rad/s^2) comes nearest: the motor doesn't move below its dead zone."""
    command = model.dead_zone_command + abs(push) / model.gain_rad_s2_per_command
    return float(np.clip(np.sign(push) * command / COMMAND_PER_ACTION, -MAX_ACTION, MAX_ACTION))


def push_of(action):
    """The push (rad/s^2) that an action gives."""
    beyond = max(abs(action) * COMMAND_PER_ACTION - model.dead_zone_command, 0.0)
    return float(np.sign(action)) * model.gain_rad_s2_per_command * beyond


def swing_up(cosine, sine, velocity):
    """Push along with the motion: as much as friction takes, more while energy is missing, less if there is too much."""
    energy = 0.5 * velocity**2 + model.gravity_rad_s2 * (1.0 + cosine)
    friction = model.coulomb_rad_s2 + DAMPING * abs(velocity)
    falling = velocity if abs(velocity) > 0.05 else sine  # held up by its own push it would stay there for ever
    direction = 1.0 if falling >= 0.0 else -1.0
    return direction * (friction + 2.0 * (TOP_ENERGY - energy))


def balance(angle, velocity, last_push):
    """Hold the arm upright."""
    return -float(GAINS @ [angle, velocity, last_push])


class Controller:
    """From observation to action; it remembers its last push."""

    def __init__(self):
        self.last_push = 0.0

    def __call__(self, observation):
        cosine, sine, velocity = (float(x) for x in observation)
        angle = np.arctan2(sine, cosine)
        near_the_top = abs(angle) < 0.8 and abs(angle + 0.19 * velocity) < 0.35
        push = balance(angle, velocity, self.last_push) if near_the_top else swing_up(cosine, sine, velocity)
        action = action_for(push)
        self.last_push = push_of(action)
        return action


def main():
    env = gym.make("raaspendulum-v0")
    observation = env.reset()
    controller = Controller()
    upright = 0
    for step in range(STEPS):
        env.render()
        observation, reward, done, info = env.step([controller(observation)])
        upright = upright + 1 if observation[0] > 0.95 else 0
        if step % 20 == 19:
            state = f"upright for {upright * DT:.1f} s" if upright else "swinging up"
            print(f"{(step + 1) * DT:4.1f} s   cos {observation[0]:+.2f}   {state}", flush=True)
    env.close()


if __name__ == "__main__":
    main()
