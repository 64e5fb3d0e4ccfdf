// A job as a row of a list; the same markup as the template job_row.html.

import { duration, localTime, source, stateName, title } from "./format.js";

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function made(job) {
  const row = document.createElement("li");
  row.dataset.job = job.id;
  const link = document.createElement("a");
  link.className = "job-row";
  link.href = `/jobs/${job.id}`;
  for (const name of ["title", "pill", "sub", "when"]) {
    const part = document.createElement("span");
    part.className = name;
    link.append(part);
  }
  row.append(link);
  return row;
}

/** Bring a row up to date, or make it. `brief`: beside the robot, with where it comes from and when it starts. */
export function jobRow(job, row, brief) {
  row ??= made(job);
  const part = (name) => row.querySelector(`.${name}`);
  text(part("title"), title(job));
  text(part("pill"), stateName(job.state));
  part("pill").dataset.state = job.state;
  const who = job.submitter.split("@")[0];
  text(part("sub"), brief && job.name ? `${who} · ${source(job)}` : who);
  const waits = brief && job.eta_s !== null && job.position !== null;
  text(part("when"), waits ? `in ${duration(job.eta_s)} at most` : localTime(new Date(job.submitted_at * 1000)));
  return row;
}

/** Make a list show exactly these jobs, keeping the rows that stay. */
export function fill(list, jobs, brief) {
  const known = new Map([...list.children].map((row) => [row.dataset.job, row]));
  const rows = jobs.map((job) => jobRow(job, known.get(job.id), brief));
  rows.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  while (list.children.length > rows.length) list.lastElementChild.remove();
}
