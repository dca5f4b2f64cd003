// What a run needs of memory, for numbers of processes and ways of sharing.
import { el, table } from "./page.js";
import { post, showIn } from "./work.js";

const parts = [["weights", "Weights"], ["gathered", "Gathered weights"], ["gradients", "Gradients"], ["optimizer", "Optimizer"],
  ["activations", "Activations"], ["buffers", "Buffers"]];

export function plan(place, source, left) {
  const shown = el("div"), card = el("input", { id: "card", type: "text", size: 10, placeholder: "24GiB" });
  place.replaceChildren(el("form", { class: "tools", onsubmit: event => { event.preventDefault(); go(); } },
    el("label", {}, "Memory of one GPU", card), el("button", { type: "submit" }, "Say what fits")), shown);
  go();

  function go() {
    showIn(shown, "Counting …", () => post("/api/plan", { ...source, card: card.value.trim() || null }, left), draw, left);
  }
}

export function size(bytes) {
  if (!bytes) return "–";
  const step = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 2 ** (10 * step)).toPrecision(3))} ${["B", "KiB", "MiB", "GiB"][step]}`;
}

function draw(of) {
  const host = of.device === "cpu", most = Math.max(of.card ?? 0, ...of.rows.map(row => row.device));
  const name = row => `${row.ranks} ${row.ranks === 1 ? "process" : "processes"}, ZeRO ${row.zero}${row.offload === "none" ? "" : `, offload ${row.offload}`}`;
  const used = parts.filter(([key]) => of.rows.some(row => row[key] > 0));
  const fits = row => row.fits == null ? "" : row.fits ? ", fits" : ", too much";
  return [
    el("p", { class: "sub" }, `${of.model} (${of.family}): ${of.parameters.toLocaleString("en")} weights, `
      + `${of.learning_parameters.toLocaleString("en")} trainable; ${of.dtype}, `
      + `micro-batches of ${of.tokens.toLocaleString("en")} tokens, on ${host ? "the CPU" : "GPUs"}. Memory of one process:`),
    of.card ? el("p", {}, of.choices.length > 0
      ? `With ${size(of.card)}: ${of.choices.map(row => `${name(row)} (${size(row.device)})`).join("; ")}.`
      : `Nothing fits ${size(of.card)}.`) : null,
    el("p", { class: "legend" }, used.map(([key, title]) =>
      el("span", {}, el("i", { class: `swatch c${parts.findIndex(([k]) => k === key)}` }), title))),
    el("div", { class: "card bars" }, of.rows.map(row => el("div", { class: "bar-row" }, el("span", {}, name(row)),
      el("div", { class: "stack", role: "img", "aria-label": `${name(row)}: ${size(row.device)}` }, used.map(([key], i) => piece(key, row[key] / most))),
      el("span", { class: row.fits === false ? "num cut" : "num" }, size(row.device) + fits(row))))),
    table("Memory of one process", [["Setting", ""], ...used.map(([, title]) => [title, "num"]), ["Sum", "num"], [host ? "Mapped" : "Host", "num"]],
      of.rows.map(row => [name(row), ...used.map(([key]) => size(row[key])), size(row.device), size(host ? row.mapped : row.host)])),
    ...Object.entries(of.left_out).map(([ranks, why]) => el("p", {}, `${ranks} ${ranks === "1" ? "process" : "processes"}, left out: ${why}`)),
  ].filter(child => child);
}

function piece(key, share) {
  const made = el("i", { class: `c${parts.findIndex(([k]) => k === key)}` });
  made.style.width = `${100 * share}%`;
  return made;
}
