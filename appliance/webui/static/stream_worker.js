// Shared by all tabs of a browser: one event stream for all of them, since a browser has only six connections.

import { Connection } from "./events.js";

const ports = new Set();
const newest = new Map(); // what a tab that comes later must know at once

const connection = new Connection((message) => {
  if (message.kind === "state" || message.kind === "robot" || message.kind === "queue") newest.set(message.kind, message);
  for (const port of ports) port.postMessage(message);
});

self.addEventListener("connect", (event) => {
  const port = event.ports[0];
  ports.add(port);
  port.onmessage = (message) => {
    if (message.data === "bye") ports.delete(port);
  };
  for (const message of newest.values()) port.postMessage(message);
});

void connection;
