// The GIF of a run: asked for with a button, followed until it is there, its link copied.

import { bytes } from "./format.js";
import { say, send } from "./shell.js";

const AGAIN_MS = 2000;

/** @param card the section of a job that has results */
export function offerAnimation(card, id) {
  const find = (name) => card.querySelector(`[data-animation-${name}]`);
  const form = find("ask"), open = find("open"), copy = find("copy"), says = find("says");
  const address = `/api/jobs/${id}/animation`;
  const usual = says.textContent;
  let timer = 0;

  function show({ state, sentence, url, size_bytes }) {
    const ready = state === "ready";
    form.hidden = ready || state === "waiting" || state === "drawing";
    open.hidden = copy.hidden = !ready;
    says.textContent = ready ? `${bytes(size_bytes)}. Whoever reaches this appliance can open the link.` : sentence || usual;
    if (ready) open.href = url;
    clearTimeout(timer);
    if (state === "waiting" || state === "drawing") timer = setTimeout(look, AGAIN_MS);
  }

  async function look() {
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) show(await answer.json());
    else timer = setTimeout(look, AGAIN_MS);
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      show(await send(address));
    } catch (error) {
      say(error.message, 8);
    }
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(open.href);
      say("The link is copied.", 3);
    } catch {
      say(open.href, 12); // browsers copy on https and localhost only
    }
  });
  look();
}
