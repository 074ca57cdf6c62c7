// Controls, theme, printing.
const PRINTED = 500;
const CHOSEN = 4;
let view = scoring ? "matrix" : "list";

// --- theme ---

const THEMES = ["auto", "light", "dark"];

function remembered() {
  try { return localStorage.getItem("umwelten-theme") ?? "auto"; } catch { return "auto"; }
}

let theme = THEMES.includes(remembered()) ? remembered() : "auto";

function setTheme(name) {
  theme = name;
  document.documentElement.dataset.theme = name;
  const button = byId("theme");
  button.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[name];
  button.setAttribute("aria-label", `Colours: ${name}. Change`);
  try { localStorage.setItem("umwelten-theme", name); } catch { /* Kept for this visit only. */ }
}

setTheme(theme);
byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  repaint();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

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
  if (!byId("calls")) return;
  const matches = table.getPrePaginatedRowModel().rows.length;
  const comparing = view === "compare";
  for (const name of ["list", "compare", "matrix"]) {
    byId(name).hidden = name !== view;
    byId(`view-${name}`)?.setAttribute("aria-pressed", String(name === view));
  }
  document.querySelector(".compare-only").hidden = !comparing;
  const shown = { compare: drawCompare, matrix: drawMatrix }[view]?.();
  if (view === "list") drawList();
  const all = matches === calls.length ? counted(calls.length, "call") : `${grouped(matches)} of ${counted(calls.length, "call")}`;
  byId("found").textContent = [view === "list" ? all : `${counted(shown, "file")}, ${all}`, notes()].filter(Boolean).join(". ");
  if (comparing) drawPages(group, Math.ceil(shown / GROUPS), (page) => { group = page; });
  else if (view === "matrix") drawPages(matrixPage, Math.ceil(shown / (onPaper ? PRINTED : FILES)), (page) => { matrixPage = page; });
  else drawPages(table.atoms.pagination.get().pageIndex, table.getPageCount(), (page) => table.setPageIndex(page));
}

function notes() {
  const parts = [];
  if (meta.calls > calls.length) parts.push(`The file holds the first ${grouped(calls.length)} of ${grouped(meta.calls)} calls`);
  if (meta.cut) parts.push(`Answers are shortened to ${grouped(meta.cut)} characters here; umwelten eval show has them whole`);
  return parts.join(". ");
}

function drawPages(page, count, go) {
  const step = (to, title, usable) =>
    element("button", { type: "button", disabled: !usable, onclick: () => { go(to); draw(); byId("calls").scrollIntoView(); } }, title);
  const shown = count > 1
    ? [step(page - 1, "Previous", page > 0), element("span", {}, `Page ${grouped(page + 1)} of ${grouped(count)}`), step(page + 1, "Next", page < count - 1)]
    : [];
  byId("pages").replaceChildren(...shown);
}

function choose(id, column, options) {
  const select = byId(id);
  for (const [value, title] of options) select.append(element("option", { value }, title));
  select.closest("label").hidden = options.length < 2;
  select.addEventListener("change", () => {
    const others = table.atoms.columnFilters.get().filter((filter) => filter.id !== column);
    table.setColumnFilters(select.value ? [...others, { id: column, value: select.value }] : others);
    first();
  });
}

function first() {
  table.setPageIndex(0);
  group = 0;
  matrixPage = 0;
  draw();
}

// --- scores ---

function filterOutcome() {
  const name = byId("by-outcome").value;
  const others = table.atoms.columnFilters.get().filter((filter) => filter.id !== "outcome");
  table.setColumnFilters(name ? [...others, { id: "outcome", value: { name, slot: scorer } }] : others);
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
  let waiting;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      table.setGlobalFilter(words.length ? words : undefined);
      first();
    }, calls.length > 5000 ? 200 : 60);
  });
  meta.models.forEach((model) => byId("reference").append(element("option", { value: model.n }, model.label)));
  byId("reference").addEventListener("change", (event) => { reference = Number(event.target.value); draw(); });
  byId("differing").addEventListener("change", (event) => { differing = event.target.checked; first(); });
  byId("view-list").addEventListener("click", () => { view = "list"; draw(); });
  byId("view-compare").addEventListener("click", () => { view = "compare"; draw(); });
  if (scoring) wireScores();
  if (meta.models.length < 2) {
    document.querySelector(".tabs").hidden = !scoring;
    byId("view-compare").remove();
  }
}

addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  byId("search")?.focus();
});

// --- paper ---

addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((one) => { one.dataset.was = one.open ? "open" : ""; one.open = true; });
  document.documentElement.dataset.theme = "light";
  onPaper = true;
  repaint();
  if (!byId("calls")) return;
  table.setPageSize(PRINTED);
  draw();
});
addEventListener("afterprint", () => {
  document.querySelectorAll("details").forEach((one) => { one.open = one.dataset.was === "open"; });
  onPaper = false;
  setTheme(theme);
  repaint();
  if (!byId("calls")) return;
  table.setPageSize(50);
  draw();
});

byId("show-licences").addEventListener("click", () => {
  const place = byId("licence-text");
  place.textContent = byId("licences").textContent;
  place.hidden = !place.hidden;
});

if (byId("calls")) {
  wire();
  if (!calls.length) byId("calls").remove();
}
draw();
document.documentElement.dataset.ready = "yes";
