// The scores of calls, as Python embedded them, and how a reader sees one.
const [VALUE, PASS, LABEL, REASON, KIND, MESSAGE, PARTS, VERDICTS] = [0, 1, 2, 3, 4, 5, 6, 7];
const scoring = byId("call-scores") && parsed("call-scores");
byId("call-scores")?.remove();
const scorers = scoring ? scoring.scorers.map((scorer, n) => ({ ...scorer, n })) : [];
const TOTAL = scoring?.total ? scorers.length : -1;
if (scoring?.total) scorers.push({ name: "total", n: TOTAL, graded: true });
const kinds = new Map(scoring?.kinds);
const severity = [...kinds.keys()];
let scorer = 0;

// A number stands for what came before: see report/render/embedded_scores.py.
function coded(list, given) {
  if (typeof given === "number") return list[given];
  list.push(given);
  return given;
}

function takeScores() {
  const [entries, references, names] = [[], [], []];
  const next = scoring.rows.map(() => 0);
  const named = (rows) => rows?.forEach((row) => { row[0] = coded(names, row[0]); });
  for (const call of calls) {
    const evaluation = meta.models[call.model].evaluation;
    const slots = scoring.slots[evaluation];
    const row = scoring.rows[evaluation][next[evaluation]++] ?? [];
    call.scores = [];
    slots.forEach((slot, n) => {
      if (Array.isArray(row[n])) { named(row[n][PARTS]); named(row[n][VERDICTS]); }
      if (row[n] !== undefined) call.scores[slot] = coded(entries, row[n]);
    });
    const given = row.slice(slots.length).map((one) => (one === null ? null : coded(references, one)));
    call.expected = [];
    slots.forEach((slot, n) => { call.expected[slot] = (given.length > 1 ? given[n] : given[0]) || null; });
  }
  delete scoring.rows;
}
if (scoring) takeScores();

// The entry of a scorer; of the total the mean by weight, or why there is none. Undefined: never scored.
const scoreOf = (call, slot) => (slot === TOTAL ? (call.total ??= total(call)) : call.scores?.[slot]);

function total(call) {
  const evaluation = meta.models[call.model].evaluation;
  const weights = scoring.weights[evaluation];
  let [sum, all, missing] = [0, 0, null];
  scoring.slots[evaluation].forEach((slot, n) => {
    const entry = call.scores[slot];
    if (!weights[n] || !entry) return;
    if (entry[VALUE] == null) missing = gravest(missing, entry[KIND]);
    else sum += entry[VALUE] * weights[n];
    all += weights[n];
  });
  if (!all) return undefined;
  return missing ? [null, null, null, null, missing] : [Math.min(1, sum / all)];
}

const gravest = (one, other) => (one === null || severity.indexOf(other) < severity.indexOf(one) ? other : one);

// --- files: what all models, and their repeats, scored on one ---

const files = new Map();
if (scoring) {
  for (const call of calls) {
    const key = call.file ?? "";
    if (!files.has(key)) files.set(key, { n: files.size, call, calls: meta.models.map(() => []), cells: new Map() });
    call.of = files.get(key);
    call.of.calls[call.model].push(call);
  }
}

function cellOf(file, model, slot) {
  const key = slot * meta.models.length + model;
  if (!file.cells.has(key)) file.cells.set(key, summed(file.calls[model], slot));
  return file.cells.get(key);
}

function summed(members, slot) {
  const cell = { mean: undefined, scored: 0, judged: 0, passes: 0, kind: null, calls: members.length };
  let sum = 0;
  for (const call of members) {
    const entry = scoreOf(call, slot);
    if (entry?.[VALUE] == null) { cell.kind = gravest(cell.kind, entry?.[KIND] ?? "pending"); continue; }
    sum += entry[VALUE];
    cell.scored += 1;
    if (entry[PASS] != null) { cell.judged += 1; cell.passes += entry[PASS]; }
  }
  if (cell.scored) cell.mean = sum / cell.scored;
  cell.kind ??= members.length ? null : "pending";
  cell.unsteady = 0 < cell.passes && cell.passes < cell.judged;
  return cell;
}

const cellsOf = (file, slot) => meta.models.map((model) => cellOf(file, model.n, slot)).filter((cell) => cell.scored);

function spread(file, slot) {
  const means = cellsOf(file, slot).map((cell) => cell.mean);
  return means.length > 1 ? Math.max(...means) - Math.min(...means) : undefined;
}

