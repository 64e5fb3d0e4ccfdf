// Where was the robot at a given moment? Samples come 15 times a second; between them a cubic through angle and
// speed is indistinguishable from the real motion. Drawing lags a little behind, so that there is always a next sample.

export const LAG_S = 0.14;
const KEPT_S = 2;

/** The state between two samples {t, angle, speed, action}, by cubic Hermite interpolation. */
export function between(before, after, t) {
  const span = after.t - before.t;
  if (span <= 0 || t >= after.t) return { ...after, t };
  const x = Math.max(0, (t - before.t) / span);
  const x2 = x * x, x3 = x2 * x;
  const angle = (2 * x3 - 3 * x2 + 1) * before.angle + (x3 - 2 * x2 + x) * span * before.speed
    + (3 * x2 - 2 * x3) * after.angle + (x3 - x2) * span * after.speed;
  return { t, angle, speed: before.speed + (after.speed - before.speed) * x, action: before.action };
}

export class Motion {
  constructor() {
    this.samples = [];
    this.offset = Infinity; // browser's clock minus robot's clock, with the least delay seen
  }

  /** @param view a RobotView as it arrived now */
  push(view) {
    const last = this.samples.at(-1);
    if (!view.t_s || (last && view.t_s === last.t)) return;
    if (last && view.t_s < last.t) this.samples = []; // another robot's clock: it was restarted
    const offset = performance.now() / 1000 - view.t_s;
    // Follows slowly where the clocks drift apart.
    this.offset = last && offset > this.offset ? this.offset + (offset - this.offset) * 0.002 : offset;
    this.samples.push({ t: view.t_s, angle: view.angle_rad, speed: view.velocity_rad_s, action: view.action });
    while (this.samples.length > 2 && this.samples[1].t < view.t_s - KEPT_S) this.samples.shift();
  }

  /** The robot's time that is drawn now. */
  now() {
    return performance.now() / 1000 - this.offset - LAG_S;
  }

  /** The state at robot time t, or null before the first sample. */
  at(t) {
    const after = this.samples.findIndex((sample) => sample.t > t);
    if (after < 0) return this.samples.at(-1) ?? null;
    return after === 0 ? this.samples[0] : between(this.samples[after - 1], this.samples[after], t);
  }
}
