// Side by side: a row an input, a column a model; words that the chosen answer has not are marked.
import { evaluationPath, get } from "./api.js";
import { element, fill, inWords, visible } from "./dom.js";
import { address, go } from "./place.js";
import { select } from "./calls.js";

const COMPARED = 4000; // characters: beyond that a diff of words takes long
const EXCERPT = 700;
const COMMON = 0.3;
const KEYS = ["input", "repeat", "differing", "with", "against"];

export async function compare(main, place, context) {
  const { id } = place;
  const base = evaluationPath(id);
  let params = Object.fromEntries(KEYS.filter((name) => place.params[name]).map((name) => [name, place.params[name]]));
  const rows = element("div", { id: "rows" });
  const more = element("p", { class: "pages" });
  const reference = element("span", { id: "reference-place" });
  const differing = element("input", { type: "checkbox", id: "differing", checked: params.differing === "1", onchange: (event) => change({ differing: event.target.checked ? "1" : "" }) });
  let timer;
  const typed = (event) => { clearTimeout(timer); timer = setTimeout(() => change({ input: event.target.value, repeat: "" }), 250); };
  const others = await get("/api/home", {}, context.signal);
  const ids = others.evaluations.filter((row) => !row.problem && row.id !== id).map((row) => [row.id, visible(row.id)]);
  fill(main,
    element("h1", { tabindex: "-1" }, `Answers of ${visible(id)} side by side`),
    element("div", { class: "controls" }, reference,
      select("with", "With evaluation", [["", "this one alone"], ...ids], params.with, (value) => change({ with: value, against: "" })),
      element("label", { class: "check" }, differing, " only where answers differ"),
      element("label", { class: "grow" }, "Input ", element("input", { type: "search", id: "search", "data-search": true, value: params.input ?? "", oninput: typed, placeholder: "part of its name" }))),
    rows, more);
  function change(given) {
    params = { ...params, ...given };
    go(address("compare", id, params), { quiet: true });
    load();
  }
  let asked = 0;
  let columns = [];
  async function load(after) {
    const number = (asked += 1);
    let page;
    try {
      page = await get(`${base}/compare`, { ...params, against: "", after }, context.signal);
    } catch (error) {
      if (!context.signal.aborted) fill(rows, element("p", { class: "reason" }, error.message));
      return;
    }
    if (number !== asked) return;
    columns = page.columns;
    const against = Math.min(Number(params.against ?? 0), columns.length - 1);
    fill(reference, select("against", "Compared with", columns.map((one, n) => [String(n), titleOf(one, id, params.with)]), String(against), (value) => change({ against: value })));
    const made = page.rows.map((row) => sideBySide(row, columns, against, id, params.with));
    if (after === undefined) fill(rows, ...made); else rows.append(...made);
    if (!rows.children.length) fill(rows, element("p", {}, page.after == null ? "No such inputs." : "None in the first inputs."));
    const button = page.after == null ? "" : element("button", { type: "button", id: "more", onclick: async () => { await load(page.after); } }, "More");
    fill(more, button, page.left_out ? element("span", { class: "note" }, ` ${counted(page.left_out, "further repeat")} of each input not shown`) : "");
  }
  await load();
  return { title: `Compare ${id}`, keys: { "]": () => document.getElementById("more")?.click() } };
}

const titleOf = (column, id, other) =>
  [other ? (column.evaluation ? other : id) : null, column.model, column.prompt].filter(Boolean).map(visible).join(" › ");

function sideBySide(row, columns, against, id, other) {
  const chosen = row.answers[against];
  const chip = row.same === null ? null : element("span", { class: row.same ? "chip same" : "chip" }, row.same ? "same answer" : "answers differ");
  const cells = row.answers.map((answer, n) => {
    const owner = columns[n].evaluation ? other : id;
    const head = element("h3", {}, answer ? element("a", { href: address("call", owner, {}, answer.call), "data-row": `${owner} ${answer.call}` }, titleOf(columns[n], id, other)) : titleOf(columns[n], id, other));
    if (!answer) return element("div", { class: "answer" }, head, element("p", { class: "note" }, "pending"));
    if (answer.kind) return element("div", { class: "answer" }, head, element("p", {}, element("span", { class: "kindof" }, `${inWords(answer.kind)} `), visible(answer.text)));
    return element("div", { class: "answer" }, head, words(answer, n === against || !chosen || chosen.kind ? null : chosen));
  });
  return element("article", { class: "pair" },
    element("h2", {}, visible(row.file ?? "prompt alone"), row.repeat > 1 ? ` (${row.repeat})` : "", " ", chip),
    element("div", { class: "answers", tabindex: "0", role: "region", "aria-label": `Answers about ${visible(row.file ?? "the prompt")}` }, cells));
}

function words(answer, chosen) {
  const place = element("div", { class: "words" });
  const show = (whole) => {
    const width = whole ? COMPARED : EXCERPT;
    const pieces = marked(answer.text.slice(0, width), chosen?.text.slice(0, width));
    const rest = whole ? answer.text.slice(COMPARED) : "";
    const button = answer.text.length > EXCERPT
      ? element("button", { type: "button", class: "quiet", onclick: () => { show(!whole); place.querySelector("button")?.focus(); } }, whole ? "less" : "more") : null;
    const cut = whole && answer.length > answer.text.length ? element("p", { class: "note" }, "The call has the rest.") : null;
    fill(place, ...pieces, rest && visible(rest), !whole && answer.text.length > EXCERPT ? "… " : "", ...[button, cut].filter(Boolean));
  };
  show(false);
  return place;
}

const letters = (text) => text.replace(/\s+/g, "").length;

function marked(text, other) {
  if (other === undefined || !text) return [visible(text)];
  const changes = Diff.diffWordsWithSpace(other, text, { maxEditLength: 2000 });
  if (!changes) return [visible(text)];
  const kept = changes.filter((change) => !change.removed);
  const common = kept.reduce((sum, change) => sum + (change.added ? 0 : letters(change.value)), 0);
  if (common < COMMON * letters(text)) return [element("span", { class: "chip" }, "little in common"), " ", visible(text)];
  return kept.map((change) => (change.added && change.value.trim() ? element("mark", {}, visible(change.value)) : visible(change.value)));
}
