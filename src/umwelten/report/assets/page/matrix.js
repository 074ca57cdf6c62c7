// The matrix: a row a file, a column a model, a cell its score. With one model, a column a scorer.
const FILES = 50;
const single = meta.models.length === 1;
let matrixPage = 0;
let order = { by: null, desc: false };
let at = [0, 0];
const unfolded = new Map();

const matrixColumns = () =>
  single
    ? scorers.map((one) => ({ title: one.name, model: meta.models[0], slot: one.n }))
    : meta.models.map((model) => ({ title: model.label, model, slot: scorer }));

const keyOf = (column) => (single ? column.slot : column.model.n);

function matchingFiles(columns) {
  const found = [...new Set(table.getPrePaginatedRowModel().rows.map((row) => row.original.of))].filter(Boolean);
  found.sort((a, b) => a.n - b.n);
  if (order.by === null) return found;
  const value = {
    file: (file) => file.call.file ?? "",
    spread: (file) => spread(file, scorer),
  }[order.by] ?? ((file) => cellOf(file, columns[order.by].model.n, columns[order.by].slot).mean);
  const compare = order.by === "file" ? wordy.compare : (a, b) => a - b;
  const known = found.map((file) => [value(file), file]);
  return known
    .sort(([a], [b]) => (a === undefined || b === undefined ? (a === undefined) - (b === undefined) : compare(a, b) * (order.desc ? -1 : 1)))
    .map(([, file]) => file);
}

function drawMatrix() {
  const columns = matrixColumns();
  const found = matchingFiles(columns);
  const size = onPaper ? PRINTED : FILES;
  matrixPage = Math.min(matrixPage, Math.max(Math.ceil(found.length / size) - 1, 0));
  const shown = found.slice(matrixPage * size, (matrixPage + 1) * size);
  const head = element("tr", {}, matrixHeading("File", "file"), ...columns.map((column, n) => matrixHeading(column.title, n)), single ? null : matrixHeading("Spread", "spread"));
  const body = element("tbody", {}, ...shown.flatMap((file, n) => matrixRow(file, n, columns)));
  const name = single ? "Scores by file and scorer" : `Scores by ${scorers[scorer].name}, by file and model`;
  const grid = element("table", { class: single ? "matrix single" : "matrix", "aria-label": `${name}; arrow keys move` }, element("thead", {}, head), body);
  grid.addEventListener("keydown", steer);
  const legend = element("p", { class: "legend", "aria-hidden": "true" }, element("span", { class: "scale" }, ...[0, 2, 4, 5, 6, 8, 10].map((n) => element("i", { class: `v${n}` }))), "0 to 1 · ✓ passed · ✗ failed", repeated ? " · ≈ repeats disagree" : "");
  byId("matrix").replaceChildren(legend, element("div", { class: "across" }, grid));
  at = [Math.min(at[0], shown.length - 1), Math.min(at[1], columns.length - 1)];
  cellAt(...at)?.setAttribute("tabindex", "0");
  return found.length;
}

function matrixHeading(title, by) {
  const own = order.by === by;
  const state = own ? (order.desc ? "descending" : "ascending") : "none";
  // The files that tell most come first: the worst of a model, the widest spread.
  const first = by === "spread";
  const turn = () => {
    order = !own ? { by, desc: first } : order.desc === first ? { by, desc: !first } : { by: null, desc: false };
    matrixPage = 0;
    draw();
    byId("matrix").querySelector(`[data-by="${by}"]`).focus();
  };
  const arrow = element("span", { class: "arrow", "aria-hidden": "true" }, own ? (order.desc ? "↓" : "↑") : "");
  const button = element("button", { type: "button", "data-by": by, onclick: turn }, title, arrow);
  return element("th", { scope: "col", "aria-sort": state, class: by === "spread" ? "n" : null }, button);
}

function matrixRow(file, n, columns) {
  const open = unfolded.get(file);
  const cells = columns.map((column, m) => matrixCell(file, column, n, m, open === keyOf(column)));
  const range = spread(file, scorer);
  const last = single ? null : element("td", { class: "n" }, range === undefined ? "–" : shareText(range));
  const title = element("div", { class: "of-file" }, picture(file.call, 40), element("span", {}, file.call.file ?? "prompt alone"));
  const row = element("tr", {}, element("th", { scope: "row" }, title), ...cells, last);
  const column = columns.find((one) => keyOf(one) === open);
  return column ? [row, cellDetail(file, column, columns.length + 2)] : [row];
}

function matrixCell(file, column, n, m, open) {
  const cell = cellOf(file, column.model.n, column.slot);
  const button = element(
    "button",
    { type: "button", tabindex: "-1", "data-row": n, "data-column": m, "aria-expanded": String(open), "aria-label": spoken(file, column, cell), onclick: () => unfold(file, column, n, m) },
    ...inCell(cell, scorers[column.slot]),
  );
  const kind = cell.scored ? shade(cell.mean) : "none";
  return element("td", { class: `cell ${kind}` }, button);
}

function inCell(cell, by) {
  if (!cell.scored) return [kinds.get(cell.kind) ?? cell.kind];
  const pass = cell.judged ? sign(cell.passes * 2 > cell.judged) : "";
  const plainly = pass && !by.graded && (cell.mean === 0 || cell.mean === 1);
  const words = [pass, plainly ? "" : shareText(cell.mean), cell.unsteady ? "≈" : ""].filter(Boolean).join(" ");
  return [words, cell.scored < cell.calls ? element("small", {}, ` ${cell.scored} of ${cell.calls}`) : ""];
}

function spoken(file, column, cell) {
  const words = !cell.scored
    ? [`unscored, ${kinds.get(cell.kind) ?? cell.kind}`]
    : [shareText(cell.mean), cell.judged ? `${cell.passes} of ${cell.judged} passed` : null, cell.unsteady ? "repeats disagree" : null];
  return `${file.call.file ?? "prompt alone"}, ${column.title}: ${words.filter(Boolean).join(", ")}`;
}

const cellAt = (row, column) => byId("matrix").querySelector(`[data-row="${row}"][data-column="${column}"]`);

function unfold(file, column, n, m) {
  if (unfolded.get(file) === keyOf(column)) unfolded.delete(file);
  else unfolded.set(file, keyOf(column));
  at = [n, m];
  draw();
  cellAt(n, m).focus({ preventScroll: true });
}

function cellDetail(file, column, width) {
  const members = file.calls[column.model.n];
  const name = element("h3", {}, single ? null : dot(column.model.n), column.model.label);
  const shown = members.length ? members.map((call) => detailOf(call, repeated ? `${call.repeat}: ` : "")) : [element("p", { class: "note" }, "pending")];
  return element("tr", { class: "opened" }, element("td", { colspan: width }, element("div", { class: "sheet" }, name, ...shown)));
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Tab comes to one cell; from there on arrows move.
function steer(event) {
  const from = event.target.closest("[data-column]");
  const step = STEPS[event.key];
  if (!from || !step) return;
  const to = cellAt(Number(from.dataset.row) + step[0], Number(from.dataset.column) + step[1]);
  event.preventDefault();
  if (!to) return;
  from.setAttribute("tabindex", "-1");
  to.setAttribute("tabindex", "0");
  at = [Number(to.dataset.row), Number(to.dataset.column)];
  to.focus();
}
