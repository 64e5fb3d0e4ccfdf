// How are times, durations, states and sources written for people? The same words as the server's templates.

const STATES = {
  queued: "Queued", preparing: "Preparing", waiting_for_robot: "Waiting for robot", running: "Running",
  collecting: "Collecting", succeeded: "Succeeded", failed: "Failed", timed_out: "Timed out", cancelled: "Cancelled",
  disarmed: "Idle", settling: "Settling", armed: "Ready", fault: "Fault", stopped: "Stopped", offline: "Offline",
};
export const FINAL = new Set(["succeeded", "failed", "timed_out", "cancelled"]);

export const stateName = (state) => STATES[state] ?? state;

/** Such as "45 s" or "2 min 5 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** In the viewer's own zone: the clock alone for today, else with the day. `at`: a Date. */
export function localTime(at) {
  const today = at.toDateString() === new Date().toDateString();
  return today ? `today, ${CLOCK.format(at)}` : `${DAY.format(at)}, ${CLOCK.format(at)}`;
}

/** Rewrite all <time> elements below `root`. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    element.textContent = localTime(at);
    element.title = FULL.format(at);
  }
}

/** A number of fixed width, with a real minus sign. */
export function fixed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "\u2007") + text;
}

export function bytes(count) {
  return count < 1e6 ? `${Math.max(1, Math.round(count / 1e3))} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export function source(job) {
  if (job.source_kind !== "git") return job.source;
  const short = job.source.replace(/^https?:\/\//, "").replace(/\.git$/, "");
  return job.ref ? `${short} @ ${job.ref}` : short;
}

export const title = (job) => job.name || source(job);
