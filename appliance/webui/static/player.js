// A finished run: plots, and a time slider that moves the drawn pendulum and the plots' cursors together.

import { Plots } from "./charts.js";
import { Dial } from "./dial.js";
import { between } from "./motion.js";

/** Angles without jumps, from their cosines and sines, so that the arm can be drawn between two steps. */
function unwrapped(observations) {
  let last = Math.PI;
  return observations.map(([cos, sin]) => {
    const angle = Math.atan2(sin, cos);
    last += Math.atan2(Math.sin(angle - last), Math.cos(angle - last));
    return last;
  });
}

export class Player {
  constructor(root, job) {
    const find = (name) => root.querySelector(`[data-${name}]`);
    this.root = root;
    this.slider = find("slider");
    this.button = find("play");
    this.output = find("moment");
    this.note = find("plot-note");
    this.load(job);
  }

  async load(job) {
    this.note.textContent = "Loading the data …";
    let result;
    try {
      const answer = await fetch(`/api/jobs/${job.id}/result.json`);
      if (!answer.ok) throw new Error((await answer.json()).message);
      result = await answer.json();
    } catch (error) {
      this.note.textContent = `The data couldn't be loaded: ${error.message}`;
      return;
    }
    this.note.textContent = result.times.length ? "" : "run.py made no step, so there is nothing to plot.";
    if (result.times.length) this.start(result);
  }

  start(result) {
    this.run = {
      times: result.times, angle: unwrapped(result.obs), speed: result.obs.map((each) => each[2]),
      action: result.actions, cost: result.costs,
    };
    this.end = result.times.at(-1);
    this.slider.max = this.end;
    this.dial = new Dial(this.root);
    this.plots = new Plots(this.root, this.run, (t) => this.seek(t));
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.button.addEventListener("click", () => this.toggle());
    this.seek(0);
  }

  /** Show the run at time t. */
  seek(t) {
    this.t = Math.max(0, Math.min(this.end, t));
    this.slider.value = this.t;
    this.slider.setAttribute("aria-valuetext", `${this.t.toFixed(2)} seconds`);
    this.output.textContent = `${this.t.toFixed(2)} s`;
    this.dial.readAt = -Infinity;
    this.dial.draw(this.t, (moment) => this.at(moment));
    this.plots.show(this.t);
  }

  at(t) {
    const { times } = this.run;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < t) low = middle + 1;
      else high = middle;
    }
    const sample = (index) => ({ t: times[index], angle: this.run.angle[index], speed: this.run.speed[index], action: this.run.action[index] });
    return low === 0 ? sample(0) : { ...between(sample(low - 1), sample(low), t), action: this.run.action[low] };
  }

  toggle() {
    this.playing = !this.playing;
    this.button.textContent = this.playing ? "Pause" : "Play";
    if (!this.playing) return;
    if (this.t >= this.end) this.seek(0);
    let last = performance.now();
    const frame = (now) => {
      if (!this.playing) return;
      this.seek(this.t + (now - last) / 1000);
      last = now;
      if (this.t >= this.end) this.toggle();
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
}
