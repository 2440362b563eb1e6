// The WebSocket that says that something has changed. It comes back by itself, and what is missed meanwhile is read.
import { signal } from "./vendor/signals.js";
import { told } from "./small.js";

const SHORTEST = 500; // milliseconds
const LONGEST = 15_000;
const PATIENT = 10_000; // so long a break is none that anybody needs to know of
const LONG = 60_000;

// connecting, live, reconnecting, lost; a style sheet may look at it, too.
export const state = signal("connecting");
export const since = signal(0); // when the connection broke

state.subscribe((value) => (document.documentElement.dataset.connection = value));

const WORDS = { live: () => "Live", connecting: () => "Connecting", reconnecting: () => "Reconnecting", lost };

function lost() {
  const isToday = Date.now() - since.value < 12 * 3_600_000;
  const how = { hour: "2-digit", minute: "2-digit" };
  return `Not connected since ${told(since.value, isToday ? how : { ...how, day: "numeric", month: "short" })}`;
}

export const words = () => WORDS[state.value]();

// `news`: something has changed. `back(wasLong)`: the connection is there again.
export function connect(news, back) {
  let wait = SHORTEST;
  let first = true;
  const broken = () => {
    since.value ||= Date.now();
    if (state.value !== "lost") state.value = "reconnecting";
    setTimeout(open, wait + Math.random() * SHORTEST);
    wait = Math.min(wait * 2, LONGEST);
  };
  const open = () => {
    const address = new URL("/api/live", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.onopen = () => {
      const away = since.value ? Date.now() - since.value : 0;
      wait = SHORTEST;
      since.value = 0;
      state.value = "live";
      if (!first) back(away > LONG);
      first = false;
    };
    socket.onmessage = (event) => isNews(event.data) && news();
    socket.onclose = broken;
  };
  setInterval(() => {
    if (state.value === "reconnecting" && Date.now() - since.value > PATIENT) state.value = "lost";
  }, 1_000);
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
