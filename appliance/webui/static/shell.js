// What every page does: stop and resume, say when the connection is lost, show times in the viewer's zone.

import { localise } from "./format.js";
import { on } from "./stream.js";

const toast = document.querySelector("[data-toast]");
const latch = document.querySelector("[data-latch]");
const stopForm = document.querySelector("[data-stop]");
const stopButton = stopForm.querySelector("button");
const DOUBLE_PRESS_MS = 700;
let hideToast = 0;

/** Say something in passing; it stays until `seconds` are over, or until it is replaced. */
export function say(text, seconds = 0) {
  clearTimeout(hideToast);
  toast.textContent = text;
  toast.hidden = !text;
  if (seconds) hideToast = setTimeout(() => say(""), seconds * 1000);
}

/** POST or DELETE; the answer's JSON, or an Error whose message says what to do. */
export async function send(path, { method = "POST", body } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method, body: body === undefined ? undefined : JSON.stringify(body),
      headers: body === undefined ? {} : { "Content-Type": "application/json" }, priority: "high",
    });
  } catch {
    throw new Error("The appliance can't be reached: check the network. If the arm moves, cut the motor's power.");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.message ?? `The appliance answered ${answer.status}.`);
  return content;
}

async function stop() {
  stopButton.setAttribute("aria-busy", "true");
  try {
    showLatch(await send("/api/robot/stop", { body: { why: "" } }));
  } catch (error) {
    say(`Stop didn't get through. ${error.message}`);
  } finally {
    stopButton.removeAttribute("aria-busy");
  }
}

function showLatch(robot) {
  const latched = robot.stopped || robot.state === "fault";
  latch.classList.toggle("fault", robot.state === "fault");
  const text = latch.querySelector("[data-latch-text]");
  if (latched && text.textContent !== robot.sentence) text.textContent = robot.sentence;
  if (latch.hidden === latched) latch.hidden = !latched;
  stopButton.textContent = robot.stopped ? "Stopped" : "Stop";
}

stopForm.addEventListener("submit", (event) => {
  event.preventDefault();
  stop();
});

document.querySelector("[data-resume]").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    showLatch(await send("/api/robot/resume", { body: {} }));
  } catch (error) {
    say(error.message, 8);
  }
});

let escapedAt = -Infinity;
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.repeat) return;
  if (event.timeStamp - escapedAt < DOUBLE_PRESS_MS) stop();
  escapedAt = event.timeStamp;
});

let wasLost = false;
on("state", (connected) => {
  if (document.body.dataset.page === "claim") return; // before there is an owner nothing is told
  if (!connected) say("Connection lost. Reconnecting …");
  else if (wasLost) say("Connected again.", 3);
  wasLost = !connected;
  document.body.dataset.connected = String(connected);
});
on("robot", showLatch);
localise(document);
document.documentElement.classList.add("has-script");
