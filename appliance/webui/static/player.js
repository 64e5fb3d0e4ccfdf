// Finished runs, one or two: a slider moves through their time, and with it the drawn robots and the plots' cursors together.

import { Plots } from "./charts.js";
import { Dial } from "./dial.js";
import { Run } from "./run.js";

export class Player {
  /** @param scenes for each job the element that holds its dial and readouts */
  constructor(root, jobs, scenes = [root]) {
    const find = (name) => root.querySelector(`[data-${name}]`);
    this.root = root;
    this.scenes = [...scenes];
    this.slider = find("slider");
    this.button = find("play");
    this.output = find("moment");
    this.note = find("plot-note");
    this.load(jobs);
  }

  async load(jobs) {
    this.note.textContent = "Loading the data …";
    try {
      this.runs = await Promise.all(jobs.map((job) => Run.load(job.id)));
    } catch (error) {
      this.note.textContent = error.message;
      return;
    }
    this.note.textContent = "";
    this.start();
  }

  start() {
    this.end = Math.max(...this.runs.map((run) => run.end));
    this.slider.max = this.end;
    this.dials = this.scenes.map((scene) => new Dial(scene));
    this.plots = new Plots(this.root, this.runs, (t) => this.seek(t));
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.button.addEventListener("click", () => this.toggle());
    this.seek(0);
  }

  /** Show the runs at time t; `also` is told. */
  seek(t) {
    this.t = Math.max(0, Math.min(this.end, t));
    this.slider.value = this.t;
    this.slider.setAttribute("aria-valuetext", `${this.t.toFixed(2)} seconds`);
    this.output.textContent = `${this.t.toFixed(2)} s`;
    for (const [index, dial] of this.dials.entries()) {
      dial.readAt = -Infinity;
      dial.draw(Math.min(this.t, this.runs[index].end), (moment) => this.runs[index].at(moment));
    }
    this.plots.show(this.t);
    this.also?.(this.t);
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
