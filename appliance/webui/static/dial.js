// The drawn pendulum: 0° is upright, positive angles turn left, as gym draws it.

import { fixed } from "./format.js";
import { degrees } from "./motion.js";

const SVG = "http://www.w3.org/2000/svg";
const CENTRE = 120, RIM = 104, BOB = 86, PUSH = 54;
const GHOSTS = 9, GHOST_S = 0.028;

const x = (angle, radius) => (CENTRE - radius * Math.sin(angle)).toFixed(2);
const y = (angle, radius) => (CENTRE - radius * Math.cos(angle)).toFixed(2);

function arc(from, to, radius) {
  const large = Math.abs(to - from) > Math.PI ? 1 : 0;
  const sweep = to > from ? 0 : 1;
  return `M${x(from, radius)} ${y(from, radius)}A${radius} ${radius} 0 ${large} ${sweep} ${x(to, radius)} ${y(to, radius)}`;
}

function add(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
}

export class Dial {
  /** @param root an element that holds the dial and its readouts */
  constructor(root) {
    this.svg = root.querySelector("[data-dial]");
    this.arm = this.svg.querySelector("[data-arm]");
    this.push = this.svg.querySelector("[data-push]");
    this.trail = Array.from({ length: GHOSTS }, (_, index) =>
      add(this.svg.querySelector("[data-trail]"), "path", { class: "trail", opacity: (0.32 * (1 - index / GHOSTS)).toFixed(2) }));
    this.reads = Object.fromEntries([...root.querySelectorAll("[data-read]")].map((element) => [element.dataset.read, element]));
    this.readAt = -Infinity;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    const ticks = this.svg.querySelector("[data-ticks]");
    for (let degree = 0; degree < 360; degree += 10) {
      const angle = (degree * Math.PI) / 180, major = degree % 30 === 0, inner = RIM - (major ? 9 : 5);
      add(ticks, "line", {
        class: major ? "tick major" : "tick",
        x1: x(angle, RIM), y1: y(angle, RIM), x2: x(angle, inner), y2: y(angle, inner),
      });
    }
  }

  /** Draw the state at time t. `at` gives the state at any time, for the trail. */
  draw(t, at, limit = 2) {
    const state = at(t);
    if (!state) return;
    this.arm.setAttribute("transform", `rotate(${(-state.angle * 180 / Math.PI).toFixed(2)} ${CENTRE} ${CENTRE})`);
    const push = Math.max(-1, Math.min(1, state.action / limit));
    this.push.setAttribute("d", Math.abs(push) > 0.01 ? arc(0, push * Math.PI * 0.5, PUSH) : "");
    this.drawTrail(t, at, state.angle);
    this.read(state);
  }

  drawTrail(t, at, angle) {
    for (const [index, path] of this.trail.entries()) {
      const before = this.still.matches ? angle : at(t - (index + 1) * GHOST_S)?.angle ?? angle;
      const moved = Math.abs(before - angle);
      path.setAttribute("d", moved > 0.003 && moved < 3 ? arc(before, angle, BOB) : "");
      angle = before;
    }
  }

  read(state) {
    if (performance.now() - this.readAt < 90) return;
    this.readAt = performance.now();
    const texts = { angle: fixed(degrees(state.angle), 1), speed: fixed(state.speed, 2), action: fixed(state.action, 2) };
    for (const [name, text] of Object.entries(texts)) {
      if (this.reads[name] && this.reads[name].textContent !== text) this.reads[name].textContent = text;
    }
  }
}
