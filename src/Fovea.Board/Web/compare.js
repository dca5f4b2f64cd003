// Several runs: their lines in common charts, their last numbers, and what they were told differently.
import { Chart, chartTools, kindsOf, options } from "./chart.js";
import { ask, el, follow, number, runLink, say, showRoot, state, table } from "./page.js";

export function compare(main, left, ids) {
  const legend = el("div"), grid = el("div", { class: "charts" }), results = el("div"), told = el("div"), drawn = new Map();
  const all = el("input", { id: "all", type: "checkbox", onchange: () => last && settings() });
  let last = null;
  main.replaceChildren(el("h1", {}, `${ids.length} runs compared`), legend, chartTools(() => last && charts()), grid, el("h2", {}, "Last numbers"), results,
    el("h2", {}, "Settings"), el("div", { class: "tools" }, el("label", {}, all, "Show those that are the same, too")), told);
  follow([...ids.map(id => ask("run", id)), ...ids.map(id => ask("settings", id))], (...values) => {
    showRoot(values[0].root);
    last = { runs: values.slice(0, ids.length), told: values.slice(ids.length) };
    legend.replaceChildren(table("Runs", [["Run", "name"], ["State", ""], ["Step", "num"], ["Loss", "num"], ["Held-out loss", "num"]],
      last.runs.map(({ run }, i) => [
        el("span", {}, el("i", { class: `swatch c${i % 8}` }), el("a", { href: runLink(run.id) }, run.id)), state(run.state),
        run.step == null ? "–" : `${run.step} / ${run.steps}`, number(run.loss), number(run.evalLoss),
      ])));
    charts();
    numbers();
    settings();
  }, left);

  function charts() {
    for (const [title, keys] of kindsOf(last.runs.map(of => of.series))) {
      const key = keys[0];
      const lines = last.runs.flatMap((of, i) => of.series[key] ? [{ name: of.run.id, colour: i, ...of.series[key] }] : []);
      if (lines.length === 0) continue;
      if (!drawn.has(title)) {
        drawn.set(title, new Chart(title));
        grid.append(drawn.get(title).element);
      }
      drawn.get(title).update(lines, options);
    }
  }

  function numbers() {
    const keys = [...new Set(last.runs.flatMap(of => Object.keys(of.results)))];
    results.replaceChildren(keys.length > 0 ? table("Last numbers", columns(), keys.map(key => [key, ...last.runs.map(of => number(of.results[key], 5))]))
      : el("p", { class: "hint" }, "None of these runs has results yet."));
  }

  function settings() {
    const of = last.told.map(told => told.values ?? {}), keys = [...new Set(of.flatMap(Object.keys))];
    const rows = keys.map(key => {
      const values = of.map((map, i) => last.told[i].values ? map[key] ?? "–" : "(not known)");
      const known = values.filter((_, i) => last.told[i].values);
      return Object.assign([key, ...values], { kind: known.some(value => value !== known[0]) ? "differs" : null });
    });
    const shown = rows.filter(row => all.checked || row.kind);
    told.replaceChildren(shown.length > 0 ? table("Settings", columns("value"), shown)
      : el("p", { class: "hint" }, rows.length > 0 ? "All settings are the same."
        : "A run's settings are kept with its first step, and none of these has taken one."));
    say(all.parentElement.lastChild, ` Show those that are the same, too (${rows.filter(row => !row.kind).length})`);
  }

  function columns(kind = "num") {
    return [["", ""], ...ids.map((id, i) => [el("span", {}, el("i", { class: `swatch c${i % 8}` }), id), kind])];
  }
}
