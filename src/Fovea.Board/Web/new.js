// A form that writes the configuration of a run, has it checked, and starts it.
import { el, runLink, say, showRoot } from "./page.js";
import { plan } from "./plan.js";
import { samples } from "./samples.js";
import { post, problems, showIn } from "./work.js";
import { read, write } from "./yaml.js";

// What is asked for; what each key means, may be, and is by default comes from the program.
const groups = [
  ["Model", "model_name_or_path template bf16 use_cpu"],
  ["Data", "dataset dataset_dir eval_dataset val_size max_samples cutoff_len image_max_pixels mask_history"],
  ["What is trained", "finetuning_type lora_rank lora_alpha lora_dropout lora_target freeze_vision_tower freeze_multi_modal_projector freeze_language_model"],
  ["Steps", "per_device_train_batch_size gradient_accumulation_steps learning_rate lr_scheduler_type warmup_ratio num_train_epochs max_steps seed"],
  ["Output", "output_dir logging_steps save_steps save_total_limit eval_strategy eval_steps plot_loss overwrite_output_dir"],
];
const needed = ["model_name_or_path", "dataset", "output_dir"];
let draft = null; // what was written is kept while other pages are looked at

export async function fresh(main, left, from) {
  const answer = await fetch("/api/form", { cache: "no-store" });
  if (left.aborted) return;
  if (!answer.ok) {
    main.replaceChildren(el("h1", {}, "New run"), el("p", { class: "note" }, "This board was started with --read-only: it shows runs, and starts none."));
    return;
  }

  const form = await answer.json(), known = new Map(form.keys.map(key => [key.key, key])), fields = new Map(), faults = new Map();
  showRoot(form.root);
  const more = el("textarea", { id: "more", rows: 5, spellcheck: "false", oninput: changed });
  const text = el("pre", { class: "card log yaml", tabindex: "0", "aria-label": "The configuration" });
  const result = el("div", { class: "result", "aria-live": "polite" });
  const shown = el("section", { class: "shown", "aria-label": "Samples or memory plan", tabindex: "-1" });
  const meaning = el("p", { class: "hint" });
  const other = el("input", { id: "other", list: "keys", oninput: () => say(meaning, known.get(other.value)?.meaning ?? "") });
  const open = el("select", { id: "open", onchange: () => open.value && load(`name=${encodeURIComponent(open.value)}`) },
    el("option", { value: "" }, form.saved.length > 0 ? "Open a saved one …" : "None is saved yet"),
    form.saved.map(file => el("option", { value: file }, file)));
  const name = el("input", { id: "name", size: 24, placeholder: "run.yaml" });
  const replace = el("input", { id: "replace", type: "checkbox" });
  main.replaceChildren(el("h1", {}, "New run"), el("div", { class: "tools" }, el("label", {}, "Configuration", open),
    el("button", { type: "button", onclick: () => fill({ values: {}, more: "" }) }, "Clear")),
  el("form", { class: "writing", onsubmit: start, novalidate: true },
    el("div", {}, groups.map(([title, keys]) =>
      el("fieldset", {}, el("legend", {}, title), el("div", { class: "fields" }, keys.split(" ").map(field)))),
      el("fieldset", {}, el("legend", {}, "Further keys"), el("p", { class: "hint" }, "Lines of YAML. All keys are described in docs/configuration.md."), more,
        el("div", { class: "tools" }, el("label", {}, "Key", other), el("button", { type: "button", onclick: add }, "Add"),
          el("datalist", { id: "keys" }, form.keys.filter(key => !fields.has(key.key)).map(key => el("option", { value: key.key })))), meaning)),
    el("aside", {}, text, el("div", { class: "tools" },
      el("button", { type: "button", onclick: check }, "Check"), el("button", { type: "button", onclick: () => part(samples) }, "Samples"),
      el("button", { type: "button", onclick: () => part(plan) }, "Memory plan"), el("button", { class: "main", type: "submit" }, "Start")),
    el("div", { class: "tools" }, el("label", {}, "File", name), el("button", { type: "button", onclick: save }, "Save YAML"),
      el("label", {}, replace, "Replace a file of that name")), result)), shown);
  main.querySelector("#more").setAttribute("aria-label", "Further keys");
  fill(draft ?? { values: { output_dir: `${form.output}/new` }, more: "" });
  if (from) await load(`run=${encodeURIComponent(from)}`, true);

  function field(key) {
    const of = known.get(key), id = `key-${key}`, choices = choicesOf(of.values);
    const none = el("option", { value: "" }, of.default === "" ? "not given" : `${of.default} (default)`);
    const control = choices ? el("select", { id, oninput: changed }, none,
      choices.filter(choice => choice !== of.default).map(choice => el("option", { value: choice }, choice)))
      : el("input", { id, type: "text", placeholder: needed.includes(key) ? "needed" : of.default, autocomplete: "off", oninput: changed });
    control.setAttribute("aria-describedby", `${id}-help ${id}-fault`);
    fields.set(key, control);
    faults.set(key, el("p", { class: "fault", id: `${id}-fault` }));
    return el("div", { class: "field" }, el("label", { for: id }, key), control, faults.get(key), el("p", { class: "hint", id: `${id}-help` }, of.meaning));
  }

  function values() {
    return Object.fromEntries([...fields].map(([key, control]) => [key, control.value.trim()]));
  }

  function changed() {
    draft = { values: values(), more: more.value };
    say(text, write(draft.values, draft.more) || "# nothing so far\n");
    name.placeholder = `${(draft.values.output_dir || "run").split("/").filter(part => part).at(-1)}.yaml`;
    result.replaceChildren();
    blame([]);
  }

  function fill(of) {
    for (const [key, control] of fields) control.value = of.values[key] ?? "";
    more.value = of.more;
    changed();
  }

  async function load(what, again) {
    const got = await fetch(`/api/yaml?${what}`, { cache: "no-store" });
    if (!got.ok) {
      result.replaceChildren(problems("That cannot be opened:", [(await got.text()).trim()]));
      return;
    }
    const of = read((await got.json()).yaml, takes);
    if (again) {
      of.values.output_dir = `${of.values.output_dir ?? `${form.output}/new`}-2`;
      delete of.values.overwrite_output_dir;
      of.more = of.more.replace(/^resume_from_checkpoint:.*\n?/m, "");
    }
    fill(of);
  }

  function takes(key, value) {
    const control = fields.get(key);
    return control != null && (control.tagName === "INPUT" || [...control.options].some(option => option.value === value));
  }

  function add() {
    const of = known.get(other.value);
    if (!of) return say(meaning, "There is no such key.");
    more.value += `${more.value && !more.value.endsWith("\n") ? "\n" : ""}${of.key}: ${of.default}\n`;
    other.value = "";
    changed();
    more.focus();
  }

  /** Each problem beside the field that it names. */
  function blame(list) {
    for (const [key, place] of faults) {
      const own = list.filter(problem => new RegExp(`(?:^|: )${key}: `).test(problem))
        .map(problem => problem.slice(problem.indexOf(`${key}: `) + key.length + 2));
      say(place, own.join(" "));
      fields.get(key).setAttribute("aria-invalid", own.length > 0);
    }
  }

  async function ask(path, body, title, done) {
    result.replaceChildren(el("p", { class: "hint" }, "…"));
    try {
      done(await post(path, { yaml: write(values(), more.value), ...body }, left));
    } catch (fault) {
      if (left.aborted) return;
      blame(fault.problems ?? []);
      result.replaceChildren(problems(title, fault.problems ?? [fault.message]));
    }
  }

  function check() {
    return ask("/api/check", {}, "Not yet right:", of => {
      blame([]);
      result.replaceChildren(el("p", { class: "good" }, `Valid. The run will be called ${of.run}.`),
        ...of.notices.map(notice => el("p", { class: "note" }, notice)));
    });
  }

  function save() {
    const file = name.value.trim() || name.placeholder;
    return ask("/api/save", { name: file, replace: replace.checked }, "Not saved:", of => {
      if (![...open.options].some(option => option.value === of.name)) open.append(el("option", { value: of.name }, of.name));
      result.replaceChildren(el("p", { class: "good" }, `Saved as ${of.name} in the board's folder.`));
    });
  }

  function start(event) {
    event.preventDefault();
    return ask("/api/start", {}, "Not started:", of => { location.hash = runLink(of.run); });
  }

  function part(page) {
    page(shown, { yaml: write(values(), more.value) }, left);
    shown.focus({ preventScroll: true });
    shown.scrollIntoView({ block: "start" });
  }
}

/** The values of a key that has only a few. */
function choicesOf(values) {
  return /^[a-z0-9_]+(?:, [a-z0-9_]+)+$/.test(values) ? values.split(", ") : null;
}
