// The Fleet page: what the server renders, fetched anew while somebody looks.

const PERIOD_MS = 5000;
const parts = ["[data-fleet-body]", "[data-fleet-sentence]", "[data-fleet-state]"];

async function refresh() {
  const answer = await fetch("/fleet", { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of parts) {
    const [old, now] = [document.querySelector(part), fresh.querySelector(part)];
    if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.importNode(now, true));
  }
}

setInterval(() => document.hidden || refresh(), PERIOD_MS);
setTimeout(refresh, 1500);
