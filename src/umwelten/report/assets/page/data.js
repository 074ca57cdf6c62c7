// What Python embedded, and small means to make elements of it. Text only ever goes in as text.
const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
const meta = parsed("meta");
const several = meta.evaluations.length > 1;

meta.models.forEach((model, n) => {
  model.n = n;
  model.label = several ? `${meta.evaluations[model.evaluation]} › ${model.model}` : model.model;
});

const FIELDS = [
  "model", "file", "repeat", "kind", "time", "ttft", "attempts", "in", "out", "cost", "text", "finish", "length",
  "data", "marks", "kept",
];
const calls = parsed("rows").map((values, n) => {
  const call = { n };
  for (let i = 0; i < FIELDS.length; i += 1) call[FIELDS[i]] = values[i];
  return call;
});
document.getElementById("rows").remove();
// What was on the row of a table that a call is about, by name of its input.
for (const call of calls) if (meta.row_of && call.file != null && Object.hasOwn(meta.row_of, call.file)) call.row = meta.row_of[call.file];

const repeated = calls.some((call) => call.repeat > 1);
const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const kindInWords = (kind) => kind.replaceAll("_", " ");
const nameOf = (call) => (call.file ?? "prompt alone") + (repeated ? ` (${call.repeat})` : "");
const oneLine = (text, width) => {
  const line = text.slice(0, width * 8).split(/\s+/).filter(Boolean).join(" ");
  return line.length <= width ? line : line.slice(0, width - 1).trimEnd() + "…";
};
