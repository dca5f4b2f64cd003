// What all pages use: elements, numbers, and questions that are asked again.

/** An element. What begins with "on" is a listener, children are elements or text: never HTML. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter(child => child != null && child !== false));
  return made;
}

/** Sets a text only where it is another, so that readers of the screen hear news alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function number(value, digits = 4) {
  if (value == null) return "–";
  const of = Number(value);
  if (!Number.isFinite(of)) return String(value);
  const size = Math.abs(of);
  if (of === 0 || Number.isInteger(of) && size < 1e6) return String(of);
  if (size >= 1e6 || size < 1e-3) return of.toExponential(2).replace(/\.?0*e\+?/, "e");
  return String(Number(of.toPrecision(size >= 1000 ? 6 : digits)));
}

export function ago(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  if (seconds < 90) return "just now";
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    const count = Math.floor(seconds / size);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "";
}

/** The folder of the board, in its head. */
export const showRoot = root => say(document.getElementById("root"), root);
export const state = of => el("span", { class: `state ${of}` }, of);
export const runLink = (id, tab = "") => `#/run/${encodeURIComponent(id)}${tab && `/${tab}`}`;
export const ask = (what, id) => `/api/${what}?run=${encodeURIComponent(id)}`;

/** A table of rows of cells; a cell is a text, an element, or both with the class of its column. */
export function table(caption, columns, rows) {
  return el("div", { class: "card" }, el("table", {}, el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, columns.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))),
    el("tbody", {}, rows.map(row => el("tr", { class: row.kind }, row.map((cell, i) =>
      el(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: columns[i][1] }, cell)))))));
}

const link = document.getElementById("link");
let lost = 0;

function connected() {
  if (lost > 0) say(link, "Connected again");
  else if (!link.textContent.startsWith("Connected")) say(link, "Connected");
  link.className = "";
  lost = 0;
}

function interrupted() {
  lost++;
  link.className = "lost";
  say(link, "Connection lost. What you see is old; trying again …");
}

class Refused extends Error {}

/** Asks once; null where nothing is new. */
async function fetchNew(url, tags) {
  const answer = await fetch(url, { headers: tags.has(url) ? { "If-None-Match": tags.get(url) } : {}, cache: "no-store", signal: AbortSignal.timeout(20000) });
  if (answer.status === 304) return null;
  if (answer.status === 401) throw new Refused("The board was started anew: open the address that fovea board has printed.");
  if (!answer.ok) throw new Refused((await answer.text()).trim());
  const value = await answer.json();
  tags.set(url, answer.headers.get("ETag"));
  return value;
}

/** Asks again and again until the page is left: every second while it is seen, and after an interruption until there is an answer. */
export function follow(urls, show, left) {
  const tags = new Map(), values = new Array(urls.length);
  let news = false; // what came before an interruption is not forgotten
  (async () => {
    while (!left.aborted) {
      try {
        for (const [i, url] of urls.entries()) {
          const value = await fetchNew(url, tags);
          if (value !== null) [values[i], news] = [value, true];
        }
        if (left.aborted) return;
        connected();
      } catch (problem) {
        if (left.aborted) return;
        if (problem instanceof Refused) refused(problem.message);
        else interrupted();
      }
      try {
        if (news && values.every(value => value !== undefined)) {
          news = false;
          show(...values);
        }
      } catch (fault) {
        refused(`The page has a fault: ${fault.message}`);
        reportError(fault);
      }
      await wait(lost > 0 ? Math.min(5000, 500 * lost) : document.hidden ? 10000 : 1000, left);
    }
  })();
}

function refused(message) {
  link.className = "lost";
  say(link, message);
}

const wait = (time, left) => new Promise(done => {
  const end = () => {
    clearTimeout(timer);
    left.removeEventListener("abort", end);
    done();
  };
  const timer = setTimeout(end, time);
  left.addEventListener("abort", end);
});
