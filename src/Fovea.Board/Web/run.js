// One run: charts, results and settings, answers, log.
import { Chart, chartTools, kindsOf, options } from "./chart.js";
import { ask, el, follow, number, runLink, say, showRoot, state, table } from "./page.js";
import { plan } from "./plan.js";
import { samples } from "./samples.js";
import { post, problems } from "./work.js";

const tabs = [["", "Charts"], ["results", "Results and settings"], ["samples", "Samples"], ["plan", "Memory plan"], ["answers", "Answers"], ["log", "Log"]];
export const tabNames = tabs.map(([name]) => name);

export function run(main, left, id, tab) {
  const head = el("div", { class: "head" }), sub = el("p", { class: "sub" }), note = el("p", { class: "note", hidden: true });
  const body = el("div"), actions = el("div", { class: "tools actions" }), trouble = el("div");
  main.replaceChildren(head, sub, note, trouble, el("nav", { class: "tabs", "aria-label": "Parts of this run" },
    tabs.map(([name, title]) => el("a", { href: runLink(id, name), "aria-current": name === tab ? "page" : null }, title))), body);
  let status = el("span");
  head.append(el("h1", {}, id === "." ? "(this folder)" : id), status, actions);
  const show = { "": charts, results, answers, log, samples: seen(samples), plan: seen(plan) }[tab];
  const update = show(body, id, left);
  follow([ask("run", id), ...(update.asks ?? [])], (of, ...more) => {
    showRoot(of.root);
    if (status.textContent !== of.run.state) {
      const now = state(of.run.state);
      status.replaceWith(now);
      status = now;
    }
    say(sub, [of.run.model, of.run.started && `started ${of.run.started}`].filter(part => part).join(" · "));
    const words = of.run.state === "silent"
      ? "Nothing has been heard of this run for long, and it has not ended. It may have been killed." : of.run.reason ?? "";
    note.hidden = words === "";
    say(note, words);
    offer(of);
    update(of, ...more);
  }, left);

  /** What can be done with the run as it is. */
  function offer({ works, job, resumes, run: of }) {
    const can = [job?.alive && ["Stop", job.stopping ? "Stop at once" : "Stop"],
      works && !job?.alive && resumes && ["stopped", "failed", "silent"].includes(of.state) && ["Resume", "Resume"]].filter(one => one);
    document.getElementById("new").hidden = !works;
    const now = JSON.stringify([works, can]);
    if (actions.dataset.now === now) return;
    actions.dataset.now = now;
    actions.replaceChildren(...can.map(([what, title]) => el("button", { type: "button", class: "main", onclick: () => act(what.toLowerCase()) }, title)),
      ...(works ? [el("a", { class: "button", href: `#/new/${encodeURIComponent(id)}` }, "New run from this")] : []),
      ...(job?.stopping && job.alive ? [el("span", { class: "hint", role: "status" }, "It finishes its step and saves, then ends.")] : []));
  }

  async function act(what) {
    for (const button of actions.querySelectorAll("button")) button.disabled = true;
    try {
      await post(`/api/${what}`, { run: id }, left);
      trouble.replaceChildren();
    } catch (fault) {
      if (!left.aborted) trouble.replaceChildren(problems("That was not done:", fault.problems ?? [fault.message]));
    }
    delete actions.dataset.now;
  }
}

/** What is read from the data and the model's folder once, not followed. */
function seen(page) {
  return (body, id, left) => {
    let shown = false;
    return of => {
      if (!of.works) body.replaceChildren(el("p", { class: "note" }, "This board was started with --read-only: it reads no data and no model."));
      else if (!shown) page(body, { run: id }, left);
      shown = true;
    };
  };
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
      thinned && "Of long series the lowest and highest of neighbouring values are drawn."].filter(part => part).join(" "));
  }
}

function results(body, id) {
  const numbers = el("div", { class: "narrow" }), told = el("div", { class: "narrow" });
  const all = el("input", { id: "all", type: "checkbox", onchange: tell }), choice = el("label", { hidden: true }, all, "Show defaults, too");
  let last = {};
  body.append(el("h2", {}, "Results"), numbers, el("h2", {}, "Settings"), el("div", { class: "tools" }, choice), told);

  function tell() {
    choice.hidden = !last.told;
    const rows = Object.entries(last.values ?? {}).filter(([key]) => !last.told || all.checked || last.told.includes(key));
    told.replaceChildren(...(last.values
      ? [table("Settings", [["Key", ""], ["Value", "value"]], rows), el("p", { class: "hint" }, `As ${last.from} keeps them.`)]
      : [el("p", { class: "hint" }, "A run's settings are kept with its first step, and it has taken none.")]));
  }

  const update = (of, settings) => {
    const all = Object.entries(of.results);
    numbers.replaceChildren(all.length > 0 ? table("Results", [["Name", ""], ["Value", "num"]], all.map(([key, value]) => [key, number(value, 5)]))
      : el("p", { class: "hint" }, "There is no all_results.json yet: it comes at the end."));
    last = settings;
    tell();
  };
  update.asks = [ask("settings", id)];
  return update;
}

function log(body, id) {
  const box = label => el("div", { class: "card log", tabindex: "0", role: "log", "aria-label": label });
  const text = box("End of running_log.txt"), printed = box("What the program printed"), title = el("h2", {}, "What the program printed");
  body.append(text, el("p", { class: "hint" }, "The end of running_log.txt, as it grows."), title, printed);
  const update = (of, words, output) => {
    fill(text, words === "" ? ["There is no running_log.txt."] : words.split("\n").map(line =>
      el("div", { class: /^\[(WARNING|ERROR)\|/.exec(line)?.[1] }, line)), words);
    title.hidden = printed.hidden = !of.job;
    fill(printed, output === "" ? ["Nothing so far."] : [output], output);
  };
  update.asks = [ask("log", id), ask("output", id)];
  return update;
}

/** New text only, so that a selection stays; and the end is kept in sight if it was. */
function fill(box, lines, words) {
  if (box.words === words) return;
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  box.words = words;
  box.replaceChildren(...lines);
  if (atEnd) box.scrollTop = box.scrollHeight;
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
