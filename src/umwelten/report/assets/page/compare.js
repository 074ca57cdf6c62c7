// Side by side: a row a file, a column a model, what differs from the chosen model's answer marked.
const COMPARED = 4000;
const EXCERPT = 600;
const GROUPS = 20;
let reference = 0;
let differing = false;
let group = 0;

const normal = (text) => text.split(/\s+/).filter(Boolean).join(" ");

const groups = new Map();
for (const call of calls) {
  const key = `${call.repeat}\n${call.file ?? ""}`;
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(call);
}

function agree(members) {
  const [first, ...others] = members.filter((call) => !call.kind);
  if (!others.length) return null;
  const text = normal(wordsOf(first));
  return others.every((call) => normal(wordsOf(call)) === text);
}

function matching() {
  const keys = new Set();
  for (const row of table.getPrePaginatedRowModel().rows) {
    keys.add(`${row.original.repeat}\n${row.original.file ?? ""}`);
  }
  const found = [...keys].map((key) => groups.get(key));
  return differing ? found.filter((members) => agree(members) === false) : found;
}

function drawCompare() {
  const found = matching();
  group = Math.min(group, Math.max(Math.ceil(found.length / GROUPS) - 1, 0));
  const shown = found.slice(group * GROUPS, (group + 1) * GROUPS);
  byId("compare").replaceChildren(...shown.map(sideBySide));
  return found.length;
}

function sideBySide(members) {
  const agreed = agree(members);
  const word = agreed === null ? null : agreed ? "same answer" : "answers differ";
  const chip = word && element("span", { class: agreed ? "chip same" : "chip" }, word);
  const title = element("h3", {}, picture(members[0], 72), element("span", {}, nameOf(members[0])), chip);
  const against = members.find((call) => call.model === reference && !call.kind);
  const cells = meta.models.map((model) => answerOf(model, members.find((call) => call.model === model.n), against));
  return element("article", { class: "pair" }, title, scoring && expected(members[0]), element("div", { class: "answers", tabindex: "0" }, ...cells));
}

function answerOf(model, call, against) {
  const name = element("h4", {}, dot(model.n), model.label, model.n === reference ? element("em", {}, " compared with") : null);
  if (!call) return element("div", { class: "answer" }, name, element("p", { class: "note" }, "pending"));
  const body = element("div", { class: "words" });
  if (call.kind) body.append(...failed(call));
  else if (fillWords(body, call, against)) name.append(element("em", {}, " little in common"));
  return element("div", { class: call.kind ? "answer failed" : "answer" }, name, body, cutNote(call), badges(call), element("p", { class: "facts" }, facts(call)));
}

// True if the answer has too little in common with the other for marks to help.
function fillWords(body, call, against) {
  const text = wordsOf(call);
  const long = text.length > EXCERPT;
  let unlike = false;
  const fill = (whole) => {
    const pieces = marked(call, against, whole ? COMPARED : EXCERPT);
    unlike = pieces === null;
    const words = pieces ?? [text.slice(0, whole ? COMPARED : EXCERPT)];
    const rest = whole ? text.slice(COMPARED) : long ? "…" : "";
    body.replaceChildren(...words, rest, ...(long ? [" ", more(whole, fill)] : []));
  };
  fill(false);
  return unlike;
}

const more = (whole, fill) =>
  element("button", { type: "button", class: "quiet", onclick: () => fill(!whole) }, whole ? "less" : "more");

const COMMON = 0.3;
const letters = (text) => text.replace(/\s+/g, "").length;

// The call's words in order; those that the other answer has not, in their place, are marked. Null if
// less than COMMON of its letters are the other's too.
function marked(call, against, width) {
  const text = wordsOf(call).slice(0, width);
  if (!against || against === call || !text) return [text];
  const changes = Diff.diffWordsWithSpace(wordsOf(against).slice(0, width), text, { maxEditLength: 2000 });
  if (!changes) return null;
  const kept = changes.filter((change) => !change.removed);
  const common = kept.reduce((sum, change) => sum + (change.added ? 0 : letters(change.value)), 0);
  if (common < COMMON * letters(text)) return null;
  return kept.map((change) => (change.added && change.value.trim() ? element("mark", {}, change.value) : change.value));
}
