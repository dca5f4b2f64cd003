// All runs, the newest first.
import { ago, el, follow, number, runLink, say, showRoot, state } from "./page.js";

const columns = [["", ""], ["State", ""], ["Run", "name"], ["Model", ""], ["Step", "num"], ["Loss", "num"], ["Held-out loss", "num"], ["Changed", "time"]];
const chosen = new Set();

export function list(main, left) {
  const rows = new Map();
  const search = el("input", { type: "search", id: "search", placeholder: "Part of a name, model or state", "aria-label": "Filter runs", oninput: filter });
  const go = () => { location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join(",")}`; };
  const compare = el("button", { class: "main", type: "button", onclick: go });
  const count = el("span", { class: "hint", role: "status" });
  const note = el("p", { class: "note", hidden: true });
  const body = el("tbody");
  main.replaceChildren(el("h1", {}, "Runs"), note, el("div", { class: "tools" }, search, compare, count),
    el("div", { class: "card" }, el("table", {}, el("caption", { class: "unseen" }, "Runs, the newest first"),
      el("thead", {}, el("tr", {}, columns.map(([name, kind]) =>
        el("th", { scope: "col", class: kind }, name || el("span", { class: "unseen" }, "Compare"))))), body)));
  picked();
  follow(["/api/runs"], ({ runs, cut, root, works }) => {
    showRoot(root);
    document.getElementById("new").hidden = !works;
    note.hidden = !cut && runs.length > 0;
    say(note, cut ? "There are too many folders; the list does not hold all of them. Start the board on a smaller one."
      : `No run has written anything below ${root} yet. This page shows one as soon as it does.`);
    const ids = new Set(runs.map(run => run.id));
    for (const [id, row] of rows) {
      if (!ids.has(id)) { row.remove(); rows.delete(id); chosen.delete(id); }
    }
    runs.forEach((run, i) => {
      if (!rows.has(run.id)) rows.set(run.id, line(run.id));
      const row = rows.get(run.id);
      if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
      fill(row, run);
    });
    picked();
    filter();
  }, left);

  function line(id) {
    const pick = el("input", {
      type: "checkbox", "aria-label": `Compare ${id}`, checked: chosen.has(id),
      onchange: event => { event.target.checked ? chosen.add(id) : chosen.delete(id); picked(); },
    });
    const name = el("a", { href: runLink(id) }, id === "." ? "(this folder)" : id);
    return el("tr", {}, el("td", {}, pick), el("td"), el("th", { class: "name", scope: "row" }, name),
      el("td", { class: "model" }), el("td", { class: "num" }), el("td", { class: "num" }), el("td", { class: "num" }), el("td", { class: "time" }));
  }

  function fill(row, run) {
    const [, status, , model, step, loss, held, changed] = row.children, now = JSON.stringify(run);
    say(changed, ago(run.changed));
    if (row.dataset.now === now) return;
    row.dataset.now = now;
    row.dataset.words = `${run.id} ${run.model ?? ""} ${run.state}`.toLowerCase();
    status.replaceChildren(state(run.state));
    status.title = run.reason ?? "";
    say(model, shortModel(run.model));
    model.title = run.model ?? "";
    step.replaceChildren(run.step == null ? "–" : `${run.step} / ${run.steps}`,
      ...(run.state === "running" && run.steps ? [" ", el("progress", { max: run.steps, value: run.step, "aria-label": "Done" })] : []));
    say(loss, number(run.loss));
    say(held, number(run.evalLoss));
  }

  function picked() {
    compare.disabled = chosen.size < 2;
    say(compare, chosen.size < 2 ? "Compare: tick two or more" : `Compare ${chosen.size} runs`);
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(word => word);
    let shown = 0;
    for (const row of rows.values()) {
      row.hidden = !words.every(word => row.dataset.words.includes(word));
      shown += row.hidden ? 0 : 1;
    }
    say(count, shown === rows.size ? `${shown} runs` : `${shown} of ${rows.size} runs`);
  }
}

/** The folder's own name, and what it ran on. */
function shortModel(model) {
  if (!model) return "–";
  const [path, device] = model.split(" on ");
  return [path.split("/").at(-1), device].filter(part => part).join(" on ");
}
