// The Jobs page: states change as they happen, new jobs appear at the top of the newest page.

import { fill, jobRow } from "./rows.js";
import { on } from "./stream.js";

const { live, query } = JSON.parse(document.querySelector("[data-page-facts]").dataset.pageFacts);
const list = document.querySelector("[data-list]");
const PAGE = 50;

function take(job) {
  const row = list.querySelector(`[data-job="${job.id}"]`);
  if (row) jobRow(job, row, false);
  else if (live && (!list.firstElementChild || job.id > list.firstElementChild.dataset.job)) {
    list.prepend(jobRow(job, null, false));
    if (list.children.length > PAGE) list.lastElementChild.remove();
    document.querySelector("[data-empty]").hidden = true;
  }
}

async function reload() {
  const answer = await fetch(`/api/jobs?limit=${PAGE}${query && `&${query}`}`).catch(() => null);
  if (!answer?.ok) return;
  const { jobs, total } = await answer.json();
  if (live) fill(list, jobs, false);
  else jobs.forEach(take);
  document.querySelector("[data-empty]").hidden = list.children.length > 0;
  document.querySelector("[data-total]").textContent = `${total} ${total === 1 ? "job" : "jobs"}`;
}

document.querySelector("[data-state-choice]").addEventListener("change", (event) => event.target.form.requestSubmit());
on("job", take);
on("reload", reload);
on("state", (connected) => connected && reload());
