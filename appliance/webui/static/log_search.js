// Finding a text in a job's output: marked where it stands, Enter goes to the next one. Marks are no elements, so the
// output stays as it is, and grows as it did.

const MAX_MARKS = 2000;

/** @param pre the output  @param tools holds the field  @param follow is let go while one looks for something */
export function searchable(pre, tools, follow) {
  if (!globalThis.Highlight) return;
  const field = tools.querySelector("[data-log-search]"), said = tools.querySelector("[data-log-found]");
  let ranges = [], at = -1;
  tools.hidden = false;

  function find() {
    ranges = [];
    const wanted = field.value.toLowerCase();
    const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
    while (wanted && ranges.length < MAX_MARKS && walker.nextNode()) {
      const text = walker.currentNode.data.toLowerCase();
      for (let from = text.indexOf(wanted); from >= 0 && ranges.length < MAX_MARKS; from = text.indexOf(wanted, from + wanted.length)) {
        const range = new Range();
        range.setStart(walker.currentNode, from);
        range.setEnd(walker.currentNode, from + wanted.length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
    tell();
  }

  function tell() {
    const many = ranges.length >= MAX_MARKS ? `${MAX_MARKS} or more` : ranges.length;
    said.textContent = !field.value ? "" : ranges.length ? `${Math.max(at, 0) + 1} of ${many}` : "none";
  }

  function go(step) {
    if (!ranges.length) return;
    at = (at + step + ranges.length) % ranges.length;
    follow.checked = false;
    CSS.highlights.set("found-here", new Highlight(ranges[at]));
    const place = ranges[at].getBoundingClientRect(), frame = pre.getBoundingClientRect();
    pre.scrollTop += place.top - frame.top - frame.height / 2;
    tell();
  }

  field.addEventListener("input", () => {
    at = -1;
    CSS.highlights.delete("found-here");
    find();
    go(1);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    go(event.shiftKey ? -1 : 1);
  });
  new MutationObserver(() => field.value && find()).observe(pre, { childList: true, subtree: true });
}
