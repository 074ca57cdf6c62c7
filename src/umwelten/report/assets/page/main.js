// Controls, printing.
const PRINTED = 500;
const CHOSEN = 4;
let view = scoring ? "matrix" : "list";

// --- plots ---

function keep(drawnPlot, id) {
  if (!drawnPlot) byId(id).closest("figure").remove();
  return drawnPlot;
}

if (![keep(spreadPlot(), "plot-spread"), keep(servicePlot(), "plot-service")].some(Boolean)) byId("plots").remove();
if (!timelinePlots() && !byId("time").querySelector("table")) byId("time").remove();

let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) requestAnimationFrame(repaint);
  width = innerWidth;
});

// --- calls ---

function draw() {
  if (!byId("answers")) return;
  const matches = table.getPrePaginatedRowModel().rows.length;
  const comparing = view === "compare";
  for (const name of ["list", "compare", "matrix"]) {
    byId(name).hidden = name !== view;
    byId(`view-${name}`)?.setAttribute("aria-pressed", String(name === view));
  }
  document.querySelectorAll(".compare-only").forEach((one) => { one.hidden = !comparing; });
  byId("columns").hidden = view !== "list";
  const shown = { compare: drawCompare, matrix: drawMatrix }[view]?.();
  if (view === "list") drawList();
  const all = matches === calls.length ? counted(calls.length, "call") : `${grouped(matches)} of ${counted(calls.length, "call")}`;
  const some = comparing && compared.size < meta.models.length ? `${compared.size} of ${counted(meta.models.length, "model")}` : null;
  const found = view === "list" ? all : [counted(shown, "file"), some, all].filter(Boolean).join(", ");
  byId("found").textContent = [found, wrongPattern, notes()].filter(Boolean).join(". ");
  if (comparing) drawPages(group, Math.ceil(shown / (onPaper ? PRINTED : GROUPS)), (page) => { group = page; });
  else if (view === "matrix") drawPages(matrixPage, Math.ceil(shown / (onPaper ? PRINTED : FILES)), (page) => { matrixPage = page; });
  else drawPages(table.atoms.pagination.get().pageIndex, table.getPageCount(), (page) => table.setPageIndex(page));
  noteAddress();
}

function notes() {
  const parts = [];
  if (meta.calls > calls.length) parts.push(`The file holds the first ${grouped(calls.length)} of ${grouped(meta.calls)} calls`);
  if (meta.cut) parts.push(`Answers are shortened to ${grouped(meta.cut)} characters here; umwelten eval show has them whole`);
  if (meta.notes?.length) parts.push(...meta.notes, "umwelten eval show has all of it");
  return parts.join(". ");
}

function drawPages(page, count, go) {
  const step = (to, title, usable) =>
    element("button", { type: "button", disabled: !usable, onclick: () => { go(to); draw(); byId("answers").scrollIntoView(); } }, title);
  const shown = count > 1
    ? [step(page - 1, "Previous", page > 0), element("span", {}, `Page ${grouped(page + 1)} of ${grouped(count)}`), step(page + 1, "Next", page < count - 1)]
    : [];
  byId("pages").replaceChildren(...shown);
}

function choose(id, column, options) {
  const select = byId(id);
  for (const [value, title] of options) select.append(element("option", { value }, title));
  select.closest("label").hidden = options.length < 2;
  const narrow = () => {
    const others = table.atoms.columnFilters.get().filter((filter) => filter.id !== column);
    table.setColumnFilters(select.value ? [...others, { id: column, value: select.value }] : others);
  };
  select.addEventListener("change", () => { narrow(); first(); });
  control(id.replace("by-", ""), () => select.value, (value) => { select.value = value; if (select.selectedIndex < 0) select.value = ""; narrow(); });
}

function first() {
  table.setPageIndex(0);
  group = 0;
  matrixPage = 0;
  draw();
}

// --- scores ---

function narrowOutcome() {
  const name = byId("by-outcome").value;
  const others = table.atoms.columnFilters.get().filter((filter) => filter.id !== "outcome");
  table.setColumnFilters(name ? [...others, { id: "outcome", value: { name, slot: scorer } }] : others);
}

