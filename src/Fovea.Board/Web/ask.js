// One question to several models at once: a base model beside what was tuned from it. Answers are shown as they come.
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
    known.problem ? "" : el("pre", { class: "card log" },
      "fovea serve --model models/Base --adapter tuned=saves/tuned\nfovea board --serve http://127.0.0.1:8000"));
    return;
  }

  let picture = null, asking = null;
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
  const send = el("button", { class: "main", type: "submit" }, "Ask"), answers = el("div", { class: "charts" });
  const cancel = el("button", { type: "button", disabled: true, onclick: () => asking?.abort() }, "Cancel");
  const status = el("span", { class: "hint", role: "status" });
  body.append(el("p", { class: "sub" }, `Models of ${known.server}. Answers are not kept.`),
    el("form", { class: "ask", onsubmit: submit },
      el("label", { for: "question" }, "Question"), words, el("label", { for: "picture" }, "Picture"), el("div", {}, file, shown),
      el("span", {}, "Models"), el("div", { class: "tools" }, models), el("label", { for: "tokens" }, "Most tokens"), el("div", {}, tokens), el("span"),
      el("div", { class: "tools" }, send, cancel, status)), answers);
  left.addEventListener("abort", () => asking?.abort());

  async function submit(event) {
    event.preventDefault();
    const chosen = models.map(label => label.firstChild).filter(box => box.checked).map(box => box.value);
    const content = [...(picture ? [{ type: "image_url", image_url: { url: picture } }] : []), { type: "text", text: words.value }];
    asking = new AbortController();
    [send.disabled, cancel.disabled] = [true, false];
    say(status, "Answers are coming …");
    answers.replaceChildren();
    await Promise.all(chosen.map(model => one(model, content, asking.signal)));
    say(status, asking.signal.aborted ? "Cancelled." : "All have answered.");
    [send.disabled, cancel.disabled] = [false, true];
  }

  async function one(model, content, signal) {
    const text = el("p", { class: "answered" }, "…"), fine = el("p", { class: "hint" }), begun = performance.now();
    const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
    let said = "", end = null, usage = null;
    answers.append(el("article", { class: "answer" }, el("b", {}, model), text, fine));
    try {
      const answer = await fetch("/api/ask", {
        method: "POST", headers: { "Content-Type": "application/json" }, signal,
        body: JSON.stringify({
          model, messages: [{ role: "user", content }], max_tokens: Number(tokens.value), stream: true, stream_options: { include_usage: true },
        }),
      });
      if (!answer.ok) throw new Error(problem(await answer.text()));
      for await (const piece of events(answer.body)) {
        if (piece.error) throw new Error(piece.error.message);
        const [choice] = piece.choices ?? [];
        said += choice?.delta?.content ?? "";
        end = choice?.finish_reason ?? end;
        usage = piece.usage ?? usage;
        say(text, said || "…");
        say(fine, `${seconds()} s …`);
      }
      say(text, said || "(empty)");
      say(fine, `${usage?.completion_tokens ?? "?"} tokens in ${seconds()} s${end === "length" ? ", cut" : ""}`);
    } catch (failure) {
      if (signal.aborted) say(fine, `cancelled after ${seconds()} s`);
      else say(said ? fine : text, `${said ? "Broken off" : "No answer"}: ${failure.message}`);
    }
  }
}

/** The objects of a stream of server-sent events. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", next; !(next = await reader.read()).done;) {
    const lines = (rest + next.value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const data = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
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
