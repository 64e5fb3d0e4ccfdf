// Pictures of the camera: live on the Robot page, and along a run's slider on its own page.

import { bytes } from "./format.js";

const AGAIN_MS = 2000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Draw a JPEG; what is no picture leaves the one before. */
async function put(canvas, blob) {
  const picture = await createImageBitmap(blob).catch(() => null);
  if (!picture) return;
  if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
  canvas.hidden = false;
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }));
}

/** Show each newer picture as soon as it is there, as long as somebody looks. */
export async function watch(card) {
  const canvas = card.querySelector("[data-camera-picture]"), says = card.querySelector("[data-camera-says]");
  for (let than = "0"; ;) {
    await visible();
    const answer = await fetch(`/api/camera/picture?than=${than}`).catch(() => null);
    if (answer?.status === 200) {
      than = answer.headers.get("Picture-Number");
      await put(canvas, await answer.blob().catch(() => new Blob()));
      says.textContent = "";
      continue;
    }
    const why = answer?.ok ? await fetch("/api/camera").then((found) => found.json()).catch(() => null) : null;
    says.textContent = why ? why.sentence || "No newer picture has come for a while." : "The connection to the appliance is gone.";
    canvas.hidden = true;
    await pause(AGAIN_MS);
  }
}

/** @param player moves through the run's time */
export async function showRecording(card, id, player) {
  const answer = await fetch(`/api/jobs/${id}/camera`).catch(() => null);
  const found = answer?.ok ? await answer.json() : null;
  if (!found?.times_s.length) return;
  const canvas = card.querySelector("[data-camera-picture]"), open = card.querySelector("[data-camera-open]");
  const says = card.querySelector("[data-camera-says]");
  card.hidden = false;
  open.href = found.url;
  open.title = `${found.times_s.length} pictures, ${bytes(found.size_bytes)}; VLC and ffmpeg play it`;
  says.textContent = found.sentence;
  says.hidden = !found.sentence;
  let wanted = -1, shown = -1, busy = false;

  async function draw() {
    if (busy) return;
    busy = true;
    while (shown !== wanted) {
      const number = wanted;
      const part = await fetch(`/jobs/${id}/camera/${found.attempt}/${number}`).catch(() => null);
      if (part?.ok) await put(canvas, await part.blob());
      shown = number;
    }
    busy = false;
  }

  function seek(t) {
    wanted = Math.max(0, found.times_s.findLastIndex((time) => time <= t));
    draw();
  }

  player.also = seek;
  seek(player.t ?? 0);
}
