// While somebody types a repository's address: is it there, has it run.py, and which commit would run?

const PAUSE_MS = 500; // after the last key
const LIKELY = /^https?:\/\/[^/\s]+\/[^/\s]+/i;

/** @param form with the fields git_url and ref, and a place for what was seen */
export function watchAddress(form) {
  const url = form.elements.git_url, ref = form.elements.ref, place = form.querySelector("[data-seen]");
  const known = new Map();
  let timer = 0, wanted = "";

  function show(verdict, text) {
    place.dataset.verdict = verdict;
    if (place.textContent !== text) place.textContent = text;
  }

  function changed() {
    clearTimeout(timer);
    wanted = JSON.stringify({ git_url: url.value.trim(), ref: ref.value.trim() });
    if (!url.value.trim()) return show("", "");
    if (known.has(wanted)) return show(...known.get(wanted));
    show("looking", LIKELY.test(url.value.trim()) ? "Looking …" : "");
    timer = setTimeout(() => look(wanted), PAUSE_MS);
  }

  async function look(question) {
    let verdict;
    try {
      const answer = await fetch("/api/git/check", { method: "POST", body: question, headers: { "Content-Type": "application/json" } });
      const found = await answer.json();
      verdict = answer.ok ? [found.ok ? (found.has_program ? "ok" : "unknown") : "bad", found.sentence] : ["unknown", found.message];
      if (answer.ok) {
        known.set(question, verdict);
        setTimeout(() => known.delete(question), 60_000); // as long as the appliance believes it
      }
    } catch {
      verdict = ["", ""]; // the page says that the connection is lost
    }
    if (question === wanted) show(...verdict);
  }

  for (const field of [url, ref]) field.addEventListener("input", changed);
  if (url.value) changed();
}
