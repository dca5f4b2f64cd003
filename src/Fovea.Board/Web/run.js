// One run: charts, results and settings, answers, log.
import { Chart, chartTools, kindsOf, options } from "./chart.js";
import { ask, el, follow, number, runLink, say, showRoot, state, table } from "./page.js";

const tabs = [["", "Charts"], ["results", "Results and settings"], ["answers", "Answers"], ["log", "Log"]];

export function run(main, left, id, tab) {
  const head = el("div", { class: "head" }), sub = el("p", { class: "sub" }), note = el("p", { class: "note", hidden: true });
  const body = el("div");
  main.replaceChildren(head, sub, note, el("nav", { class: "tabs", "aria-label": "Parts of this run" },
    tabs.map(([name, title]) => el("a", { href: runLink(id, name), "aria-current": name === tab ? "page" : null }, title))), body);
  head.append(el("h1", {}, id === "." ? "(this folder)" : id), el("span"));
  const show = { "": charts, results, answers, log }[tab];
  const update = show(body, id);
  follow([ask("run", id), ...(update.asks ?? [])], (of, ...more) => {
    showRoot(of.root);
    head.lastChild.replaceWith(state(of.run.state));
    say(sub, [of.run.model, of.run.started && `started ${of.run.started}`].filter(part => part).join(" · "));
    const words = of.run.state === "silent"
      ? "Nothing has been heard of this run for long, and it has not ended. It may have been killed." : of.run.reason ?? "";
    note.hidden = words === "";
    say(note, words);
    update(of, ...more);
  }, left);
}

function facts(of) {
  const { step, steps, epoch, loss, evalLoss, elapsed, remaining } = of.run;
  const pairs = [["Step", step == null ? "–" : `${step} / ${steps}`], ["Epoch", number(epoch, 3)], ["Loss", number(loss)],
    ["Held-out loss", number(evalLoss)], ["Elapsed", elapsed ?? "–"], ...(remaining && of.run.state === "running" ? [["Remaining", remaining]] : [])];
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function charts(body) {
  const drawn = new Map(), top = el("div"), grid = el("div", { class: "charts" }), hint = el("p", { class: "hint" });
  let last = null;
  body.append(top, chartTools(() => last && draw(last)), grid, hint);
  return of => { last = of; draw(of); };

  function draw(of) {
    top.replaceChildren(facts(of));
    const missing = [];
    for (const [title, keys] of kindsOf([of.series])) {
      const lines = keys.filter(key => of.series[key]).map((key, i) => ({ name: key, colour: i, ...of.series[key] }));
      if (lines.length === 0) { missing.push(title.toLowerCase()); continue; }
      if (!drawn.has(title)) {
        drawn.set(title, new Chart(title));
        grid.append(drawn.get(title).element);
      }
      drawn.get(title).update(lines, options);
    }
    const thinned = Object.values(of.series).some(series => series.of > series.steps.length);
    say(hint, [missing.length > 0 && `Not logged so far: ${missing.join(", ")}.`,
      of.run.state === "running" && "Gradient norms come with checkpoints and at the end.",
      thinned && "Of long series the lowest and highest of neighbouring values are drawn."].filter(part => part).join(" "));
  }
}

function results(body, id) {
  const numbers = el("div", { class: "narrow" }), told = el("div", { class: "narrow" });
  body.append(el("h2", {}, "Results"), numbers, el("h2", {}, "Settings"), told);
  const update = (of, settings) => {
    const all = Object.entries(of.results);
    numbers.replaceChildren(all.length > 0 ? table("Results", [["Name", ""], ["Value", "num"]], all.map(([key, value]) => [key, number(value, 5)]))
      : el("p", { class: "hint" }, "There is no all_results.json yet: it comes at the end."));
    told.replaceChildren(...(settings.values
      ? [table("Settings", [["Key", ""], ["Value", "value"]], Object.entries(settings.values)), el("p", { class: "hint" }, `As ${settings.from} keeps them.`)]
      : [el("p", { class: "hint" }, "A run's settings are kept with its checkpoints, and it has none.")]));
  };
  update.asks = [ask("settings", id)];
  return update;
}

function log(body, id) {
  const text = el("div", { class: "card log", tabindex: "0", role: "log", "aria-label": "End of running_log.txt" });
  body.append(text, el("p", { class: "hint" }, "The end of running_log.txt, as it grows."));
  const update = (of, words) => {
    const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 40;
    text.replaceChildren(...(words === "" ? ["There is no running_log.txt."] : words.split("\n").map(line =>
      el("div", { class: /^\[(WARNING|ERROR)\|/.exec(line)?.[1] }, line))));
    if (atEnd) text.scrollTop = text.scrollHeight;
  };
  update.asks = [ask("log", id)];
  return update;
}

// Image tokens in full are hundreds of the same.
const folded = text => text.replace(/(<[^<>\s]{1,40}>)\1{2,}/g, (all, one) => `${one} × ${all.length / one.length}`);

function answers(body, id) {
  let shown = null;
  return async of => {
    const kind = of.report ? "report" : of.answers ? "answers" : "none";
    if (kind === shown && kind !== "none") return;
    shown = kind;
    if (kind === "report") {
      const url = `/report?run=${encodeURIComponent(id)}`;
      body.replaceChildren(el("p", { class: "hint" }, "predictions.html of this run: images, questions and answers, the worst first. ",
        el("a", { href: url, target: "_blank" }, "Open it alone")),
      el("iframe", { src: url, title: "Answers to held-out rows, the worst first", sandbox: "allow-scripts" }));
    } else if (kind === "answers") {
      const page = await (await fetch(ask("answers", id))).json();
      body.replaceChildren(el("p", { class: "hint" },
        `${page.rows.length} of ${page.all} answers of generated_predictions.jsonl, the worst of the first ${page.scored} by ROUGE-L. It names no images; `
        + "fovea predict writes a page that has them."), ...page.rows.map(row => el("article", { class: "answer" },
        el("div", { class: "head" }, el("b", {}, `ROUGE-L ${number(row.score, 3)}`), el("span", { class: "hint" }, `row ${row.number}`)),
        el("dl", {}, [["Question", row.prompt], ["Answer", row.predict], ["Expected", row.label]].flatMap(([name, text]) =>
          [el("dt", {}, name), el("dd", { dir: "auto" }, folded(text) || "(empty)")])))));
    } else {
      body.replaceChildren(el("p", { class: "hint" }, "No answers yet. fovea predict, or do_predict in a configuration, has the model answer held-out rows."));
    }
  };
}
