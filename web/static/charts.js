// Lines over time with what is usual as a band and alerts as marks. Colours come from the style sheet.
import uPlot from "./vendor/uplot.js";
import { told } from "./small.js";
import { took } from "./words.js";

const drawn = new WeakMap();

export function chart(figure) {
  if (drawn.get(figure)?.source === figure.dataset.chart) return;
  drawn.get(figure)?.destroy();
  let plot = build(figure, JSON.parse(figure.dataset.chart));
  const resize = new ResizeObserver(([entry]) => plot.setSize({ width: entry.contentRect.width, height: heightOf(figure) }));
  resize.observe(figure);
  const retheme = () => {
    plot.destroy();
    plot = build(figure, JSON.parse(figure.dataset.chart));
  };
  addEventListener("themechange", retheme);
  drawn.set(figure, {
    source: figure.dataset.chart,
    destroy() {
      resize.disconnect();
      removeEventListener("themechange", retheme);
      plot.destroy();
    },
  });
}

const heightOf = (figure) => (figure.classList.contains("tall") ? 320 : 220);

// The colours in force: a probe resolves light-dark().
function colours(figure) {
  const probe = document.createElement("span");
  figure.append(probe);
  const found = {};
  for (const name of ["ink", "dim", "line", "accent", "bad", "fill-good", "fill-bad", "fill-unstable"]) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

const faded = (colour, share) => colour.replace(/rgba?\(([^)]+)\)/, (_, parts) => `rgba(${parts.split(",").slice(0, 3).join(",")}, ${share})`);

// Steps that are round in minutes and hours.
const STEPS = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800];

function day(at, step) {
  const moment = new Date(at * 1000);
  return told(moment, step >= 86400 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
}

// The same moment as a date whose own clock shows what the clocks of the zone do: uPlot sets its ticks by it.
function inZone(at) {
  try {
    return uPlot.tzDate(new Date(at * 1000), document.documentElement.dataset.zone);
  } catch {
    return new Date(at * 1000);
  }
}

const SHOWN = {
  seconds: (value) => took(value),
  share: (value) => `${Math.round(value * 1000) / 10} %`,
  number: (value) => String(Math.round(value * 1e4) / 1e4),
};

function build(figure, data) {
  const colour = colours(figure);
  const say = (value) => (value == null ? "–" : SHOWN[data.unit](value));
  const points = data.unit !== "share";
  const axis = { stroke: colour.dim, grid: { stroke: colour.line, width: 1 }, ticks: { stroke: colour.line, width: 1 }, font: "12px system-ui, sans-serif" };
  return new uPlot(
    {
      width: figure.clientWidth || 300,
      height: heightOf(figure),
      tzDate: inZone,
      cursor: { y: false, points: { size: 7 } },
      legend: { live: true },
      scales: { x: { time: true }, y: { range: (_, low, high) => range(data, low, high) } },
      axes: [
        { ...axis, space: 70, values: (_, all, __, ___, step) => all.map((at) => day(at, step)) },
        { ...axis, size: 70, incrs: data.unit === "seconds" ? STEPS : undefined, values: (_, all) => all.map((value) => (data.unit === "share" && value > 1 ? "" : say(value))) },
      ],
      series: [
        { label: "Time", value: (_, at) => (at == null ? "–" : told(new Date(at * 1000), { dateStyle: "medium", timeStyle: "short" })) },
        {
          label: data.name,
          stroke: points ? faded(colour.accent, 0.55) : colour.accent,
          width: points ? 1 : 2,
          points: { show: false },
          value: (_, value) => say(value),
        },
      ],
      hooks: {
        drawClear: [(plot) => background(plot, data, colour)],
        draw: [(plot) => foreground(plot, data, colour, points)],
        ready: [(plot) => follow(plot, data), newest],
        setLegend: [newest],
      },
    },
    [data.x, data.y],
    figure,
  );
}

// Where no pointer is the legend tells of the newest.
function newest(plot) {
  if (plot.legend.idx == null && plot.data[0].length) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
}

function range(data, low, high) {
  if (data.unit === "share") return [Math.max(Math.min(low ?? 0, data.band?.[0] ?? 1) - 0.05, 0), 1.02];
  const top = Math.max(high ?? 1, data.band?.[1] ?? 0) * 1.08 || 1;
  return [Math.min(low ?? 0, 0), top];
}

function background(plot, data, colour) {
  const { ctx, bbox } = plot;
  if (!data.band) return;
  const [low, high, usual] = data.band.map((value) => (value == null ? null : plot.valToPos(value, "y", true)));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = faded(colour["fill-good"], 0.14);
  ctx.fillRect(bbox.left, high, bbox.width, low - high);
  if (usual != null) stroke(ctx, faded(colour["fill-good"], 0.8), [6, 4], bbox.left, usual, bbox.left + bbox.width, usual);
  ctx.restore();
}

function foreground(plot, data, colour, points) {
  const { ctx, bbox } = plot;
  ctx.save();
  marks(plot, data.marks, colour);
  if (data.line) {
    const [from, to] = [data.x[0], data.x.at(-1)].map((x) => plot.valToPos(x, "x", true));
    stroke(ctx, colour["fill-unstable"], [], from, plot.valToPos(data.line[0], "y", true), to, plot.valToPos(data.line[1], "y", true));
  }
  if (points) dots(plot, data, colour);
  ctx.restore();
}

// Alerts: a line where each began, and its name where there is room for it.
function marks(plot, some, colour) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  let free = bbox.left;
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = colour.bad;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const mark of [...some].sort((one, other) => one.x - other.x)) {
    const x = plot.valToPos(mark.x, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    stroke(ctx, colour["fill-bad"], [3, 3], x, bbox.top, x, bbox.top + bbox.height);
    const width = ctx.measureText(mark.word).width;
    const from = Math.min(x, bbox.left + bbox.width - width);
    if (from < free) continue;
    ctx.fillText(mark.word, from, bbox.top - 2 * ratio);
    free = from + width + 8 * ratio;
  }
}

function dots(plot, data, colour) {
  const { ctx } = plot;
  const ratio = devicePixelRatio || 1;
  data.x.forEach((at, place) => {
    const x = plot.valToPos(at, "x", true);
    const y = plot.valToPos(data.y[place], "y", true);
    const failed = data.failed?.[place];
    ctx.fillStyle = failed ? colour["fill-bad"] : colour["fill-good"];
    ctx.beginPath();
    if (failed) ctx.rect(x - 2.2 * ratio, y - 2.2 * ratio, 4.4 * ratio, 4.4 * ratio); // square: not by colour alone
    else ctx.arc(x, y, 2.1 * ratio, 0, 7);
    ctx.fill();
    if (data.far?.[place]) {
      ctx.strokeStyle = colour.ink;
      ctx.lineWidth = 1.2 * ratio;
      ctx.beginPath();
      ctx.arc(x, y, 5 * ratio, 0, 7);
      ctx.stroke();
    }
  });
}

function stroke(ctx, style, dashes, x1, y1, x2, y2) {
  const ratio = devicePixelRatio || 1;
  ctx.strokeStyle = style;
  ctx.lineWidth = 1.3 * ratio;
  ctx.setLineDash(dashes.map((each) => each * ratio));
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
  ctx.setLineDash([]);
}

// A click on a point opens its build.
function follow(plot, data) {
  if (!data.ids) return;
  plot.over.style.cursor = "pointer";
  plot.over.addEventListener("click", () => {
    if (plot.cursor.idx != null && !getSelection()?.toString()) location.href = `/builds/${data.ids[plot.cursor.idx]}`;
  });
}
