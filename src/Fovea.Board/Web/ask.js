// One question to several models at once: a base model beside what was tuned from it.
import { el, say } from "./page.js";

const mostShown = 8;

export async function ask(main, left) {
  const body = el("div");
  main.replaceChildren(el("h1", {}, "Ask"), body);
  const known = await (await fetch("/api/models", { cache: "no-store" })).json();
  if (left.aborted) return;
  if (!known.models) {
    body.append(el("p", { class: "note" }, known.problem ? `The model server at ${known.server} does not answer: ${known.problem}`
      : "Models are asked through fovea serve. Start one, and the board with --serve and its address:"),
    known.problem ? null : el("pre", { class: "card log" },
      "fovea serve --model models/Base --adapter tuned=saves/tuned\nfovea board --serve http://127.0.0.1:8000"));
    return;
  }

  let picture = null;
  const models = known.models.map((id, i) => el("label", {}, el("input", { type: "checkbox", name: "model", value: id, checked: i < mostShown }), id));
  const words = el("textarea", { id: "question", rows: 3, required: true, placeholder: "What do you see?" });
  const shown = el("img", { class: "picture", alt: "The chosen picture", hidden: true });
  const file = el("input", {
    id: "picture", type: "file", accept: "image/*", onchange: async event => {
      const [one] = event.target.files;
      picture = one ? await read(one) : null;
      shown.hidden = !picture;
      if (picture) shown.src = picture;
    },
  });
  const tokens = el("input", { id: "tokens", type: "number", min: 1, max: 100000, value: 256 });
  const send = el("button", { class: "main", type: "submit" }, "Ask"), answers = el("div", { class: "charts", "aria-live": "polite" });
  body.append(el("p", { class: "sub" }, `Models of ${known.server}. Answers are not kept.`),
    el("form", { class: "ask", onsubmit: submit },
      el("label", { for: "question" }, "Question"), words, el("label", { for: "picture" }, "Picture"), el("div", {}, file, shown),
      el("span", {}, "Models"), el("div", { class: "tools" }, models), el("label", { for: "tokens" }, "Most tokens"), el("div", {}, tokens), el("span"),
      el("div", {}, send)), answers);

  async function submit(event) {
    event.preventDefault();
    const chosen = models.map(label => label.firstChild).filter(box => box.checked).map(box => box.value);
    const content = [...(picture ? [{ type: "image_url", image_url: { url: picture } }] : []), { type: "text", text: words.value }];
    send.disabled = true;
    await Promise.all(chosen.map(async model => {
      const text = el("p", { class: "answered" }, "…"), fine = el("p", { class: "hint" });
      if (answers.dataset.round !== String(event.timeStamp)) {
        answers.dataset.round = event.timeStamp;
        answers.replaceChildren();
      }
      answers.append(el("article", { class: "answer" }, el("b", {}, model), text, fine));
      const begun = performance.now();
      try {
        const answer = await fetch("/api/ask", {
          method: "POST", headers: { "Content-Type": "application/json" }, signal: left,
          body: JSON.stringify({ model, messages: [{ role: "user", content }], max_tokens: Number(tokens.value) }),
        });
        const got = await answer.text();
        if (!answer.ok) throw new Error(problem(got));
        const { choices: [{ message, finish_reason: end }], usage } = JSON.parse(got);
        say(text, message.content || "(empty)");
        say(fine, `${usage?.completion_tokens ?? "?"} tokens in ${((performance.now() - begun) / 1000).toFixed(1)} s${end === "length" ? ", cut" : ""}`);
      } catch (failure) {
        say(text, `No answer: ${failure.message}`);
      }
    }));
    send.disabled = false;
  }
}

function problem(text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return text.trim();
  }
}

const read = file => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.addEventListener("load", () => done(reader.result));
  reader.addEventListener("error", () => failed(reader.error));
  reader.readAsDataURL(file);
});
