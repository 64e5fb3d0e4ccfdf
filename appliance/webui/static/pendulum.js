// A pendulum: 0° is upright, positive angles turn left, as gym draws it.

import { add } from "./svg.js";

const CENTRE = 120, RIM = 104, BOB = 86, PUSH = 54;

const x = (angle, radius) => (CENTRE - radius * Math.sin(angle)).toFixed(2);
const y = (angle, radius) => (CENTRE - radius * Math.cos(angle)).toFixed(2);

function arc(from, to, radius) {
  const large = Math.abs(to - from) > Math.PI ? 1 : 0;
  const sweep = to > from ? 0 : 1;
  return `M${x(from, radius)} ${y(from, radius)}A${radius} ${radius} 0 ${large} ${sweep} ${x(to, radius)} ${y(to, radius)}`;
}

/** Angles without jumps, from their cosines and sines, so that the arm can be drawn between two steps. */
function unwrapped(observations) {
  let last = Math.PI;
  return observations.map(([cos, sin]) => {
    const angle = Math.atan2(sin, cos);
    last += Math.atan2(Math.sin(angle - last), Math.cos(angle - last));
    return last;
  });
}

export const pendulum = {
  turns: true,
  limits: { angle: [-180, 180], speed: [-20, 20], action: [-2.2, 2.2] },
  splits: { angle: [-180, -90, 0, 90, 180], speed: [-20, -10, 0, 10, 20], action: [-2, 0, 2] },
  home: Math.PI,
  furthestTrail: 3,
  run: (observations) => ({ angle: unwrapped(observations), speed: observations.map((each) => each[2]) }),
  prepare(svg) {
    const ticks = svg.querySelector("[data-ticks]");
    for (let degree = 0; degree < 360; degree += 10) {
      const angle = (degree * Math.PI) / 180, major = degree % 30 === 0, inner = RIM - (major ? 9 : 5);
      add(ticks, "line", {
        class: major ? "tick major" : "tick",
        x1: x(angle, RIM), y1: y(angle, RIM), x2: x(angle, inner), y2: y(angle, inner),
      });
    }
  },
  place: (angle) => `rotate(${(-angle * 180 / Math.PI).toFixed(2)} ${CENTRE} ${CENTRE})`,
  push: (share) => arc(0, share * Math.PI * 0.5, PUSH),
  trail: (before, after) => arc(before, after, BOB),
};
