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
  const [prompt, input, earlier, recalled, media] = known.sent?.[call.n] ?? [];
  const text = (n) => (n == null ? null : known.texts[n]);
  return {
    prompt: prompt ? prompt.map(text).join("") : meta.prompts[meta.models[call.model].prompt],
    sent: Boolean(prompt),
    input: text(input),
    earlier: text(earlier),
    recalled: text(recalled),
    media,
  };
}

const folded = (title, open, ...content) => element("details", { open }, element("summary", {}, title), ...content);
const size = (text) => ` (${counted(text.length, "character")})`;

const foldedText = (title, text) => (text == null ? null : folded(title + size(text), onPaper, element("pre", { class: "raw" }, text)));

function askedParts(call, found) {
  const row = (name, n) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, rowValue(call, n) ?? "–"));
  return [
    call.row == null ? null : folded("Row", true, element("table", { class: "record" }, element("tbody", {}, ...rowNames.map(row)))),
    foldedText(found.sent ? "Prompt as sent" : "Prompt", found.prompt),
    foldedText("Input", found.input),
    foldedText("Earlier answer", found.earlier),
    foldedText("Recalled", found.recalled),
    found.media ? element("p", { class: "note" }, `Sent with it: ${found.media.join(", ")}`) : null,
  ];
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
  // On paper the answers are whole; what was asked comes with those that the reader has opened.
  const more = onPaper && !opened.has(call.n) ? [] : [
    foldedText("Reasoning", found.reasoning),
    ...askedParts(call, found.asked),
    found.attempts ? folded(counted(found.attempts.length, "attempt"), true, attemptsTable(found.attempts)) : null,
  ].filter(Boolean);
  return element(
    "div", { class: "detail" },
    element("div", { class: "over" }, top, bar(call, found.asked)),
    picture(call, 320), ...parts, scoreDetail(call),
    more.length ? element("div", { class: "over" }, ...more) : null,
  );
}
