// Line charts by uPlot: strips that run along with the robot, and plots of a finished run that share one cursor.

import { kind, position, speed } from "./kinds.js";

const WINDOW_S = 20;
const HEARTBEAT_S = 2.5; // a robot at rest is told once a second
const SHOWN = { angle: position, speed };
const scheme = matchMedia("(prefers-color-scheme: dark)");

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Columns for one line in people's units; an angle that jumps across ±180° leaves a gap. A value holds until `end`. */
function column(times, values, name, end = 0) {
  if (end > times.at(-1)) {
    times = [...times, end];
    values = [...values, values.at(-1)];
  }
  if (SHOWN[name]) values = values.map(SHOWN[name]);
  if (name !== "angle" || !kind.turns) return [times, values];
  const xs = [], ys = [];
  for (let index = 0; index < times.length; index++) {
    const value = values[index], last = ys.at(-1);
    if (last != null && Math.abs(value - last) > 180) {
      xs.push((times[index] + times[index - 1]) / 2);
      ys.push(null);
    }
    xs.push(times[index]);
    ys.push(value);
  }
  return [xs, ys];
}

function options(name, element, { x, lastOne, y, cursor, strokes = [name] }) {
  const axis = { stroke: colour("ink-3"), font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: colour("line"), width: 1 } };
  return {
    width: element.clientWidth, height: element.clientHeight, padding: [6, 16, lastOne ? 0 : 4, 0],
    legend: { show: false }, cursor,
    scales: { x: { time: false, ...x.scale }, y: { range: y ?? kind.limits[name] } },
    axes: [
      { ...axis, ...x.axis, size: lastOne ? 26 : 0, values: lastOne ? x.axis.values : () => [] },
      { ...axis, size: 42, splits: kind.splits[name] && !y ? () => kind.splits[name] : undefined },
    ],
    series: [{}, ...strokes.map((stroke) => ({ stroke: colour(stroke), width: 1.6, points: { show: false }, spanGaps: false,
      paths: name === "action" ? globalThis.uPlot.paths.stepped({ align: 1 }) : drawn }))],
  };
}

/** A line that simply stops at a gap, however narrow; where only another line has a point, it goes on. */
function drawn(plot, series, from, to) {
  const xs = plot.data[0], ys = plot.data[series], stroke = new Path2D();
  let open = false;
  for (let index = from; index <= to; index++) {
    if (ys[index] === undefined) continue;
    if (ys[index] === null) {
      open = false;
      continue;
    }
    stroke[open ? "lineTo" : "moveTo"](plot.valToPos(xs[index], "x", true), plot.valToPos(ys[index], "y", true));
    open = true;
  }
  return { stroke, fill: null, clip: null, flags: 1 };
}

/** Builds one chart per element, again when the colours or the width change. */
class Group {
  constructor(elements, name, make) {
    this.elements = [...elements];
    this.name = name;
    this.make = make;
    this.plots = new Map();
    this.build();
    scheme.addEventListener("change", () => this.build());
    this.observer = new ResizeObserver(() => this.fit());
    this.elements.forEach((element) => this.observer.observe(element));
  }

  build() {
    if (!globalThis.uPlot) return;
    for (const [index, element] of this.elements.entries()) {
      const name = element.dataset[this.name];
      this.plots.get(name)?.destroy();
      element.replaceChildren();
      this.plots.set(name, this.make(name, element, index === this.elements.length - 1));
    }
  }

  fit() {
    for (const element of this.elements) {
      const plot = this.plots.get(element.dataset[this.name]);
      if (plot && element.clientWidth && plot.width !== element.clientWidth) {
        plot.setSize({ width: element.clientWidth, height: element.clientHeight });
      }
    }
  }
}

/** Angle, speed and action of the last 20 s. */
export class Strips {
  constructor(root) {
    this.now = 0;
    this.times = [];
    this.values = { angle: [], speed: [], action: [] };
    this.group = new Group(root.querySelectorAll("[data-strip]"), "strip", (name, element, lastOne) => {
      const x = {
        scale: { range: () => [this.now - WINDOW_S, this.now] },
        axis: { splits: () => [20, 15, 10, 5, 0].map((ago) => this.now - ago), values: () => ["20 s ago", "15", "10", "5", "now"] },
      };
      return new globalThis.uPlot(options(name, element, { x, lastOne, cursor: { show: false } }), [[], []], element);
    });
  }

  /** Put a Motion (columns of the last seconds) before what is known. */
  seed({ t_s, angle_rad, velocity_rad_s, action }) {
    const known = this.times[0] ?? Infinity, count = t_s.filter((t) => t < known).length;
    this.times.unshift(...t_s.slice(0, count));
    this.values.angle.unshift(...angle_rad.slice(0, count));
    this.values.speed.unshift(...velocity_rad_s.slice(0, count));
    this.values.action.unshift(...action.slice(0, count));
  }

  push(view) {
    const last = this.times.at(-1);
    if (!view.t_s || view.t_s === last) return;
    if (view.t_s < last) this.clear();
    this.times.push(view.t_s);
    this.values.angle.push(view.angle_rad);
    this.values.speed.push(view.velocity_rad_s);
    this.values.action.push(view.action);
    const old = this.times.findIndex((t) => t > view.t_s - WINDOW_S - 2);
    if (old > 60) {
      this.times.splice(0, old);
      Object.values(this.values).forEach((values) => values.splice(0, old));
    }
  }

  clear() {
    this.times = [];
    for (const name of Object.keys(this.values)) this.values[name] = [];
  }

  draw(now) {
    this.now = now;
    const heard = (this.times.at(-1) ?? -Infinity) > now - HEARTBEAT_S;
    for (const [name, plot] of this.group.plots) {
      plot.setData(column(this.times, this.values[name], name, heard ? now : 0));
    }
  }
}

/** Angle, speed, action and cost of one run, or of two over each other, with one cursor. `seek(t)` is called when somebody points at a time. */
export class Plots {
  constructor(root, runs, seek) {
    this.runs = runs;
    this.moment = 0;
    this.group = new Group(root.querySelectorAll("[data-plot]"), "plot", (name, element, lastOne) => this.plot(name, element, lastOne, seek));
  }

  plot(name, element, lastOne, seek) {
    const lines = this.runs.map((run) => column(run.times, run[name], name));
    const top = name === "cost" ? this.runs.reduce((most, run) => run.cost.reduce((a, b) => Math.max(a, b), most), 1) : 1;
    const x = { scale: { range: [0, Math.max(...this.runs.map((run) => run.end))] }, axis: { values: (_, splits) => splits.map((t) => `${t} s`) } };
    const cursor = { x: true, y: false, drag: { x: false, y: false, setScale: false }, points: { size: 9 }, bind: { mouseleave: () => () => null, mousemove: () => () => null, mouseenter: () => () => null, mousedown: () => () => null, mouseup: () => () => null, dblclick: () => () => null } };
    const y = name === "cost" ? [0, top * 1.05] : undefined;
    const strokes = lines.length > 1 ? ["angle", "speed"] : [name];
    const data = lines.length > 1 ? globalThis.uPlot.join(lines) : lines[0];
    const plot = new globalThis.uPlot(options(name, element, { x, lastOne, y, cursor, strokes }), data, element);
    const point = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      seek(plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, "x"));
    };
    plot.over.addEventListener("pointerdown", point);
    plot.over.addEventListener("pointermove", point);
    return plot;
  }

  /** Put the cursors of all plots at time t. */
  show(t) {
    for (const plot of this.group.plots.values()) plot.setCursor({ left: plot.valToPos(t, "x"), top: 0 });
  }
}
