// One call, opened: what was asked, what came back, and how it went.
const details = byId("details");
let known;
// Read when the first call is opened: most readers open few.
const detailsOf = (call) => {
  known ??= details ? JSON.parse(details.textContent) : {};
  return { reasoning: known.reasoning?.[call.n], attempts: known.attempts?.[call.n], asked: askedOf(call) };
};

// What was sent of a call, as far as the file has it; the prompt of its model else.
function askedOf(call) {
  const own = known.sent?.[call.n];
  const text = (n) => (n == null ? null : known.texts[n]);
  const model = meta.models[call.model];
  return {
    prompt: text(own?.[0]) ?? meta.prompts[model.prompt],
    filled: own?.[0] != null,
    input: text(own?.[1]),
    row: own?.[2] ?? null,
    note: text(own?.[3]),
  };
}

const folded = (title, open, ...content) => element("details", { open }, element("summary", {}, title), ...content);
const size = (text) => ` (${counted(text.length, "character")})`;

function askedParts(found) {
  const parts = [];
  if (found.prompt != null) {
    const title = found.filled ? "Prompt as sent" : "Prompt";
    parts.push(folded(title, onPaper, element("pre", { class: "raw" }, found.prompt)));
  }
  if (found.input != null) parts.push(folded(`Input${size(found.input)}`, onPaper, element("pre", { class: "raw" }, found.input)));
  if (found.row) {
    const rows = Object.entries(found.row).map(([name, value]) =>
      element("tr", {}, element("th", { scope: "row" }, visible(name)), element("td", {}, inWords(value) || "–")));
    parts.push(folded("Row", true, element("table", { class: "record" }, element("tbody", {}, ...rows))));
  }
  if (found.note) parts.push(element("p", { class: "note" }, found.note));
  return parts;
}

function attemptsTable(attempts) {
  const rows = attempts.map(([number, outcome, time, status, message], n) =>
    element(
      "tr", {},
      element("th", { scope: "row" }, String(number || n + 1)),
      element("td", {}, kindInWords(outcome) + (status ? ` (HTTP ${status})` : "")),
      element("td", { class: "n" }, seconds(time)),
      element("td", {}, message ?? ""),
    ));
  const head = element("tr", {}, ...["Attempt", "Outcome", "Time", "Message"].map((title) => element("th", { scope: "col", class: title === "Time" ? "n" : null }, title)));
  return element("table", { class: "record attempts" }, element("thead", {}, head), element("tbody", {}, ...rows));
}

function bar(call, found) {
  if (onPaper) return null;
  const swap = element(
    "button",
    { type: "button", class: "small swap", onclick: () => { rendered = !rendered; byId("formatted").checked = rendered; draw(); opener(call)?.focus(); } },
    rendered ? "Show as written" : "Show formatted",
  );
  const going = (title, by) => element("button", { type: "button", class: "small", onclick: () => step(by, call) }, title);
  return element(
    "p", { class: "bar-of" },
    copier("Copy answer", () => call.kept || call.text),
    found.prompt == null ? null : copier("Copy prompt", () => found.prompt),
    copier("Copy link", () => linkTo(call)),
    call.kind || call.data ? null : swap,
    ...(view === "list" ? [going("Previous", -1), going("Next", 1)] : []),
  );
}

function detailOf(call, before) {
  const found = { asked: {}, ...detailsOf(call) };
  const top = element("p", { class: "facts" }, before, facts(call));
  const parts = call.data
    ? [element("div", {}, element("p", { class: "facts" }, "Record"), record(call)), element("div", {}, element("p", { class: "facts" }, "As it was answered"), answer(call), cutNote(call))]
    : [element("div", {}, answer(call), cutNote(call))];
  const more = [
    found.reasoning ? folded(`Reasoning${size(found.reasoning)}`, onPaper, element("pre", { class: "raw" }, found.reasoning)) : null,
    ...askedParts(found.asked),
    found.attempts ? folded(counted(found.attempts.length, "attempt"), true, attemptsTable(found.attempts)) : null,
  ].filter(Boolean);
  return element(
    "div", { class: "detail" },
    element("div", { class: "over" }, top, bar(call, found.asked)),
    picture(call, 320), ...parts, scoreDetail(call),
    more.length ? element("div", { class: "over" }, ...more) : null,
  );
}
