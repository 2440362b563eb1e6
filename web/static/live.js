// Staying current: the server says that something has changed, the page is asked for again, and what differs in it is
// put in place. Without a connection it asks every thirty seconds. Focus, scroll, open details and typing stay.
import { h, render } from "./vendor/preact.js";
import { signal } from "./vendor/signals.js";
import htm from "./vendor/htm.js";
import { connect, state, words } from "./connection.js";
import { morph } from "./morph.js";
import { heard } from "./small.js";

const html = htm.bind(h);
const POLL = 30_000;
const SOON = 50; // milliseconds: changes that come together are shown together
const UPDATED = "buildwatch has been updated.";

const trouble = signal(""); // why the page could not be read again
const isWall = () => document.documentElement.classList.contains("kiosk");

function Status() {
  return html`<span class="dot dot-${state.value}" aria-hidden="true"></span>${words()}`;
}

function Toast({ again }) {
  if (!trouble.value) return null;
  const reload = () => location.reload();
  if (trouble.value === UPDATED) return html`<div class="toast"><span>${UPDATED}</span><button onClick=${reload}>Reload</button></div>`;
  return html`<div class="toast"><span>${trouble.value}</span><button onClick=${again}>Try again</button></div>`;
}

export function live(refreshed) {
  const place = document.getElementById("live");
  if (!place) return;
  render(html`<${Status} />`, place);
  const refresh = refresher(refreshed);
  // Nobody stands at a wall to try again: its state says what is wrong.
  if (!isWall()) render(html`<${Toast} again=${refresh} />`, document.getElementById("toasts"));
  connect(refresh, (wasLong) => (wasLong && isWall() ? location.reload() : refresh()));
  setInterval(() => state.value !== "live" && refresh(), POLL);
  setInterval(() => state.value === "live" && refresh(), 5 * POLL); // what time alone changes
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}

// One request at a time; whatever comes meanwhile asks for one more.
function refresher(refreshed) {
  let running = false;
  let again = false;
  let due = 0;
  const run = async () => {
    due = 0;
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      trouble.value = (await read(refreshed)) ? "" : UPDATED;
    } catch (error) {
      trouble.value = `This page could not be refreshed (${error.message}).`;
    } finally {
      running = false;
      if (again) {
        again = false;
        due ||= setTimeout(run, SOON);
      }
    }
  };
  return () => {
    if (document.visibilityState === "hidden" && !isWall()) return;
    due ||= setTimeout(run, SOON);
  };
}

// Whether the page still is the one of this version of buildwatch.
async function read(refreshed) {
  const response = await fetch(location.href, { headers: { Accept: "text/html", "X-Fragment": "1" }, redirect: "manual" });
  if (response.type === "opaqueredirect") return location.reload(); // the session is over
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  heard(response);
  const there = new DOMParser().parseFromString(await response.text(), "text/html");
  const [main, wanted] = [document.getElementById("main"), there.getElementById("main")];
  const isSame = main.dataset.version === wanted.dataset.version;
  if (!isSame && isWall()) location.reload();
  for (const fresh of there.querySelectorAll("[data-live][id]")) {
    const known = document.getElementById(fresh.id);
    if (known) morph(known, fresh);
  }
  if (parts(main) !== parts(wanted)) morph(main, wanted); // a part is new, or gone
  const broken = there.querySelector("#broken .count, #firing .count");
  const count = Number(broken?.textContent || 0);
  if (there.querySelector("#broken, #firing")) document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\(\d+\) /, "");
  refreshed();
  return isSame;
}

const parts = (main) => [...main.querySelectorAll("[data-live][id]")].map((each) => each.id).join();
