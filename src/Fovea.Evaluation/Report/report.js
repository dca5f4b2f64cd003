(() => {
  const main = document.getElementById("rows"), rows = [...main.children], tools = document.getElementById("tools");
  const search = document.getElementById("search"), count = document.getElementById("count"), none = document.getElementById("none");
  const selects = [...tools.querySelectorAll("select")], number = (row, key) => Number(row.dataset[key]);
  const orders = {
    best: (a, b) => (number(b, "s") || 0) - (number(a, "s") || 0) || number(a, "n") - number(b, "n"),
    file: (a, b) => number(a, "n") - number(b, "n"),
    long: (a, b) => number(b, "l") - number(a, "l"),
    short: (a, b) => number(a, "l") - number(b, "l"),
  };
  const texts = new Map();
  const text = row => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(word => word);
    const chosen = selects.filter(select => select.value && select.dataset.kind !== "sort");
    let shown = 0;
    for (const row of rows) {
      const fits = chosen.every(s => s.dataset.kind === "class" ? row.dataset.c === s.value : row.dataset.g.includes(` ${s.value} `))
        && words.every(word => text(row).includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.value = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
    none.hidden = shown > 0;
  };
  const sort = by => main.append(...(by ? [...rows].sort(orders[by]) : rows));
  tools.addEventListener("submit", event => event.preventDefault());
  search.addEventListener("input", filter);
  for (const select of selects) {
    select.addEventListener("change", () => select.dataset.kind === "sort" ? sort(select.value) : filter());
  }
  tools.reset();
  tools.hidden = false;
  filter();
})();
