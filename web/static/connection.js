// The WebSocket that says that something has changed. It comes back by itself, and what is missed meanwhile is read.
import { signal } from "./vendor/signals.js";
import { told } from "./small.js";

const SHORTEST = 500; // milliseconds
const LONGEST = 15_000;
const PATIENT = 10_000; // so long a break is none that anybody needs to know of
const LONG = 60_000;
const SILENT = 60_000; // the server says something every 25 seconds: a connection that is dead does not say so

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
  let socket = null;
  let heard = 0;
  let seq = document.body.dataset.seq; // of the newest change that the page shows
  const broken = () => {
    since.value ||= Date.now();
    if (state.value !== "lost") state.value = "reconnecting";
    setTimeout(open, wait + Math.random() * SHORTEST);
    wait = Math.min(wait * 2, LONGEST);
  };
  const open = () => {
    const address = new URL("/api/live", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (seq !== undefined) address.searchParams.set("since", seq);
    socket = new WebSocket(address);
    heard = Date.now();
    socket.onopen = () => {
      const away = since.value ? Date.now() - since.value : 0;
      wait = SHORTEST;
      since.value = 0;
      state.value = "live";
      if (!first) back(away > LONG);
      first = false;
    };
    socket.onmessage = (event) => {
      heard = Date.now();
      const message = read(event.data);
      seq = message.seq ?? seq;
      if (message.type === "reset" || message.kinds?.length) news();
    };
    socket.onclose = broken;
  };
  setInterval(() => {
    if (state.value === "reconnecting" && Date.now() - since.value > PATIENT) state.value = "lost";
    if (socket.readyState === WebSocket.OPEN && Date.now() - heard > SILENT) socket.close();
  }, 1_000);
  open();
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