function filterOutcome() {
  narrowOutcome();
  first();
}

// The outcomes that a scorer's answers have.
function offerOutcomes() {
  const select = byId("by-outcome");
  const was = select.value;
  const there = OUTCOMES.filter(([, , holds]) => calls.some((call) => holds(call, scorer)));
  select.replaceChildren(element("option", { value: "" }, "all"), ...there.map(([name, title]) => element("option", { value: name }, title)));
  select.value = there.some(([name]) => name === was) ? was : "";
}

function wireScores() {
  const turn = (event) => {
    scorer = Number(event.target.value);
    table.setSorting(table.atoms.sorting.get().filter((one) => !one.id.startsWith("score-")));
    offerOutcomes();
    filterOutcome();
  };
  const options = scorers.map((one) => element("option", { value: one.n }, one.name));
  const tabs = document.querySelector(".controls .tabs");
  tabs.before(
    element("label", { hidden: scorers.length < 2 }, "Scorer ", element("select", { id: "by-scorer", onchange: turn }, ...options)),
    element("label", {}, "Outcome ", element("select", { id: "by-outcome", onchange: filterOutcome })),
  );
  tabs.prepend(element("button", { type: "button", id: "view-matrix", onclick: () => { view = "matrix"; draw(); } }, "Scores"));
  offerOutcomes();
  control("scorer", () => (scorer ? scorers[scorer].name : ""), (name) => {
    scorer = Math.max(scorers.findIndex((one) => one.name === name), 0);
    byId("by-scorer").value = scorer;
    offerOutcomes();
  });
  control("outcome", () => byId("by-outcome").value, (name) => {
    byId("by-outcome").value = name;
    if (byId("by-outcome").selectedIndex < 0) byId("by-outcome").value = "";
    narrowOutcome();
  });
}

function wire() {
  choose("by-model", "model", meta.models.map((model) => [model.label, model.label]));
  const kinds = [...new Set(calls.map((call) => call.kind))];
  choose("by-status", "status", [...(kinds.includes(null) ? [["succeeded", "succeeded"]] : []), ...(kinds.some(Boolean) ? [["failed", "failed"]] : [])]);
  const failures = kinds.filter(Boolean).sort();
  choose("by-kind", "kind", failures.map((kind) => [kind, kindInWords(kind)]));
  COLUMNS.filter((column) => column.options?.length > 1).slice(0, CHOSEN).forEach((column) => {
    const select = element("select", { id: `by-${column.id}` }, element("option", { value: "" }, "all"));
    document.querySelector(".controls .tabs").before(element("label", {}, `${column.title} `, select));
    choose(select.id, column.id, column.options.map((option) => [option, option]));
  });
  wireSearch();
  meta.models.forEach((model) => byId("reference").append(element("option", { value: model.n }, model.label)));
  byId("reference").addEventListener("change", (event) => { reference = Number(event.target.value); draw(); });
  byId("differing").addEventListener("change", (event) => { differing = event.target.checked; first(); });
  byId("view-list").addEventListener("click", () => { view = "list"; draw(); });
  byId("view-compare").addEventListener("click", () => { view = "compare"; draw(); });
  byId("formatted").addEventListener("change", (event) => { rendered = event.target.checked; draw(); });
  if (scoring) wireScores();
  wireViews();
  wireTools();
  if (meta.models.length < 2) {
    document.querySelector(".tabs").hidden = !scoring;
    byId("view-compare").remove();
  }
}

// Words that must all be there, or a pattern between slashes.
let wrongPattern = null;

function wanted(text) {
  const pattern = /^\/(.+)\/([a-z]*)$/s.exec(text.trim());
  wrongPattern = null;
  if (pattern) {
    try { return new RegExp(pattern[1], pattern[2].replace(/[gy]/g, "")); } catch (error) { wrongPattern = error.message; }
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? words : undefined;
}

function wireSearch() {
  const field = byId("search");
  const search = () => table.setGlobalFilter(wanted(field.value));
  let waiting;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { search(); first(); }, calls.length > 5000 ? 200 : 60);
  });
  control("q", () => field.value.trim(), (value) => { field.value = value; search(); });
}

