// Lines over steps, as SVG. Values are read with the mouse, or with the arrow keys once a chart has the focus.
import { el, number, say } from "./page.js";

const margin = { left: 58, right: 14, top: 10, bottom: 26 };
const height = 230;

function svg(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

/** An exponential mean that does not lean to the first value. Gaps stay gaps. */
export function smooth(values, weight) {
  let sum = 0, share = 0;
  return values.map(value => {
    if (!Number.isFinite(value)) return NaN;
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

/** About so many round numbers from low to high. */
export function ticks(low, high, count) {
  const raw = (high - low) / count, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(of => of * size).find(of => of >= raw * 0.999);
  const all = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) all.push(Number((i * step).toPrecision(12)));
  return all;
}

function logTicks(low, high) {
  if (high - low < 0.7) return ticks(10 ** low, 10 ** high, 5).filter(value => value > 0);
  const all = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const of of high - low > 3 ? [1] : [1, 2, 5]) {
      const at = power + Math.log10(of);
      if (at >= low - 1e-9 && at <= high + 1e-9) all.push(of * 10 ** power);
    }
  }
  return all;
}

/** A chart of one kind of number. update([{ name, colour, steps, values }], { smoothing, log }) draws it anew. */
export class Chart {
  constructor(title) {
    this.title = title;
    this.said = el("span", { class: "said", "aria-hidden": "true" });
    this.spoken = el("span", { class: "unseen", role: "status" });
    this.plot = svg("svg", { role: "img", tabindex: "0", "aria-label": title });
    this.tip = el("div", { class: "tip", hidden: true });
    this.element = el("figure", { class: "chart" }, el("figcaption", {}, el("span", {}, title), this.said), this.plot, this.tip, this.spoken);
    this.plot.addEventListener("pointermove", event => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.mark(null));
    this.plot.addEventListener("blur", () => this.mark(null));
    this.plot.addEventListener("keydown", event => this.key(event));
    new ResizeObserver(() => { if (this.lines && this.plot.clientWidth !== this.width) this.draw(); }).observe(this.plot);
  }

  update(lines, { smoothing = 0, log = false } = {}) {
    this.log = log;
    this.lines = lines.map(line => {
      const raw = line.values.map(Number);
      const values = smoothing > 0 ? smooth(raw, smoothing) : raw;
      return { ...line, raw, values, isSmooth: smoothing > 0 };
    });
    this.steps = [...new Set(this.lines.flatMap(line => line.steps))].sort((a, b) => a - b);
    this.draw();
  }

  draw() {
    this.width = this.plot.clientWidth || 480;
    const scaled = value => this.log ? (value > 0 ? Math.log10(value) : NaN) : value;
    const all = this.lines.flatMap(line => line.isSmooth ? [...line.raw, ...line.values] : line.values).map(scaled).filter(Number.isFinite);
    this.plot.replaceChildren();
    this.plot.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    if (all.length === 0) {
      this.plot.append(svg("text", { x: this.width / 2, y: height / 2, "text-anchor": "middle" }, this.log ? "No value above 0" : "No finite value"));
      this.describe();
      return;
    }

    let low = all.reduce((a, b) => Math.min(a, b)), high = all.reduce((a, b) => Math.max(a, b));
    const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
    [low, high] = [!this.log && low >= 0 && low - room < 0 ? 0 : low - room, high + room];
    const alone = this.steps.length === 1 ? 1 : 0; // stands in the middle
    const first = this.steps[0] - alone, last = this.steps.at(-1) + alone;
    const inner = [this.width - margin.left - margin.right, height - margin.top - margin.bottom];
    this.x = step => margin.left + (step - first) / (last - first) * inner[0];
    this.y = value => margin.top + (high - scaled(value)) / (high - low) * inner[1];
    for (const value of this.log ? logTicks(low, high) : ticks(low, high, 5)) {
      const y = this.y(value).toFixed(1);
      this.plot.append(svg("line", { class: "grid", x1: margin.left, x2: this.width - margin.right, y1: y, y2: y }));
      this.plot.append(svg("text", { x: margin.left - 8, y: Number(y) + 4, "text-anchor": "end" }, number(value)));
    }
    for (const step of ticks(first, last, Math.max(2, Math.floor(inner[0] / 90))).filter(Number.isInteger)) {
      this.plot.append(svg("text", { x: this.x(step).toFixed(1), y: height - 8, "text-anchor": "middle" }, String(step)));
    }
    for (const line of this.lines) {
      if (line.isSmooth) this.trace(line, line.raw, "raw");
      this.trace(line, line.values, "");
    }
    this.cursor = svg("g");
    this.plot.append(this.cursor);
    this.describe();
    if (this.at != null) this.mark(this.at);
  }

  trace(line, values, kind) {
    let path = "", pen = "M", count = 0;
    values.forEach((value, i) => {
      const y = this.y(value);
      if (!Number.isFinite(y)) { pen = "M"; return; }
      path += `${pen}${this.x(line.steps[i]).toFixed(1)} ${y.toFixed(1)}`;
      [pen, count] = ["L", count + 1];
    });
    this.plot.append(svg("path", { class: `trace c${line.colour % 8} ${kind}`, d: path }));
    if (count === 1 && kind === "") this.dot(this.plot, line, values.findIndex(value => Number.isFinite(this.y(value))));
  }

  dot(to, line, i) {
    const y = this.y(line.values[i]);
    if (Number.isFinite(y)) to.append(svg("circle", { class: `dot c${line.colour % 8}`, cx: this.x(line.steps[i]), cy: y, r: 4 }));
  }

  /** What a chart says to those who do not see it. */
  describe() {
    const words = this.lines.filter(line => line.steps.length > 0)
      .map(line => `${line.name}: ${number(line.raw.at(-1))} at step ${line.steps.at(-1)}`);
    this.plot.setAttribute("aria-label", `${this.title}. ${words.join("; ")}. Arrow keys read values.`);
    if (this.at == null) say(this.said, this.lines.length === 1 && this.lines[0].raw.length > 0 ? number(this.lines[0].raw.at(-1)) : "");
  }

  point(event) {
    if (!this.cursor) return;
    const box = this.plot.getBoundingClientRect(), x = event.clientX - box.left;
    const nearest = this.steps.reduce((best, step) => Math.abs(this.x(step) - x) < Math.abs(this.x(best) - x) ? step : best, this.steps[0]);
    this.mark(nearest);
  }

  key(event) {
    const here = this.at == null ? -1 : this.steps.indexOf(this.at), end = this.steps.length - 1, far = Math.max(1, Math.round(end / 10));
    const to = { ArrowRight: here + 1, ArrowLeft: here < 0 ? end : here - 1, Home: 0, End: end, PageDown: here + far, PageUp: here - far }[event.key];
    if (event.key === "Escape") this.mark(null);
    else if (to !== undefined && this.cursor) {
      event.preventDefault();
      this.mark(this.steps[Math.min(end, Math.max(0, to))]);
    }
  }

  /** Shows the values at a step; null for none. */
  mark(step) {
    this.at = step;
    this.cursor?.replaceChildren();
    this.tip.hidden = step == null;
    if (step == null || !this.cursor) return this.describe();
    const x = this.x(step), rows = [];
    this.cursor.append(svg("line", { class: "cursor", x1: x, x2: x, y1: margin.top, y2: height - margin.bottom }));
    for (const line of this.lines) {
      const i = line.steps.indexOf(step);
      if (i < 0) continue;
      this.dot(this.cursor, line, i);
      const value = line.isSmooth ? `${number(line.values[i])} (${number(line.raw[i])})` : number(line.raw[i]);
      rows.push([line, value]);
    }
    this.tip.replaceChildren(el("div", {}, el("b", {}, `step ${step}`)),
      ...rows.map(([line, value]) => el("div", {}, el("span", {}, el("i", { class: `swatch c${line.colour % 8}` }), line.name), value)));
    const right = x > this.width * 0.6;
    this.tip.style.left = right ? "auto" : `${x + 30}px`;
    this.tip.style.right = right ? `${this.width - x + 24}px` : "auto";
    this.tip.style.top = "3rem";
    say(this.said, rows.length === 1 ? `step ${step}: ${rows[0][1]}` : `step ${step}`);
    say(this.spoken, `step ${step}: ${rows.map(([line, value]) => `${line.name} ${value}`).join(", ")}`);
  }
}

/** Smoothing and scale for all charts of a page; they are remembered while the board is open. */
const chosen = { smoothing: 0, log: false };
export function chartTools(redraw) {
  const shown = el("output", { for: "smoothing" }, String(chosen.smoothing));
  return el("div", { class: "tools" },
    el("label", { for: "smoothing" }, "Smoothing", el("input", {
      id: "smoothing", type: "range", min: 0, max: 0.99, step: 0.01, value: chosen.smoothing,
      oninput: event => { chosen.smoothing = Number(event.target.value); say(shown, String(chosen.smoothing)); redraw(); },
    }), shown),
    el("label", {}, el("input", { id: "log", type: "checkbox", checked: chosen.log, onchange: event => { chosen.log = event.target.checked; redraw(); } }),
      "Logarithmic scale"));
}
export const options = chosen;

/** The charts a run may have, in their order: title, and what the log calls the numbers. */
export const kinds = [
  ["Loss", ["loss"]], ["Loss on held-out rows", ["eval_loss"]], ["Learning rate", ["lr"]], ["Gradient norm", ["grad_norm"]],
  ["Tokens per second", ["throughput"]], ["GPU memory, GiB", ["vram_reserved", "vram_allocated"]],
];
const known = new Set(kinds.flatMap(([, keys]) => keys));

/** What else was logged, as scores of answers to held-out rows: a chart each. */
export const kindsOf = all => [...kinds, ...[...new Set(all.flatMap(Object.keys))].filter(key => !known.has(key)).sort()
  .map(key => [key.replace(/^eval_/, "Held-out rows: "), [key]])];
