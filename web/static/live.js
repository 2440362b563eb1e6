// Staying current: the server says that something has changed, the page is asked for again, and what differs in it is
// put in place. Without a connection it asks every thirty seconds. Focus, scroll, open details and typing stay.
import { h, render } from "./vendor/preact.js";
import { signal } from "./vendor/signals.js";
import htm from "./vendor/htm.js";
import { morph } from "./morph.js";
import { heard } from "./small.js";

const html = htm.bind(h);
const POLL = 30_000;
const SOON = 120; // milliseconds: changes that come together are shown together
const LONGEST = 15_000;

const state = signal("connecting"); // live, reconnecting, connecting
const trouble = signal(""); // why the page could not be read again

const WORDS = { live: "Live", reconnecting: "Reconnecting", connecting: "Connecting" };

function Status() {
  return html`<span class="dot dot-${state.value}" aria-hidden="true"></span>${WORDS[state.value]}`;
}

function Toast({ again }) {
  if (!trouble.value) return null;
  return html`<div class="toast"><span>${trouble.value}</span><button onClick=${again}>Try again</button></div>`;
}

export function live(refreshed) {
  if (!document.querySelector("[data-live]") && !document.getElementById("live")) return;
  const place = document.getElementById("live");
  if (place) render(html`<${Status} />`, place);
  const toasts = document.getElementById("toasts");
  const refresh = refresher(refreshed);
  if (toasts) render(html`<${Toast} again=${refresh} />`, toasts);
  connect(refresh);
  setInterval(() => state.value !== "live" && refresh(), POLL);
  setInterval(() => state.value === "live" && refresh(), 5 * POLL); // what time alone changes
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
}

function connect(refresh) {
  let wait = 500;
  let first = true;
  const open = () => {
    const address = new URL("/api/live", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => {
      wait = 500;
      state.value = "live";
      if (!first) refresh(); // what happened meanwhile
      first = false;
    };
    socket.onmessage = (event) => isNews(event.data) && refresh();
    socket.onclose = () => {
      state.value = "reconnecting";
      setTimeout(open, wait + Math.random() * 500);
      wait = Math.min(wait * 2, LONGEST);
    };
  };
  open();
}

function isNews(text) {
  try {
    const type = JSON.parse(text).type;
    return type === "change" || type === "reset";
  } catch {
    return false;
  }
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
      await read(refreshed);
      trouble.value = "";
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
    if (document.visibilityState === "hidden" && !document.documentElement.classList.contains("kiosk")) return;
    due ||= setTimeout(run, SOON);
  };
}

async function read(refreshed) {
  const response = await fetch(location.href, { headers: { Accept: "text/html", "X-Fragment": "1" }, redirect: "manual" });
  if (response.type === "opaqueredirect") return location.reload(); // the session is over
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  heard(response);
  const there = new DOMParser().parseFromString(await response.text(), "text/html");
  const main = document.getElementById("main");
  for (const fresh of there.querySelectorAll("[data-live][id]")) {
    const known = document.getElementById(fresh.id);
    if (known) morph(known, fresh);
  }
  const here = [...main.querySelectorAll("[data-live][id]")].map((each) => each.id).join();
  const wanted = [...there.querySelectorAll("[data-live][id]")].map((each) => each.id).join();
  if (here !== wanted) morph(main, there.getElementById("main")); // a part is new, or gone
  const broken = there.querySelector("#broken .count");
  if (here.includes("broken")) document.title = (broken ? `(${broken.textContent}) ` : "") + document.title.replace(/^\(\d+\) /, "");
  refreshed();
}
