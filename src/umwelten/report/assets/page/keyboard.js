// Next and previous without a mouse: j and k from call to call, arrows from row to row, / to the search.
const opener = (call) => byId("list").querySelector(`.opener[data-call="${call.n}"]`);
const MODIFIED = (event) => event.ctrlKey || event.metaKey || event.altKey;

// Open a call, on whatever page of the list it is, at the top of the window.
function show(call) {
  const at = table.getPrePaginatedRowModel().rows.findIndex((row) => row.original === call);
  if (at < 0) return;
  current = call;
  opened.add(call.n);
  view = "list";
  table.setPageIndex(Math.floor(at / table.atoms.pagination.get().pageSize));
  draw();
  const button = opener(call);
  button.focus({ preventScroll: true });
  button.closest("tr").scrollIntoView({ block: "start" });
}

function step(by, from = current) {
  const rows = table.getPrePaginatedRowModel().rows;
  const at = rows.findIndex((row) => row.original === from);
  const to = rows[at < 0 ? 0 : at + by];
  if (!to) return;
  if (from) opened.delete(from.n);
  show(to.original);
}

function stepPair(by) {
  const pairs = [...document.querySelectorAll("#compare .pair")];
  const tops = pairs.map((pair) => pair.getBoundingClientRect().top - 90);
  const to = by > 0 ? pairs[tops.findIndex((top) => top > 2)] : pairs[tops.findLastIndex((top) => top < -2)];
  to?.scrollIntoView({ block: "start" });
}

function move(event, by) {
  const all = [...byId("list").querySelectorAll(".opener")];
  const to = all[all.indexOf(event.target) + by];
  if (!to) return;
  event.preventDefault();
  to.focus();
}

const KEYS = {
  j: () => (view === "compare" ? stepPair(1) : step(1)),
  k: () => (view === "compare" ? stepPair(-1) : step(-1)),
  "/": () => byId("search").focus(),
};

addEventListener("keydown", (event) => {
  if (MODIFIED(event) || !byId("answers") || event.target.closest("input, select, textarea")) return;
  const on = event.target.closest(".opener");
  if (on && event.key === "ArrowDown") move(event, 1);
  else if (on && event.key === "ArrowUp") move(event, -1);
  else if (on && opened.has(Number(on.dataset.call)) && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    event.preventDefault();
    step(event.key === "ArrowRight" ? 1 : -1, calls[on.dataset.call]);
  } else if (KEYS[event.key] && (view !== "matrix" || event.key === "/")) {
    event.preventDefault();
    KEYS[event.key]();
  }
});
