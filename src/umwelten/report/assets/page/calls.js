// The table of calls: TanStack Table sorts, filters and pages; the elements are made here, a page at a time.
const T = TanStackTable;
const numeric = (a, b, id) => a.getValue(id) - b.getValue(id);
const wordy = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const alphabetic = (a, b, id) => wordy.compare(a.getValue(id), b.getValue(id));
const equals = (row, id, value) => row.getValue(id) === value;

// `extra`: shown when it is chosen. A phone shows what its style sheet says, which goes by the same names.
const COLUMNS = [
  { id: "file", title: "File", get: (c) => c.file ?? "", sort: alphabetic, show: (c) => nameOf(c) },
  { id: "model", title: "Model", get: (c) => meta.models[c.model].label, sort: alphabetic, filter: true },
  { id: "status", get: (c) => (c.kind ? "failed" : "succeeded"), hidden: true, filter: true },
  { id: "kind", get: (c) => c.kind ?? "", hidden: true, filter: true },
  { id: "outcome", get: () => "", hidden: true, filter: ofOutcome },
  ...rowColumns(alphabetic),
  ...fieldColumns(numeric, alphabetic),
  ...scorers.map((one) => ({ id: `score-${one.n}`, slot: one.n, title: one.name, get: (c) => scoreOf(c, one.n)?.[VALUE], sort: numeric, show: (c) => badge(scoreOf(c, one.n)) })),
  { id: "text", title: "Answer", get: (c) => c.text, sort: alphabetic, show: (c) => oneLine(c.text, 170), extra: shaped },
  { id: "time", title: "Time", get: (c) => c.time, sort: numeric, show: (c) => seconds(c.time), number: true },
  { id: "ttft", title: "First token", get: (c) => c.ttft, sort: numeric, show: (c) => seconds(c.ttft), number: true, extra: true },
  { id: "attempts", title: "Attempts", get: (c) => c.attempts, sort: numeric, show: (c) => grouped(c.attempts), number: true, extra: true },
  { id: "in", title: "Tokens in", get: (c) => c.in, sort: numeric, show: (c) => tokens(c.in), number: true, extra: true },
  { id: "out", title: "Tokens out", get: (c) => c.out, sort: numeric, show: (c) => tokens(c.out), number: true },
  { id: "cost", title: "Cost", get: (c) => c.cost, sort: numeric, show: (c) => money(c.cost), number: true },
  { id: "finish", title: "Ended by", get: (c) => c.finish ?? "", sort: alphabetic, show: (c) => kindInWords(c.finish ?? ""), extra: true },
];
// In address and menu: those that are not as at first.
const turned = new Set();
const isShown = (column) => !column.hidden && Boolean(column.extra) === turned.has(column.id) && !(onPaper && column.id === "text");
// Of the scorers, the chosen one.
const shownColumns = () => COLUMNS.filter((column) => isShown(column) && (column.slot === undefined || column.slot === scorer));

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
  globalFilterFn: (row, _, wanted) =>
    wanted instanceof RegExp ? wanted.test(raw(row.original)) : wanted.every((word) => haystack(row.original).includes(word)),
  initialState: { pagination: { pageIndex: 0, pageSize: 50 } },
});

const hay = new Array(calls.length);
const haystack = (call) => (hay[call.n] ??= raw(call).toLowerCase());
const raw = (call) =>
  `${call.file ?? ""}\n${meta.models[call.model].label}\n${call.kind ?? ""}\n${call.text}${found(call)}${scoreWords(call)}${rowWords(call)}`;
const found = (call) => (call.data ? `\n${wordsOf(call)}\n${(call.marks || []).join(" ")}` : `\n${call.kept || ""}`);
const scoreWords = (call) =>
  (call.scores ?? []).map((entry) => [entry[LABEL], entry[REASON], entry[MESSAGE]].filter(Boolean).join("\n")).concat(distinct(call)).filter(Boolean).map((text) => `\n${text}`).join("");

const opened = new Set();

function drawList() {
  const sorting = table.atoms.sorting.get()[0];
  const columns = shownColumns();
  const head = element("tr", {}, ...columns.map((column) => heading(column, sorting)));
  const body = element("tbody");
  for (const row of table.getRowModel().rows) {
    body.append(line(row.original));
    if (onPaper || opened.has(row.original.n)) body.append(detail(row.original));
  }
  const wide = shaped || columns.length > 7;
  // What scrolls sideways can be reached by keyboard.
  byId("list").toggleAttribute("data-wide", wide);
  if (wide) byId("list").setAttribute("tabindex", "0");
  else byId("list").removeAttribute("tabindex");
  byId("list").replaceChildren(element("table", { class: wide ? "calls shaped" : "calls" }, element("thead", {}, head), body));
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
  const kind = column.number ? " n" : column.slot === undefined ? "" : " score-of";
  return element("th", { scope: "col", "aria-sort": state, class: `c-${column.slot === undefined ? column.id : "score"}${kind}` }, button);
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
  const fields = shownColumns().filter((column) => column.id.startsWith("field-"));
  const columns = shownColumns().filter((column) => !without || !fields.includes(column) || column === fields[0]);
  const cells = columns.map((column) => {
    if (column.id === "file") return element("th", { scope: "row" }, opener);
    if (without && column === fields[0]) return element("td", { class: "field spread", colspan: fields.length }, ...words(call));
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

function toggle(call, row, button) {
  const open = !opened.delete(call.n);
  if (open) {
    opened.add(call.n);
    row.after(detail(call));
    current = call;
  } else {
    row.nextElementSibling.remove();
    if (current === call) current = null;
  }
  button.setAttribute("aria-expanded", String(open));
  noteAddress();
}

const detail = (call) => element("tr", { class: "opened" }, element("td", { colspan: shownColumns().length }, detailOf(call, "")));