const VIEWS = ["list", "compare", "matrix"];

// What the views are set to, as far as an address says it.
function wireViews() {
  const usual = view;
  control("view", () => (view === usual ? "" : view), (name) => { view = VIEWS.includes(name) && byId(`view-${name}`) ? name : usual; });
  control("sort", () => table.atoms.sorting.get().map((one) => (one.desc ? "-" : "") + one.id).join(), (name) => {
    const id = name.replace(/^-/, "");
    table.setSorting(COLUMNS.some((column) => column.id === id) ? [{ id, desc: name.startsWith("-") }] : []);
  });
  control("columns", () => [...turned].join(), (names) => {
    turned.clear();
    names.split(",").filter((id) => COLUMNS.some((column) => column.id === id)).forEach((id) => turned.add(id));
    document.querySelectorAll("#columns input").forEach((box) => { box.checked = isShown(COLUMNS.find((column) => column.id === box.value)); });
  });
  control("models", () => (compared.size < meta.models.length ? [...compared].join() : ""), (names) => {
    const some = names.split(",").map(Number).filter((n) => names && meta.models[n]);
    compared.clear();
    (some.length ? some : meta.models.map((model) => model.n)).forEach((n) => compared.add(n));
    document.querySelectorAll("#compared input").forEach((box) => { box.checked = compared.has(Number(box.value)); });
  });
  control("against", () => (reference ? String(reference) : ""), (n) => { reference = meta.models[n] ? Number(n) : 0; byId("reference").value = reference; });
  control("differing", () => (differing ? "1" : ""), (value) => { differing = Boolean(value); byId("differing").checked = differing; });
}

const boxes = (name, options, turn) =>
  options.map(([value, title, checked]) => {
    const box = element("input", { type: "checkbox", value, checked, onchange: (event) => { turn(event.target.value, event.target.checked); draw(); } });
    return element("label", {}, box, ` ${title}`);
  });

function wireTools() {
  const all = COLUMNS.filter((column) => !column.hidden && column.id !== "file" && (column.slot === undefined || column.slot === 0));
  const columns = boxes("columns", all.map((column) => [column.id, column.slot === undefined ? column.title : "Score", isShown(column)]), (id) => {
    // The scores are one column here.
    for (const column of COLUMNS) if (column.id === id || (id.startsWith("score-") && column.slot !== undefined)) turned[turned.has(column.id) ? "delete" : "add"](column.id);
  });
  const saver = (form) => element("button", { type: "button", onclick: () => save(form, filtered()) }, form.toUpperCase());
  byId("tools-of").append(
    menu("columns", "Columns", ...columns),
    menu("export", "Export", element("p", { class: "note" }, "What the filters leave, as a file"), saver("csv"), saver("json")),
    copier("Copy link to this view", () => whole(asked())),
  );
  const models = boxes("models", meta.models.map((model) => [model.n, model.label, true]), (n, on) => { compared[on ? "add" : "delete"](Number(n)); group = 0; });
  document.querySelector(".compare-only").prepend(menu("compared", "Models", ...models));
}

// --- paper ---

addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => { one.dataset.was = one.open ? "open" : ""; one.open = true; });
  document.documentElement.dataset.theme = "light";
  onPaper = true;
  repaint();
  if (!byId("answers")) return;
  table.setPageSize(PRINTED);
  draw();
});
addEventListener("afterprint", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = one.dataset.was === "open"; });
  onPaper = false;
  setTheme(theme);
  repaint();
  if (!byId("answers")) return;
  table.setPageSize(50);
  draw();
});

byId("show-licences").addEventListener("click", () => {
  const place = byId("licence-text");
  place.textContent = byId("licences").textContent;
  place.hidden = !place.hidden;
});

if (byId("answers")) {
  wire();
  if (!calls.length) byId("answers").remove();
}
for (const [id, link] of links) if (!byId(id)) { link.remove(); links.delete(id); }
draw();
if (byId("answers")) {
  takeAddress();
  addEventListener("hashchange", takeAddress);
}
follow();
document.documentElement.dataset.ready = "yes";
