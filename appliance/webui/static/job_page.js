// The page of one job: state and progress, output as it is printed, the robot while it runs, its data afterwards.

import { offerAnimation } from "./animation.js";
import { showRecording } from "./camera.js";
import { FINAL, duration, localTime, stateName } from "./format.js";
import { Live } from "./live.js";
import { searchable } from "./log_search.js";
import { LogView } from "./log_view.js";
import { Player } from "./player.js";
import { say, send } from "./shell.js";
import { on } from "./stream.js";
import { showTiming } from "./timing.js";
import { showTwin } from "./twin_chart.js";

const find = (name) => document.querySelector(`[data-${name}]`);
let { job } = JSON.parse(find("page-facts").dataset.pageFacts);
const log = new LogView(find("log"), find("follow"), job.id);
searchable(find("log"), find("log-tools"), find("follow"));
const progress = find("progress"), bar = progress.querySelector("progress");
let live = null, player = null, reported = false, far = 0;

function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function take(newer) {
  if (newer.id !== job.id) return;
  if (newer.state !== job.state || newer.attempt !== job.attempt) log.update();
  job = newer;
  draw();
}

function draw() {
  const over = FINAL.has(job.state);
  find("job-state").dataset.state = job.state;
  show(find("job-state"), stateName(job.state));
  show(find("sentence"), job.sentence);
  find("cancel").hidden = over;
  if (find("again")) find("again").hidden = !over;
  find("compare").hidden = !job.has_bundle;
  if (find("board")) find("board").hidden = job.standard_return === null;
  find("next").hidden = job.state !== "queued" || job.position === 1;
  notes();
  progress.hidden = job.state !== "running" && job.state !== "collecting";
  const here = job.state === "running" && job.place !== "away"; // elsewhere nobody sends its motion
  find("live").hidden = !here;
  find("result").hidden = find("downloads").hidden = find("animation").hidden = !job.has_bundle;
  if (here) goLive();
  else if (job.state === "running") goFar();
  if (job.has_bundle) player ??= new Player(find("result"), [job]);
  if (job.has_bundle && !reported) report();
  facts();
  log.placeholder(over ? "Nothing was printed." : "Nothing printed yet.");
}

function showStandard(done) {
  find("standard").hidden = !done;
  if (!done) return;
  const of = done.episodes > 1 ? ` (mean of ${done.episodes}, best ${done.best_return.toFixed(1)})` : "";
  show(document.querySelector('[data-fact="standard_task"]'), `return ${done.mean_return.toFixed(1)}${of}`);
}

async function report() {
  reported = true;
  offerAnimation(find("animation"), job.id);
  showRecording(find("camera"), job.id, player);
  const answer = await fetch(`/api/jobs/${job.id}/report.json`).catch(() => null);
  if (!answer?.ok) return;
  const found = await answer.json();
  showTiming(find("timing"), found);
  showTwin(find("twin"), job, found);
  showStandard(found.standard_task);
}

function notes() {
  const list = find("notes");
  list.hidden = !job.notes.length;
  if (list.children.length === job.notes.length && [...list.children].every((item, n) => item.textContent === job.notes[n])) return;
  list.replaceChildren(...job.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
}

/** The time of a run elsewhere goes on here. */
function goFar() {
  const used = job.started_at ? Math.min(job.limit_s, Math.max(0, Date.now() / 1000 - job.started_at)) : 0;
  bar.max = job.limit_s;
  bar.value = used;
  show(find("used"), `${duration(used)} of ${duration(job.limit_s)}`);
  show(find("left"), "");
  clearTimeout(far);
  far = setTimeout(draw, 1000);
}

function goLive() {
  if (live) return;
  live = new Live(find("live"));
  on("robot", (robot) => {
    if (robot.job_id !== job.id) return;
    live.push(robot);
    bar.max = robot.limit_s;
    bar.value = robot.session_s;
    show(find("used"), `${duration(robot.session_s)} of ${duration(robot.limit_s)}`);
    show(find("left"), `${duration(robot.time_left_s)} left`);
  });
}

function facts() {
  const texts = {
    started_at: job.started_at ? localTime(new Date(job.started_at * 1000)) : "–",
    duration: job.started_at && job.ended_at ? duration(job.ended_at - job.started_at) : "–",
    steps: job.steps ?? "–", missed_steps: job.missed_steps ?? "–", exit_code: job.exit_code ?? "–",
    attempt: job.attempt, commit_id: job.commit_id || "–",
  };
  for (const [name, text] of Object.entries(texts)) show(document.querySelector(`[data-fact="${name}"]`), String(text));
}

async function reload() {
  const answer = await fetch(`/api/jobs/${job.id}`).catch(() => null);
  if (answer?.ok) take(await answer.json());
  log.update();
}

find("cancel").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    take(await send(`/api/jobs/${job.id}`, { method: "DELETE" }));
  } catch (error) {
    say(error.message, 6);
  }
});

on("job", take);
on("log", (change) => change.id === job.id && log.update());
on("reload", reload);
on("state", (connected) => connected && reload());
draw();
log.update();
