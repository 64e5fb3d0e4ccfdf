// Two jobs over each other: one time for both pendulums and all charts.

import { Player } from "./player.js";

const root = document.querySelector("[data-page-facts]");
const { jobs } = JSON.parse(root.dataset.pageFacts);
if (jobs.length === 2) new Player(root, jobs, root.querySelectorAll("[data-scene]"));
