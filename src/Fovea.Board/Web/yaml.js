// A flat configuration: writing one, and reading lines back into a form.
const plain = /^(?:\.{0,2}\/)?[A-Za-z0-9_.-][A-Za-z0-9_./@+-]*(?:, ?[A-Za-z0-9_./@+-]+)*$/;
const list = /^\[[^[\]{}#]*\]$/;

export const scalar = text => plain.test(text) || list.test(text) ? text : JSON.stringify(text);

/** Lines of keys and values, then what was written by hand. */
export function write(values, more) {
  const lines = Object.entries(values).filter(([, value]) => value !== "").map(([key, value]) => `${key}: ${scalar(value)}`);
  return [...lines, ...(more.trim() ? [more.trimEnd()] : [])].map(line => line + "\n").join("");
}

/** Takes the lines whose value a form can hold; all others stay as they are. */
export function read(text, takes) {
  const lines = text.split("\n"), values = {}, more = [];
  lines.forEach((line, i) => {
    const [, key, written] = /^([a-z_0-9]+):[ \t]+(\S.*?)\s*$/.exec(line) ?? [];
    const goesOn = /^(?:[ \t]+\S|- )/.test(lines[i + 1] ?? "");
    const value = key && !goesOn ? simple(written) : null;
    if (value != null && takes(key, value)) values[key] = value;
    else if (!line.startsWith("# What this run was told")) more.push(line);
  });
  return { values, more: more.join("\n").trim() };
}

function simple(written) {
  if (written.startsWith("\"")) {
    try {
      return JSON.parse(written);
    } catch {
      return null;
    }
  }
  return list.test(written) || !/^[[{|>&*!%@`']|#/.test(written) && !written.includes(": ") ? written : null;
}
