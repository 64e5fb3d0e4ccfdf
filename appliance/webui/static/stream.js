// What happens on the appliance, as it happens: through the shared worker, or where there is none, on a connection of
// this tab's own that is closed while nobody looks at it.

import { Connection } from "./events.js";

const listeners = new Map();
let leave = () => {};
let joined = false;

/** Call `listener(data)` for each event of this kind: robot, queue, job, log, reload, state. */
export function on(kind, listener) {
  if (!listeners.has(kind)) listeners.set(kind, []);
  listeners.get(kind).push(listener);
  if (!joined) {
    joined = true;
    queueMicrotask(join);
  }
}

function tell({ kind, data }) {
  for (const listener of listeners.get(kind) ?? []) listener(data);
}

function join() {
  try {
    const worker = new SharedWorker(new URL("./stream_worker.js", import.meta.url), { type: "module", name: "raas" });
    worker.onerror = alone;
    worker.port.onmessage = (event) => tell(event.data);
    leave = () => worker.port.postMessage("bye");
  } catch {
    alone();
  }
}

function alone() {
  let connection = null;
  const look = () => {
    if (document.hidden) connection?.close();
    connection = document.hidden ? null : new Connection(tell);
  };
  document.addEventListener("visibilitychange", look);
  leave = () => connection?.close();
  look();
}

addEventListener("pagehide", () => leave());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // back from the cache: what it shows is old
});
