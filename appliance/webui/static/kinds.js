// Which kind of robot does this page show, and how do people read it? The page's drawing names the kind and its scales.

import { cart } from "./cart.js";
import { pendulum } from "./pendulum.js";

const KINDS = { pendulum, cart };
const told = document.querySelector("[data-dial]")?.dataset ?? { kind: "pendulum", position: 180 / Math.PI, speed: 1, unit: "°" };

export const kind = KINDS[told.kind];
export const unit = told.unit;

/** What people read for a shaft's angle (rad, not wrapped), or for its velocity (rad/s). */
export const position = (angle) => {
  const value = angle * Number(told.position);
  if (!kind.turns) return value;
  const turned = value % 360;
  return turned > 180 ? turned - 360 : turned <= -180 ? turned + 360 : turned;
};
export const speed = (velocity) => velocity * Number(told.speed);

/** The same as `position`, from where the robot rests and without jumps. */
export const moved = (angle) => (angle - kind.home) * Number(told.position);
