// The Robot page: the pendulum as it moves, what it does and why, who is next.

import { watch } from "./camera.js";
import { duration, stateName } from "./format.js";
import { Live } from "./live.js";
import { fill } from "./rows.js";
import { on } from "./stream.js";

const find = (name) => document.querySelector(`[data-${name}]`);
const live = new Live(find("bench"));
const state = find("robot-state"), sentence = find("sentence"), time = find("time");
const progress = time.querySelector("progress"), list = find("queue");

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function timing(robot) {
  if (robot.state === "offline") return "no motor loop";
  return `${robot.rate_hz.toFixed(1)} of ${robot.target_rate_hz} Hz, ${robot.missed_ticks} missed, worst tick ${robot.worst_tick_us} µs`;
}

on("robot", (robot) => {
  live.push(robot);
  state.dataset.state = robot.state;
  show(state, stateName(robot.state));
  show(sentence, robot.sentence);
  show(find("timing"), timing(robot));
  live.dial.svg.classList.toggle("idle", robot.state !== "running" && robot.state !== "settling");
  time.hidden = robot.state !== "running";
  progress.max = robot.limit_s;
  progress.value = robot.session_s;
  show(find("left"), `${duration(robot.time_left_s)} left`);
  find("driver").href = robot.job_id ? `/jobs/${robot.job_id}` : "/jobs";
});

on("queue", (queue) => {
  const jobs = [...queue.active, ...queue.waiting];
  fill(list, jobs, true);
  find("queue-empty").hidden = jobs.length > 0;
  show(find("queue-note"), queue.paused ? "Paused" : "");
  find("queue-pause").hidden = queue.paused;
  find("queue-resume").hidden = queue.paused_by !== "owner";
  const more = queue.length - queue.waiting.length;
  find("queue-more").hidden = more <= 0;
  show(find("queue-more"), `and ${more} more`);
});

live.seed();
if (find("camera")) watch(find("camera"));
