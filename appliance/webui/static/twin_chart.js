// A job's measured angle and its twin's under the same commands: one picture, and a sentence on where they part.

import { moved, unit } from "./kinds.js";

const WIDTH = 900, HEIGHT = 170, LEFT = 44, RIGHT = 8, TOP = 10, BOTTOM = 22;

function rows(text) {
  return text.trim().split("\n").slice(1).map((line) => line.split(",").map(Number));
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Draw into `figure`; `data` are lines of t_s, angle_rad, twin_rad (of the shaft, not wrapped). */
function draw(figure, data, partedS) {
  const until = partedS == null ? Infinity : partedS + 2; // after that the two have nothing to do with each other
  const angles = data.flatMap(([t, measured, twin]) => (t <= until ? [moved(measured), moved(twin)] : [moved(measured)]));
  const low = Math.min(...angles), high = Math.max(...angles, low + 1), end = data.at(-1)[0], begin = data[0][0];
  const x = (t) => LEFT + ((t - begin) / (end - begin || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (angle) => TOP + ((high - angle) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const path = (column, last) => data.filter(([t]) => t <= last).map((row, n) => `${n ? "L" : "M"}${x(row[0]).toFixed(1)} ${y(moved(row[column])).toFixed(1)}`).join("");
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Measured angle and the twin's over time" });
  svg.append(element("path", { d: path(1, Infinity), class: "measured" }), element("path", { d: path(2, until), class: "twin" }));
  if (partedS != null) svg.append(element("line", { x1: x(partedS), x2: x(partedS), y1: TOP, y2: HEIGHT - BOTTOM, class: "parted" }));
  for (const angle of [low, high]) svg.append(element("text", { x: LEFT - 6, y: y(angle) + 4, "text-anchor": "end" }, `${Math.round(angle)}${unit}`));
  svg.append(element("text", { x: LEFT, y: HEIGHT - 4 }, `${begin.toFixed(0)} s`), element("text", { x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, `${end.toFixed(0)} s`));
  figure.replaceChildren(svg);
}

function sentence({ rmse_rad, parted_s, window_rmse_rad }) {
  const mrad = (value) => `${(value * 1000).toFixed(0)} mrad`;
  const together = parted_s == null
    ? `Robot and twin stay together to the end, ${mrad(rmse_rad)} apart (RMSE).`
    : `Robot and twin part after ${parted_s.toFixed(1)} s; until then they are ${mrad(rmse_rad)} apart (RMSE).`;
  return window_rmse_rad == null ? together : `${together} Started anew each second, the twin errs by ${mrad(window_rmse_rad)}.`;
}

/** Show the card of a finished job, if there is something to compare. */
export async function showTwin(card, job, { residual }) {
  if (!residual) return;
  const answer = await fetch(`/api/jobs/${job.id}/twin.csv`).catch(() => null);
  const data = answer?.ok ? rows(await answer.text()) : [];
  if (!data.length) return;
  card.hidden = false;
  card.querySelector("[data-twin-says]").textContent = sentence(residual);
  draw(card.querySelector("[data-twin-figure]"), data, residual.parted_s);
}