// Most repeats of one model pass, and most of another fail; where nothing passes, the values differ as shown.
const SEEN = 0.005;
function disagree(file, slot) {
  const judged = cellsOf(file, slot).filter((cell) => cell.judged);
  if (!judged.length) return (spread(file, slot) ?? 0) >= SEEN;
  const most = (cell) => Math.sign(cell.passes * 2 - cell.judged);
  return judged.some((cell) => most(cell) > 0) && judged.some((cell) => most(cell) < 0);
}

const OUTCOMES = [
  ["fail", "failing", (call, slot) => scoreOf(call, slot)?.[PASS] === 0],
  ["pass", "passing", (call, slot) => scoreOf(call, slot)?.[PASS] === 1],
  ["unscored", "unscored", (call, slot) => scoreOf(call, slot)?.[VALUE] == null],
  ["unsteady", "unsteady: repeats disagree", (call, slot) => cellOf(call.of, call.model, slot).unsteady],
  ["disagree", "models disagree", (call, slot) => disagree(call.of, slot)],
];
const ofOutcome = (row, _, wanted) => OUTCOMES.find(([name]) => name === wanted.name)[2](row.original, wanted.slot);

// --- as a reader sees it ---

// Only what is 0 or 1 is shown as such.
const shareText = (value) => (value === 0 || value === 1 ? String(value) : Math.min(Math.max(value, 0.01), 0.99).toFixed(2));
const shade = (value) => `v${Math.round(value * 10)}`;
const sign = (pass) => (pass == null ? "" : pass ? "✓" : "✗");

function badge(entry, name) {
  const title = name ? `${name} ` : "";
  if (entry?.[VALUE] == null) return element("span", { class: "score none" }, title, kinds.get(entry?.[KIND]) ?? entry?.[KIND] ?? "pending");
  const value = element("b", {}, [sign(entry[PASS]), shareText(entry[VALUE])].filter(Boolean).join(" "));
  return element("span", { class: `score ${shade(entry[VALUE])}` }, title, value);
}

function badges(call) {
  if (!scoring) return null;
  const own = scorers.filter((one) => scoreOf(call, one.n));
  return own.length ? element("p", { class: "badges" }, ...own.map((one) => badge(scoreOf(call, one.n), one.name))) : null;
}

const distinct = (call) => [...new Set((call.expected ?? []).filter(Boolean))];

function expected(call) {
  const given = distinct(call);
  if (!given.length) return null;
  return element("p", { class: "expected" }, element("span", {}, "Expected "), oneLine(given.join(" · "), 400));
}

// Every scorer's value, what it read, its reasons, parts and verdicts.
function scoreDetail(call) {
  const own = scoring ? scorers.filter((one) => scoreOf(call, one.n)) : [];
  if (!own.length) return null;
  const references = distinct(call).flatMap((text) => [
    element("p", { class: "facts" }, distinct(call).length > 1 ? `Expected by ${namesOf(call, text)}` : "Expected"),
    element("pre", { class: "raw" }, text),
  ]);
  const rows = own.flatMap((one) => scoreRows(one, scoreOf(call, one.n)));
  const body = element("tbody", {}, ...rows);
  return element("div", {}, ...references, element("p", { class: "facts" }, "Scores"), element("table", { class: "record scores" }, body));
}

const namesOf = (call, text) => scorers.filter((one) => call.expected[one.n] === text).map((one) => one.name).join(", ");

function scoreRows(one, entry) {
  const verdicts = (entry[VERDICTS] ?? []).map(([judge, sample, criterion, value, label, reason, kind, message]) =>
    scoreRow(`${judge}${sample > 1 ? ` (${sample})` : ""}${criterion ? `: ${criterion}` : ""}`, [value, null, label, reason, kind, message], "part"));
  const parts = (entry[PARTS] ?? []).map(([name, value, label, message]) => scoreRow(name, [value, null, label, message], "part"));
  return [scoreRow(one.name, entry, one.n === TOTAL ? "sum" : null), ...parts, ...verdicts];
}

function scoreRow(name, entry, kind) {
  const label = entry[LABEL] == null ? null : element("span", { class: "read" }, `read as ${entry[LABEL]}`);
  const why = [entry[REASON], entry[MESSAGE]].filter(Boolean).map((text) => element("div", {}, text));
  return element("tr", { class: kind }, element("th", { scope: "row" }, name), element("td", {}, badge(entry)), element("td", {}, label, ...why));
}
