// Small things: light and dark, times in words, names that people need not type twice.

export function themes() {
  const button = document.getElementById("theme");
  if (!button) return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const now = () => document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const show = () => {
    button.textContent = now() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${now() === "dark" ? "light" : "dark"} theme`);
  };
  button.addEventListener("click", () => {
    const next = now() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    // A cookie, so that the server knows it before the first paint.
    document.cookie = `theme=${next}; path=/; max-age=31536000; samesite=lax`;
    show();
    dispatchEvent(new Event("themechange"));
  });
  dark.addEventListener("change", () => {
    show();
    dispatchEvent(new Event("themechange"));
  });
  button.hidden = false;
  show();
}

const DAY = 86400;
const UNITS = [[3600, "h"], [60, "m"], [1, "s"]];

export function times() {
  for (const each of document.querySelectorAll("time[datetime]")) {
    const past = Math.floor((Date.now() - Date.parse(each.dateTime)) / 1000 - skew());
    if (past >= DAY) continue; // the server has written the date
    const unit = UNITS.find(([size]) => past >= size);
    const text = unit ? `${Math.floor(past / unit[0])}${unit[1]} ago` : "now";
    if (each.textContent !== text && past >= 0) each.textContent = text;
  }
}
setInterval(times, 20_000);

// How far this clock is from the server's, as its Date header tells.
let difference = 0;
export const skew = () => difference;
export function heard(response) {
  const there = Date.parse(response.headers.get("date") || "");
  if (there && Math.abs(Date.now() - there) > 5_000) difference = (Date.now() - there) / 1000;
}

export function remember() {
  for (const field of document.querySelectorAll("[data-remember]")) {
    const key = `buildwatch.${field.dataset.remember}`;
    field.value ||= localStorage.getItem(key) || "";
    field.addEventListener("change", () => localStorage.setItem(key, field.value));
  }
}

// What the clocks of the configured zone show, like the times that the server writes.
export function told(moment, how) {
  const zone = document.documentElement.dataset.zone;
  try {
    return new Intl.DateTimeFormat("en-GB", { ...how, timeZone: zone }).format(moment);
  } catch {
    return new Intl.DateTimeFormat("en-GB", how).format(moment); // a zone that this browser does not know
  }
}
