// The fields of a schema: a column each, with the values as words.
const shaped = meta.fields.length > 0;
const has = (call, name) => Boolean(call.data) && Object.hasOwn(call.data, name) && call.data[name] !== null;
const valueOf = (call, name) => (has(call, name) ? call.data[name] : undefined);

function inWords(value) {
  if (value == null) return "";
  if (typeof value !== "object") return visible(String(value));
  const plain = Array.isArray(value) && value.every((one) => typeof one !== "object");
  return visible(plain ? value.join(", ") : JSON.stringify(value));
}

// An answer as text: the fields of a record, however its JSON was written.
const wordsOf = (call) =>
  call.data ? Object.entries(call.data).map(([name, value]) => `${visible(name)}: ${inWords(value)}`).join("\n") : call.text;

// How wide a column has to be for its values, by a look at some.
const LOOKED_AT = 300;
function breadth(words) {
  const some = calls.filter((call) => call.data).slice(0, LOOKED_AT);
  const longest = Math.max(0, ...some.map((call) => (words(call) ?? "").length));
  return longest > 40 ? "wide" : longest > 14 ? "middling" : "narrow";
}

// Columns of the table of calls. Those of few values can be chosen from, see `options`.
const fieldColumns = (bySize, byWords) =>
  meta.fields.map((field, n) => {
    const number = field.type === "integer" || field.type === "number";
    const words = (call) => inWords(valueOf(call, field.name)) || undefined;
    const options = field.type === "boolean" ? ["true", "false"] : field.options;
    return {
      id: `field-${n}`,
      title: oneLine(visible(field.name), 40),
      field: breadth(words),
      number,
      get: number ? (call) => valueOf(call, field.name) : words,
      sort: number ? bySize : byWords,
      show: (call) => element("div", {}, oneLine(words(call) ?? "–", 160)),
      filter: options.length > 0,
      options,
    };
  });

// The columns of the rows that prompts were filled from.
const rowNames = meta.row_columns ?? [];
const rowColumns = (byWords) =>
  rowNames.map((name, n) => ({
    id: `row-${n}`,
    title: oneLine(visible(name), 40),
    field: "middling",
    get: (call) => rowValue(call, n),
    sort: byWords,
    show: (call) => element("div", {}, oneLine(rowValue(call, n) ?? "–", 160)),
    // Two tell what a row is about; more would leave no room for the answer.
    extra: shaped || n >= 2,
  }));
const rowValue = (call, n) => (call.row == null ? undefined : meta.rows[call.row][n] ?? undefined);
const rowWords = (call) => (call.row == null ? "" : `\n${meta.rows[call.row].filter(Boolean).join("\n")}`);

function record(call) {
  const rows = Object.entries(call.data).map(([name, value]) => {
    const nested = value !== null && typeof value === "object" && inWords(value).length > 60;
    const shown = nested ? element("pre", {}, visible(JSON.stringify(value, null, 2))) : inWords(value) || "–";
    return element("tr", {}, element("th", { scope: "row" }, visible(name)), element("td", {}, shown));
  });
  return element("table", { class: "record" }, element("tbody", {}, ...rows));
}
