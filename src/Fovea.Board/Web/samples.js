// Samples as the model sees them: images, and the text of their tokens with what is trained on marked.
import { el, say } from "./page.js";
import { post, showIn } from "./work.js";

/** Whoever asks gives a run, or a configuration. */
export function samples(place, source, left) {
  const shown = el("div"), position = el("span", { class: "hint", role: "status" });
  const start = el("input", { id: "first", type: "number", min: 1, value: 1, onchange: () => go(Number(start.value) - 1) });
  const back = el("button", { type: "button", onclick: () => go(first - size) }, "Earlier");
  const on = el("button", { type: "button", onclick: () => go(first + size) }, "Later");
  let first = 0, size = 6, count = Infinity;
  place.replaceChildren(el("div", { class: "tools" }, el("label", {}, "From sample", start), back, on, position), shown);
  go(0);

  function go(to) {
    first = Math.max(0, Math.min(to, count - 1)) || 0;
    back.disabled = on.disabled = true;
    showIn(shown, "Reading the data …", () => post("/api/samples", { ...source, first }, left), page => {
      count = page.count;
      size = Math.max(page.samples.length, 1);
      start.value = first + 1;
      back.disabled = first === 0;
      on.disabled = first + size >= count;
      say(position, `${first + 1} to ${first + page.samples.length} of ${count}${page.rejected ? `; ${page.rejected} rows cannot be used` : ""}`);
      return [el("p", { class: "sub" }, `In the order of the files. Template: ${page.template}; at most ${page.cutoff_len} tokens. `,
        el("mark", { class: "trained" }, "Marked"), " is what the model is trained on; the rest is what it is given."), ...page.samples.map(one)];
    }, left);
  }
}

function one(sample) {
  const head = el("div", { class: "head" }, el("b", {}, sample.name), sample.problem ? null
    : el("span", { class: "hint" }, `${sample.tokens} tokens, ${sample.trained} of them trained`),
  sample.truncated ? el("b", { class: "cut" }, "truncated") : null);
  if (sample.problem) return el("article", { class: "answer" }, head, el("p", { class: "note" }, sample.problem));
  return el("article", { class: "answer sample" }, head, el("div", { class: "seen" },
    el("div", { class: "pictures" }, sample.images.map((image, i) => el("figure", {},
      image.uri ? el("img", { src: image.uri, alt: `Image ${i + 1}: ${image.name}` }) : el("p", { class: "hint" }, `${image.name} ${image.problem}`),
      el("figcaption", { class: "hint" }, `${image.name}: ${image.tokens} tokens${image.parts > 1 ? ` in ${image.parts} parts` : ""}`)))),
    el("div", {}, sample.turns.map(turn => el("p", { class: "answered tokens", dir: "auto" }, turn.text.map(({ text, trained, weight }) =>
      trained ? el("mark", { class: "trained" }, text.replaceAll("\n", "↵\n"), weight === 1 ? "" : ` ×${weight} `) : text))))));
}
