// A folder as one file: an uncompressed tar, put together from the files themselves without reading them into memory.

const BLOCK = 512;
const encoder = new TextEncoder();
export const LEFT_OUT = new Set([".git", "__pycache__", ".venv", "venv", "node_modules", ".mypy_cache", ".pytest_cache", ".ruff_cache"]);

/** Whether a path in the folder is worth sending. */
export const kept = (path) => !path.split("/").some((part) => LEFT_OUT.has(part));

function header(name, size, kind) {
  const block = new Uint8Array(BLOCK);
  const put = (offset, text) => block.set(encoder.encode(text), offset);
  const octal = (offset, length, value) => put(offset, value.toString(8).padStart(length - 1, "0"));
  block.set(encoder.encode(name).subarray(0, 100), 0);
  octal(100, 8, 0o644);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, size);
  octal(136, 12, 0);
  put(148, "        "); // the checksum counts as spaces
  put(156, kind);
  put(257, "ustar\x0000");
  octal(148, 7, block.reduce((sum, byte) => sum + byte, 0));
  block[154] = 0;
  return block;
}

const padding = (size) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** An extended header: paths of any length, in UTF-8. */
function longName(path) {
  const rest = ` path=${path}\n`;
  let length = encoder.encode(rest).length;
  while (String(length).length + encoder.encode(rest).length !== length) length = String(length).length + encoder.encode(rest).length;
  const body = encoder.encode(length + rest);
  return [header("path", body.length, "x"), body, padding(body.length)];
}

/** @param files [{path, file}]  @returns a Blob */
export function tar(files) {
  const parts = [];
  for (const { path, file } of files) {
    if (encoder.encode(path).length > 100 || /[^ -~]/.test(path)) parts.push(...longName(path));
    parts.push(header(path, file.size, "0"), file, padding(file.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

/** All files that were dropped, with folders opened: [{path, file}]. */
export async function dropped(items) {
  const found = [];
  const open = async (entry, prefix) => {
    const path = prefix + entry.name;
    if (!kept(path)) return;
    if (entry.isFile) found.push({ path, file: await new Promise((done, failed) => entry.file(done, failed)) });
    if (!entry.isDirectory) return;
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const each of some) await open(each, `${path}/`);
    }
  };
  const files = [...items].filter((item) => item.kind === "file");
  // Both must be asked for before the first wait: the items are gone afterwards.
  const entries = files.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  for (const entry of entries) {
    if (entry instanceof File) found.push({ path: entry.name, file: entry });
    else if (entry) await open(entry, "");
  }
  return found;
}
