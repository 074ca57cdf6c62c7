// Controls, theme, printing.
const PRINTED = 500;
const CHOSEN = 4;
let view = "list";

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
  byId("list").hidden = comparing;
  byId("compare").hidden = !comparing;
  document.querySelector(".compare-only").hidden = !comparing;
  byId("view-list").setAttribute("aria-pressed", String(!comparing));
  byId("view-compare").setAttribute("aria-pressed", String(comparing));
  const files = comparing ? drawCompare() : (drawList(), 0);
  const all = matches === calls.length ? counted(calls.length, "call") : `${grouped(matches)} of ${counted(calls.length, "call")}`;
  byId("found").textContent = [comparing ? `${counted(files, "file")}, ${all}` : all, notes()].filter(Boolean).join(". ");
  if (comparing) drawPages(group, Math.ceil(files / GROUPS), (page) => { group = page; });
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
  draw();
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
  if (meta.models.length < 2) document.querySelector(".tabs").hidden = true;
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
