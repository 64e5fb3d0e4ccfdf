// The Submit page: a repository by its address, or an archive or folder by drag and drop, with progress.

import { bytes } from "./format.js";
import { watchAddress } from "./git_check.js";
import { send } from "./shell.js";
import { dropped, kept, tar } from "./tar.js";

const limits = JSON.parse(document.querySelector("[data-page-facts]").dataset.pageFacts);
const find = (name) => document.querySelector(`[data-${name}]`);
const gitForm = find("git"), form = find("archive"), drop = find("drop"), sending = find("sending");
const problem = form.querySelector("[data-problem]");
const archiveInput = document.getElementById("archive"), folderInput = document.getElementById("folder");
const ARCHIVE = /\.(zip|tar|tgz|tar\.(gz|xz|bz2)|txz|tbz2?)$/i;
let chosen = null; // {name, blob, note}
let upload = null;

const go = (job) => { location.href = `/jobs/${job.id}`; };

gitForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = gitForm.querySelector("[data-problem]"), button = gitForm.querySelector("button");
  const { git_url, ref, name, image = "", preflight, board_name = "", tags = "" } = Object.fromEntries(new FormData(gitForm));
  const far = event.submitter?.hasAttribute("formaction");
  said.textContent = "";
  button.disabled = true;
  try {
    const here = { git_url, ref, name, image, preflight: Boolean(preflight), board_name };
    go(await (far ? send("/api/fleet/jobs", { body: { git_url, ref, name, tags, live: true } }) : send("/api/jobs", { body: here })));
  } catch (error) {
    said.textContent = error.message;
    button.disabled = false;
  }
});

watchAddress(gitForm);

/** What a person chose: one archive, or files with their paths. */
function choose(files, folder) {
  problem.textContent = "";
  chosen = null;
  if (!files.length) return show("Drop a folder or an archive here", "There was nothing in it.");
  if (!folder && files.length === 1 && ARCHIVE.test(files[0].path)) {
    chosen = { name: files[0].path, blob: files[0].file };
    return check(bytes(files[0].file.size));
  }
  if (files.length > limits.max_files) return refuse(`These are ${files.length} files; at most ${limits.max_files} are taken.`);
  const tops = new Set(files.map(({ path }) => path.split("/")[0]));
  const top = tops.size === 1 && files[0].path.includes("/") ? [...tops][0] : "";
  const programs = new Set(files.map(({ path }) => path));
  if (!programs.has("run.py") && !programs.has(`${top}/run.py`)) return refuse("There is no run.py in it. The program must have that name, at the top.");
  chosen = { name: `${top || "files"}.tar`, blob: tar(files) };
  return check(`${files.length} ${files.length === 1 ? "file" : "files"}, ${bytes(chosen.blob.size)}`);
}

function check(note) {
  if (chosen.blob.size > limits.max_bytes) {
    return refuse(`${chosen.name} has ${bytes(chosen.blob.size)}; at most ${bytes(limits.max_bytes)} are taken. Leave data and environments out of it.`);
  }
  return show(chosen.name, note);
}

function refuse(text) {
  chosen = null;
  problem.textContent = text;
  show("Drop a folder or an archive here", "");
}

function show(title, note) {
  find("chosen").textContent = title;
  find("contents").textContent = note;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  problem.textContent = "";
  if (!chosen) {
    problem.textContent ||= "Choose an archive or a folder first.";
    return;
  }
  const body = new FormData();
  const far = event.submitter?.hasAttribute("formaction");
  for (const field of ["name", "image", "preflight", "board_name", ...(far ? ["tags", "live"] : [])]) {
    const value = new FormData(form).get(field);
    if (value) body.append(field, value);
  }
  body.append("archive", chosen.blob, chosen.name);
  transmit(body, far ? "/api/fleet/jobs" : "/api/jobs");
});

function transmit(body, address) {
  const bar = sending.querySelector("progress"), sent = find("sent"), button = form.querySelector("button[type=submit]");
  const done = (text) => {
    sending.hidden = true;
    button.disabled = false;
    problem.textContent = text;
  };
  upload = new XMLHttpRequest();
  upload.open("POST", address);
  upload.responseType = "json";
  upload.upload.onprogress = ({ loaded, total }) => {
    bar.max = total;
    bar.value = loaded;
    sent.textContent = loaded < total ? `${bytes(loaded)} of ${bytes(total)}` : "Storing it safely …";
  };
  upload.onload = () => (upload.status === 201 ? go(upload.response) : done(upload.response?.message ?? `The appliance answered ${upload.status}.`));
  upload.onerror = () => done("The upload broke off. Check the network, then send it again.");
  upload.onabort = () => done("The upload was cancelled.");
  bar.value = 0;
  sent.textContent = "";
  sending.hidden = false;
  button.disabled = true;
  upload.send(body);
}

find("abort").addEventListener("click", () => upload?.abort());

for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const folder = [...event.dataTransfer.items].some((item) => item.webkitGetAsEntry?.()?.isDirectory);
  choose(await dropped(event.dataTransfer.items), folder);
});

archiveInput.required = false;
archiveInput.addEventListener("change", () => choose([...archiveInput.files].map((file) => ({ path: file.name, file })), false));
folderInput.addEventListener("change", () => {
  const files = [...folderInput.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  choose(files.filter(({ path }) => kept(path)), true);
});
find("choose").hidden = false;
for (const button of document.querySelectorAll("[data-pick]")) {
  button.addEventListener("click", () => document.getElementById(button.dataset.pick).click());
}

const who = document.getElementById("who");
who.value = decodeURIComponent(document.cookie.match(/(?:^|; )raas_name=([^;]*)/)?.[1] ?? "");
who.addEventListener("input", () => {
  document.cookie = `raas_name=${encodeURIComponent(who.value.trim())}; path=/; max-age=31536000; samesite=strict`;
});
who.form.addEventListener("submit", (event) => event.preventDefault());
