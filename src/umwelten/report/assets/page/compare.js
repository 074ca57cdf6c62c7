// Side by side: an article a file, a column a model, what differs from the chosen model's answer marked.
const COMPARED = 4000;
const EXCERPT = 700;
const GROUPS = 20;
// Models that fit beside each other on a desktop; more go on below.
const ABREAST = 4;
let reference = 0;
let differing = false;
let group = 0;
// The models that are shown, by number.
const compared = new Set(meta.models.map((model) => model.n));

const normal = (text) => text.split(/\s+/).filter(Boolean).join(" ");
const sameness = (call) => (call.same ??= normal(wordsOf(call)));

const groups = new Map();
for (const call of calls) {
  const key = call.file ?? "";
  if (!groups.has(key)) groups.set(key, []);
  groups.get(key).push(call);
}

const good = (members) => members.filter((call) => !call.kind);
const ofModel = (members, n) => members.filter((call) => call.model === n);
const chosen = (members) => members.filter((call) => compared.has(call.model));

// Whether all answers of the models that are shown are the same; null with fewer than two.
function agree(members) {
  const [first, ...others] = good(chosen(members));
  return others.length ? others.every((call) => sameness(call) === sameness(first)) : null;
}

function matching() {
  const keys = new Set();
  for (const row of table.getPrePaginatedRowModel().rows) keys.add(row.original.file ?? "");
  return [...keys].map((key) => groups.get(key));
}

function drawCompare() {
  const all = matching();
  const found = differing ? all.filter((members) => agree(members) === false) : all;
  const size = onPaper ? PRINTED : GROUPS;
  group = Math.min(group, Math.max(Math.ceil(found.length / size) - 1, 0));
  const shown = found.slice(group * size, (group + 1) * size);
  byId("consistency").replaceChildren(consistency(all));
  byId("compare").replaceChildren(...shown.map(sideBySide));
  return found.length;
}

// How often repeats, and models, say the same, over all files that the filters leave.
function consistency(found) {
  const share = (all) => {
    const told = all.filter((one) => one !== null);
    return told.length ? `${grouped(told.filter(Boolean).length)} of ${counted(told.length, "input")} (${percent(told.filter(Boolean).length / told.length)})` : null;
  };
  const alike = (list) => (list.length > 1 ? list.every((call) => sameness(call) === sameness(list[0])) : null);
  const models = meta.models.filter((model) => compared.has(model.n));
  const rows = [];
  if (models.length > 1) {
    const firsts = found.map((members) => alike(models.map((model) => good(ofModel(members, model.n))[0]).filter(Boolean)));
    rows.push(["all models, first answers", share(firsts)]);
  }
  if (repeated) for (const model of models) rows.push([`repeats of ${model.label}`, share(found.map((members) => alike(good(ofModel(members, model.n)))))]);
  const told = rows.filter(([, words]) => words);
  if (!told.length) return "";
  return element("dl", { class: "consistency" }, element("dt", {}, "Same answer"), ...told.map(([name, words]) => element("dd", {}, element("b", {}, words), ` ${name}`)));
}

function sideBySide(members) {
  const agreed = agree(members);
  const word = agreed === null ? null : agreed ? "same answer" : "answers differ";
  const chip = word && element("span", { class: agreed ? "chip same" : "chip" }, word);
  const title = element("h3", {}, picture(members[0], 72), element("span", {}, members[0].file ?? "prompt alone"), chip);
  const against = good(ofModel(members, reference))[0];
  const cells = meta.models.filter((model) => compared.has(model.n)).map((model) => answersOf(model, ofModel(members, model.n), against));
  return element("article", { class: "pair" }, title, scoring && expected(members[0]), element("div", { class: cells.length > ABREAST ? "answers" : "answers few" }, ...cells));
}

// A model's answers to one input: repeats that say the same are shown once.
function answersOf(model, members, against) {
  const name = element("h4", {}, dot(model.n), model.label, model.n === reference ? element("em", {}, " compared with") : null);
  if (!members.length) return element("div", { class: "answer" }, name, element("p", { class: "note" }, "pending"));
  const kinds = new Map();
  for (const call of members) {
    const key = call.kind ? `\n${call.kind}` : sameness(call);
    if (!kinds.has(key)) kinds.set(key, []);
    kinds.get(key).push(call);
  }
  const sorted = [...kinds.values()].sort((a, b) => b.length - a.length);
  const most = sorted.find((list) => !list[0].kind);
  const answered = good(members).length;
  if (answered > 1) name.append(element("small", {}, ` ${most.length > 1 ? `${most.length} of ${members.length} the same` : `${answered} answers, all different`}`));
  return element("div", { class: members.every((call) => call.kind) ? "answer failed" : "answer" }, name, ...sorted.flatMap((list) => oneAnswer(list, members.length, against)));
}

