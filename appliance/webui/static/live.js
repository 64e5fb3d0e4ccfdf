// Dial and strip charts that follow the robot, drawn only while somebody can see them.

import { Strips } from "./charts.js";
import { Dial } from "./dial.js";
import { Motion } from "./motion.js";

const STRIP_PERIOD_MS = 33;

export class Live {
  constructor(root) {
    this.root = root;
    this.motion = new Motion();
    this.dial = new Dial(root);
    this.strips = new Strips(root);
    this.drawnAt = 0;
    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const frame = (at) => {
      if (!root.hidden) this.draw(at, calm.matches ? 500 : STRIP_PERIOD_MS);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** Begin with what has just happened. */
  async seed() {
    try {
      const answer = await fetch("/api/robot/motion");
      if (answer.ok) this.strips.seed(await answer.json());
    } catch {
      // Then the charts start empty.
    }
  }

  push(view) {
    this.motion.push(view);
    this.strips.push(view);
  }

  draw(at, period) {
    const now = this.motion.now();
    if (!Number.isFinite(now)) return;
    this.dial.draw(now, (t) => this.motion.at(t));
    if (at - this.drawnAt >= period) {
      this.drawnAt = at;
      this.strips.draw(now);
    }
  }
}
