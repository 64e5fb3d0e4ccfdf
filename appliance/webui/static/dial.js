// The drawn robot, as its kind draws it, and its readouts.

import { fixed } from "./format.js";
import { kind, position, speed } from "./kinds.js";
import { add } from "./svg.js";

const GHOSTS = 9, GHOST_S = 0.028;

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
    kind.prepare(this.svg);
  }

  /** Draw the state at time t. `at` gives the state at any time, for the trail. */
  draw(t, at, limit = 2) {
    const state = at(t);
    if (!state) return;
    this.arm.setAttribute("transform", kind.place(state.angle));
    const push = Math.max(-1, Math.min(1, state.action / limit));
    this.push.setAttribute("d", Math.abs(push) > 0.01 ? kind.push(push) : "");
    this.drawTrail(t, at, state.angle);
    this.read(state);
  }

  drawTrail(t, at, angle) {
    for (const [index, path] of this.trail.entries()) {
      const before = this.still.matches ? angle : at(t - (index + 1) * GHOST_S)?.angle ?? angle;
      const moved = Math.abs(before - angle);
      path.setAttribute("d", moved > 0.003 && moved < kind.furthestTrail ? kind.trail(before, angle) : "");
      angle = before;
    }
  }

  read(state) {
    if (performance.now() - this.readAt < 90) return;
    this.readAt = performance.now();
    const texts = { angle: fixed(position(state.angle), 1), speed: fixed(speed(state.speed), 2), action: fixed(state.action, 2) };
    for (const [name, text] of Object.entries(texts)) {
      if (this.reads[name] && this.reads[name].textContent !== text) this.reads[name].textContent = text;
    }
  }
}
