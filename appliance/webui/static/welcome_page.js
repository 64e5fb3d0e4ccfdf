// First steps: when the page's process has been restarted, show what it says now.

import { on } from "./stream.js";

let lost = false;
on("state", (connected) => {
  if (connected && lost) location.replace(location.pathname);
  lost ||= !connected;
});
