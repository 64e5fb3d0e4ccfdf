// A job's output in the page: read by offset as it grows, drawn in chunks, at most 1 MiB of it.

import { Ansi } from "./ansi.js";

const MAX_BYTES = 2 ** 20 + 4096; // what is kept of a flood, and the line that says so
const CHUNK_LINES = 200;

export class LogView {
  /** @param pre where it is shown  @param follow a checkbox: keep the end in sight */
  constructor(pre, follow, jobId) {
    this.pre = pre;
    this.follow = follow;
    this.url = `/api/jobs/${jobId}/log`;
    this.reset();
    follow.parentElement.hidden = false;
    follow.addEventListener("change", () => this.scroll());
    pre.addEventListener("wheel", (event) => { if (event.deltaY < 0) follow.checked = false; }, { passive: true });
    pre.addEventListener("scroll", () => {
      if (pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4) return;
      if (performance.now() - this.scrolledAt > 200) follow.checked = false;
    }, { passive: true });
  }

  reset(attempt = "") {
    this.attempt = attempt;
    this.offset = 0;
    this.ansi = new Ansi();
    this.decoder = new TextDecoder();
    this.chunk = null;
    this.tail = document.createElement("span"); // stands in the page once there is something to show
    this.scrolledAt = -Infinity;
  }

  /** Read on until everything is shown; calls that come meanwhile are covered by the one that is under way. */
  async update() {
    this.wanted = true;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        await this.read();
      }
    } catch {
      // The stream says when the connection is back, and then this is asked again.
    } finally {
      this.busy = false;
    }
  }

  async read() {
    if (this.offset >= MAX_BYTES) return;
    const answer = await fetch(`${this.url}?from=${this.offset}`);
    if (!answer.ok) return;
    const size = Number(answer.headers.get("X-Log-Size")), attempt = answer.headers.get("X-Log-Attempt");
    if (size < this.offset || attempt !== (this.attempt || attempt)) {
      this.pre.replaceChildren();
      this.reset(attempt); // written anew: another attempt, or cut in its middle
      this.wanted = true;
      return;
    }
    this.attempt = attempt;
    const content = new Uint8Array(await answer.arrayBuffer());
    if (!content.length) return;
    const shown = content.subarray(0, MAX_BYTES - this.offset);
    this.offset += content.length;
    this.show(this.ansi.feed(this.decoder.decode(shown, { stream: true })));
    if (this.offset >= MAX_BYTES) this.note("… the page shows the first MiB; the bundle has everything that was kept.");
  }

  ready() {
    if (!this.tail.isConnected) this.pre.replaceChildren(this.tail);
  }

  show(lines) {
    this.ready();
    for (const line of lines) {
      if (!this.chunk || this.chunk.lines >= CHUNK_LINES) {
        this.chunk = { element: document.createElement("div"), lines: 0 };
        this.chunk.element.className = "chunk";
        this.tail.before(this.chunk.element);
      }
      this.chunk.lines += 1;
      this.chunk.element.append(...pieces(line), "\n");
    }
    this.tail.replaceChildren(...pieces(this.ansi.line));
    this.scroll();
  }

  note(text) {
    this.ready();
    const element = document.createElement("span");
    element.className = "none";
    element.textContent = text;
    this.tail.replaceChildren(element);
  }

  /** What stands there while nothing was printed. */
  placeholder(text) {
    if (this.offset === 0 && (!this.pre.textContent || this.pre.querySelector(".none"))) this.note(text);
  }

  scroll() {
    if (!this.follow.checked) return;
    this.scrolledAt = performance.now();
    this.pre.scrollTop = this.pre.scrollHeight;
  }
}

function pieces(line) {
  return line.map(([className, text]) => {
    if (!className) return text;
    const span = document.createElement("span");
    span.className = className;
    span.textContent = text;
    return span;
  });
}
