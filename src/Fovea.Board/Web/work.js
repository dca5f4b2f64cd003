// What pages have done on the machine, and what is wrong with it if it cannot be done.
import { el } from "./page.js";

/** Several problems at once, as the program tells them. */
export class Trouble extends Error {
  constructor(problems) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export async function post(path, body, signal) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal });
  } catch (fault) {
    throw fault.name === "AbortError" ? fault : new Trouble(["The board does not answer."]);
  }
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  throw new Trouble(answer.status === 422 ? JSON.parse(text).problems : [text.trim()]);
}

export const problems = (title, list) => el("div", { class: "problems", role: "alert" }, el("b", {}, title), el("ul", {}, list.map(one => el("li", {}, one))));

/** Shows what comes of a request in a place, or why nothing did. */
export async function showIn(place, waiting, request, show, signal) {
  place.replaceChildren(el("p", { class: "hint", role: "status" }, waiting));
  try {
    const got = await request();
    if (!signal.aborted) place.replaceChildren(...[show(got)].flat());
  } catch (fault) {
    if (signal.aborted) return;
    if (!(fault instanceof Trouble)) reportError(fault);
    place.replaceChildren(problems("That cannot be shown:", fault.problems ?? [fault.message]));
  }
}
