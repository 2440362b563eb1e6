// What pages do beside being pages: the theme, times that grow old, charts, and staying current.
import { remember, themes, times } from "./small.js";
import { live } from "./live.js";
import { rotate } from "./kiosk.js";

themes();
times();
remember();
live(refreshed);
rotate();
draw();

function refreshed() {
  times();
  draw();
}

// Charts are fetched only where there are any.
async function draw() {
  const figures = document.querySelectorAll("[data-chart]");
  if (!figures.length) return;
  const { chart } = await import("./charts.js");
  figures.forEach(chart);
}
