// Which page is shown follows from what stands behind # in the address.
import { ask } from "./ask.js";
import { compare } from "./compare.js";
import { list } from "./list.js";
import { fresh } from "./new.js";
import { run, tabNames } from "./run.js";

const main = document.getElementById("content");
let leave = new AbortController();

function show(first) {
  const [page, name = "", tab = ""] = location.hash.slice(2).split("/");
  if (location.hash !== "" && !location.hash.startsWith("#/")) return; // a place in this page
  leave.abort();
  leave = new AbortController();
  if (page === "run" && name) run(main, leave.signal, decodeURIComponent(name), tabNames.includes(tab) ? tab : "");
  else if (page === "compare" && name) compare(main, leave.signal, [...new Set(name.split(",").map(decodeURIComponent))].slice(0, 16));
  else if (page === "ask") ask(main, leave.signal);
  else if (page === "new") fresh(main, leave.signal, decodeURIComponent(name));
  else list(main, leave.signal);
  document.title = page === "run" ? `${decodeURIComponent(name)} – Fovea board` : page === "compare" ? "Runs compared – Fovea board"
    : page === "ask" ? "Ask – Fovea board" : page === "new" ? "New run – Fovea board" : "Fovea board";
  if (!first) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

// The token is in the cookie by now; it need not stay in the address bar and its history.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);
addEventListener("hashchange", () => show(false));
show(true);
