// One recorded run: its columns, and how it was at any moment of it.

import { kind } from "./kinds.js";
import { between } from "./motion.js";

export class Run {
  /** @param result what result.json holds; at least one step */
  constructor(result) {
    this.times = result.times;
    Object.assign(this, kind.run(result.obs));
    this.action = result.actions;
    this.cost = result.costs;
    this.end = result.times.at(-1);
  }

  /** Fetch a job's. Throws an Error that says what is wrong. */
  static async load(id) {
    const answer = await fetch(`/api/jobs/${id}/result.json`);
    if (!answer.ok) throw new Error((await answer.json()).message);
    const result = await answer.json();
    if (!result.times.length) throw new Error("run.py made no step, so there is nothing to plot.");
    return new Run(result);
  }

  at(t) {
    const { times } = this;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < t) low = middle + 1;
      else high = middle;
    }
    const sample = (index) => ({ t: times[index], angle: this.angle[index], speed: this.speed[index], action: this.action[index] });
    return low === 0 ? sample(0) : { ...between(sample(low - 1), sample(low), t), action: this.action[low] };
  }
}
