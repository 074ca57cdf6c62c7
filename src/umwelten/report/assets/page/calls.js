// The table of calls: TanStack Table sorts, filters and pages; the elements are made here, a page at a time.
const T = TanStackTable;
const numeric = (a, b, id) => a.getValue(id) - b.getValue(id);
const wordy = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const alphabetic = (a, b, id) => wordy.compare(a.getValue(id), b.getValue(id));
const equals = (row, id, value) => row.getValue(id) === value;

const COLUMNS = [
  { id: "file", title: "File", get: (c) => c.file ?? "", sort: alphabetic, show: (c) => nameOf(c) },
  { id: "model", title: "Model", get: (c) => meta.models[c.model].label, sort: alphabetic, filter: true },
  { id: "status", get: (c) => (c.kind ? "failed" : "succeeded"), hidden: true, filter: true },
  { id: "kind", get: (c) => c.kind ?? "", hidden: true, filter: true },
  { id: "outcome", get: () => "", hidden: true, filter: ofOutcome },
  ...fieldColumns(numeric, alphabetic),
  { id: "time", title: "Time", get: (c) => c.time, sort: numeric, show: (c) => seconds(c.time), number: true },
  { id: "out", title: "Tokens out", get: (c) => c.out, sort: numeric, show: (c) => tokens(c.out), number: true },
  { id: "cost", title: "Cost", get: (c) => c.cost, sort: numeric, show: (c) => money(c.cost), number: true },
  ...scorers.map((one) => ({ id: `score-${one.n}`, slot: one.n, title: one.name, get: (c) => scoreOf(c, one.n)?.[VALUE], sort: numeric, show: (c) => badge(scoreOf(c, one.n)) })),
  { id: "text", title: "Answer", get: (c) => c.text, sort: alphabetic, show: (c) => oneLine(c.text, 170), hidden: shaped },
];
// Of the scorers, the chosen one.
const shownColumns = () => COLUMNS.filter((column) => !column.hidden && (column.slot === undefined || column.slot === scorer));

const table = T.constructTable({
  features: T.tableFeatures({
    coreReactivityFeature: T.storeReactivityBindings(),
    rowSortingFeature: T.rowSortingFeature,
    sortedRowModel: T.createSortedRowModel(),
    columnFilteringFeature: T.columnFilteringFeature,
    globalFilteringFeature: T.globalFilteringFeature,
    filteredRowModel: T.createFilteredRowModel(),
    rowPaginationFeature: T.rowPaginationFeature,
    paginatedRowModel: T.createPaginatedRowModel(),
  }),
  data: calls,
  columns: COLUMNS.map((column) => ({
    id: column.id,
    accessorFn: (call) => column.get(call) ?? undefined,
    sortFn: column.sort,
    sortUndefined: "last",
    sortDescFirst: false,
    filterFn: column.filter === true ? equals : column.filter || undefined,
  })),
  // Asked of one column alone: it looks at the whole call.
  getColumnCanGlobalFilter: (column) => column.id === "text",
  globalFilterFn: (row, _, words) => words.every((word) => haystack(row.original).includes(word)),
  initialState: { pagination: { pageIndex: 0, pageSize: 50 } },
});

const hay = new Array(calls.length);
const haystack = (call) =>
  (hay[call.n] ??= `${call.file ?? ""}\n${meta.models[call.model].label}\n${call.kind ?? ""}\n${call.text}${found(call)}${scoreWords(call)}`.toLowerCase());
const found = (call) => (call.data ? `\n${wordsOf(call)}\n${(call.marks || []).join(" ")}` : `\n${call.kept || ""}`);
const scoreWords = (call) =>
  (call.scores ?? []).map((entry) => [entry[LABEL], entry[REASON], entry[MESSAGE]].filter(Boolean).join("\n")).concat(distinct(call)).filter(Boolean).map((text) => `\n${text}`).join("");

const opened = new Set();

// With the columns of a schema the list scrolls sideways, by keyboard too.
if (shaped) byId("list")?.setAttribute("tabindex", "0");

function drawList() {
  const sorting = table.atoms.sorting.get()[0];
  const head = element("tr", {}, ...shownColumns().map((column) => heading(column, sorting)));
  const body = element("tbody");
  for (const row of table.getRowModel().rows) {
    body.append(line(row.original));
    if (opened.has(row.original.n)) body.append(detail(row.original));
  }
  byId("list").replaceChildren(element("table", { class: shaped ? "calls shaped" : "calls" }, element("thead", {}, head), body));
}

function heading(column, sorting) {
  const own = sorting?.id === column.id;
  const state = own ? (sorting.desc ? "descending" : "ascending") : "none";
  const turn = () => {
    table.setSorting(!own ? [{ id: column.id, desc: false }] : sorting.desc ? [] : [{ id: column.id, desc: true }]);
    table.setPageIndex(0);
    draw();
    byId("list").querySelector(`button[data-sort="${column.id}"]`).focus();
  };
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, own ? (sorting.desc ? "↓" : "↑") : "");
  const button = element("button", { type: "button", "data-sort": column.id, onclick: turn }, column.title, arrow);
  return element("th", { scope: "col", "aria-sort": state, class: column.number ? "n" : column.slot === undefined ? null : "score-of" }, button);
}

function line(call) {
  const open = opened.has(call.n);
  const opener = element(
    "button",
    { type: "button", class: "opener", "aria-expanded": String(open), "data-call": call.n },
    picture(call, 40),
    element("span", {}, nameOf(call)),
  );
  const without = shaped && !call.data;
  const columns = shownColumns().filter((column) => !without || !column.field || column.id === "field-0");
  const cells = columns.map((column) => {
    if (column.id === "file") return element("th", { scope: "row" }, opener);
    if (without && column.field) return element("td", { class: "field spread", colspan: meta.fields.length }, ...words(call));
    const content = column.id === "text" ? words(call) : [(column.show ?? column.get)(call)];
    const kind = column.field ? `field ${column.number ? "n" : column.field}` : column.number ? "n" : column.slot === undefined ? column.id : "score-of";
    return element("td", { class: kind, "data-label": column.title }, ...content);
  });
  const row = element("tr", { class: call.kind ? "call failed" : "call" }, ...cells);
  row.addEventListener("click", (event) => {
    if (!String(getSelection()) && !event.target.closest("a")) toggle(call, row, opener);
  });
  return row;
}

const words = (call) => (call.kind ? failed(call) : [oneLine(call.text, 170)]);
const failed = (call) => [element("span", { class: "kindof" }, kindInWords(call.kind)), " ", oneLine(call.text, 150)];

function toggle(call, row, opener) {
  const open = !opened.delete(call.n);
  if (open) {
    opened.add(call.n);
    row.after(detail(call));
  } else {
    row.nextElementSibling.remove();
  }
  opener.setAttribute("aria-expanded", String(open));
}

const detail = (call) => element("tr", { class: "opened" }, element("td", { colspan: shownColumns().length }, detailOf(call, "")));

function detailOf(call, before) {
  const swap = element(
    "button",
    { type: "button", class: "quiet", onclick: () => { rendered = !rendered; draw(); } },
    rendered ? "Show as written" : "Show formatted",
  );
  const top = element("p", { class: "facts" }, before, facts(call), " ", call.kind || call.data ? null : swap);
  const parts = call.data
    ? [element("div", {}, top, record(call)), element("div", {}, element("p", { class: "facts" }, "As it was answered"), answer(call), cutNote(call))]
    : [element("div", {}, top, answer(call), cutNote(call))];
  return element("div", { class: "detail" }, picture(call, 320), ...parts, scoreDetail(call));
}