function oneAnswer(list, all, against) {
  const [call] = list;
  const body = element("div", { class: "words" });
  const repeats = all > 1 ? `${list.length > 1 ? "repeats" : "repeat"} ${list.map((one) => one.repeat).join(", ")} · ` : "";
  const unlike = call.kind ? body.append(...failed(call)) : fillWords(body, call, against);
  const open = onPaper ? null : element("button", { type: "button", class: "quiet", "aria-label": `Open ${nameOf(call)}, ${meta.models[call.model].label}`, onclick: () => show(call) }, "open");
  return [body, cutNote(call), badges(call), element("p", { class: "facts" }, unlike ? "little in common · " : "", repeats, brief(call), " ", open)];
}

const brief = (call) => [seconds(call.time), `${tokens(call.out)} tokens`, call.cost == null ? null : money(call.cost), ...(call.marks || [])].filter(Boolean).join(" · ");

// True if the answer has too little in common with the other for marks to help.
function fillWords(body, call, against) {
  const long = wordsOf(call).length > EXCERPT;
  let unlike = false;
  const fill = (all) => {
    const width = onPaper ? LONG : all ? COMPARED : EXCERPT;
    const shown = textOf(call, width);
    unlike = Boolean(against && against !== call && mark(shown, call, textOf(against, width)) === null);
    const rest = !onPaper && long && !all ? "…" : wordsOf(call).slice(width);
    body.replaceChildren(shown, rest, ...(long && !onPaper ? [" ", more(all, fill)] : []));
  };
  fill(false);
  return unlike;
}

const more = (all, fill) =>
  element("button", { type: "button", class: "quiet", onclick: () => fill(!all) }, all ? "less" : "more");

// An answer as elements: formatted, or as it was written.
function textOf(call, width) {
  const text = wordsOf(call).slice(0, width);
  const body = call.data || !rendered ? null : formatted(text);
  return body ?? element("div", { class: "plainly" }, text);
}

const COMMON = 0.3;
// Letters of an answer so short that it needs no word on what it has in common.
const FEW = 40;
const letters = (text) => text.replace(/\s+/g, "").length;

// Marks the words that the other answer has not, in their place. Null if less than COMMON of its letters are
// the other's too.
function mark(shown, call, other) {
  const text = shown.textContent;
  if (!text.trim() || call.kind) return true;
  const changes = Diff.diffWordsWithSpace(other.textContent, text, { maxEditLength: 2000 });
  if (!changes) return null;
  const kept = changes.filter((change) => !change.removed);
  const common = kept.reduce((sum, change) => sum + (change.added ? 0 : letters(change.value)), 0);
  if (common < COMMON * letters(text)) return letters(text) < FEW ? true : null;
  const ranges = [];
  let at = 0;
  for (const change of kept) {
    if (change.added && change.value.trim()) ranges.push([at, at + change.value.length]);
    at += change.value.length;
  }
  paintRanges(shown, ranges);
  return true;
}

// Wraps ranges of the text, which may go across elements.
function paintRanges(shown, ranges) {
  const walker = document.createTreeWalker(shown, NodeFilter.SHOW_TEXT);
  const nodes = [];
  for (let at = 0; walker.nextNode(); at += walker.currentNode.data.length) nodes.push([walker.currentNode, at]);
  for (const [node, start] of nodes) {
    const end = start + node.data.length;
    const own = ranges.filter(([from, to]) => from < end && to > start);
    // From the last to the first, so that places before stay.
    for (const [from, to] of own.reverse()) {
      const middle = node.splitText(Math.max(from - start, 0));
      middle.splitText(Math.min(to, end) - Math.max(from, start));
      if (!middle.data.trim()) continue;
      const made = element("mark");
      middle.replaceWith(made);
      made.append(middle);
    }
  }
}
