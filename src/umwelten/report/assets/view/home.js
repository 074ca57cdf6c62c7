// All evaluations: those that run first. Rows change as they do.
import { follow, get } from "./api.js";
import { age, badge, element, fill, oneLine, spent, table, visible } from "./dom.js";
import { address, go } from "./place.js";

const MOST = 300; // rows that are drawn; the search finds the others

export async function home(main, place, context) {
  const found = await get("/api/home", {}, context.signal);
  const rows = new Map(found.evaluations.map((row) => [row.id, row]));
  let words = place.params.q ?? "";
  const search = element("input", {
    type: "search", id: "search", "data-search": true, value: words, placeholder: "id, model, tag, prompt",
  });
  const body = element("tbody");
  const count = element("p", { class: "note", role: "status", id: "found" });
  const list = table("Evaluations",
    ["Evaluation", "Status", "#Answered", "#Failed", "#Spent", "Models", "Last change"], [], { class: "home" });
  list.querySelector("tbody").replaceWith(body);

  function draw() {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const sorted = [...rows.values()].filter((row) => wanted.every((word) => textOf(row).includes(word))).sort(byTime);
    const focused = document.activeElement?.dataset?.row;
    fill(body, ...sorted.slice(0, MOST).map(line));
    if (focused) body.querySelector(`[data-row="${CSS.escape(focused)}"]`)?.focus();
    const hidden = sorted.length > MOST ? `, the latest ${grouped(MOST)} are shown` : "";
    count.textContent = rows.size ? `${sorted.length === rows.size ? "" : `${grouped(sorted.length)} of `}${counted(rows.size, "evaluation")} in ${found.folder}${hidden}` : "";
    empty.hidden = rows.size > 0;
  }
  const empty = element("p", {}, `No evaluations in ${found.folder} yet. `, element("code", {}, "umwelten eval run"), " makes the first one; it appears here by itself.");
  let waiting = null;
  const soon = () => { waiting ??= requestAnimationFrame(() => { waiting = null; draw(); }); };
  search.addEventListener("input", () => {
    words = search.value;
    go(address("home", null, { q: words }), { replace: true, quiet: true });
    draw();
  });
  fill(main,
    element("h1", { tabindex: "-1" }, "Evaluations"),
    element("div", { class: "controls" }, element("label", { class: "grow" }, "Search ", search)),
    count, empty, list);
  draw();
  follow("/api/events", {
    evaluation: (row) => { rows.set(row.id, row); soon(); },
    gone: ({ id }) => { rows.delete(id); soon(); },
  }, context.signal, context.live);
  const ticking = setInterval(soon, 30000);
  context.signal.addEventListener("abort", () => clearInterval(ticking));
  return { title: "Evaluations", refresh: draw };
}

const textOf = (row) =>
  [row.id, ...(row.head?.models ?? []), ...(row.head?.tags ?? []), row.head?.prompt ?? "", row.problem ?? ""].join(" ").toLowerCase();

const at = (row) => row.head?.seen_at ?? row.changed_at;
const byTime = (a, b) => Number(Boolean(b.head?.running)) - Number(Boolean(a.head?.running)) || at(b) - at(a) || (a.id < b.id ? -1 : 1);

function line(row) {
  const { head, totals } = row;
  const link = element("a", { href: address("evaluation", row.id), "data-row": row.id }, visible(row.id));
  if (row.problem) {
    return element("tr", { class: "failed" }, element("th", { scope: "row" }, link),
      element("td", { colspan: 5 }, element("span", { class: "badge interrupted" }, "unreadable"), " ", visible(row.problem)),
      element("td", {}, age(row.changed_at)));
  }
  const tags = head.tags.map((tag) => element("span", { class: "tag" }, visible(tag)));
  const of = row.of ? element("small", {}, `judges ${visible(row.of)} · `) : null;
  return element("tr", {},
    element("th", { scope: "row" }, link, " ", tags, element("small", { class: "below" }, of, oneLine(head.prompt, 90))),
    element("td", {}, badge(head, totals)),
    element("td", { class: "n" }, totals ? `${grouped(totals.succeeded)} of ${grouped(totals.calls)}` : "…", progress(totals)),
    element("td", { class: totals?.failed ? "n bad" : "n" }, totals ? grouped(totals.failed) : "…"),
    element("td", { class: "n" }, totals ? spent(totals) : "…"),
    element("td", { class: "models" }, oneLine(head.models.slice(0, 3).join(", "), 70), head.models.length > 3 ? ` +${head.models.length - 3}` : ""),
    element("td", { title: new Date(head.seen_at * 1000).toLocaleString() }, head.running ? "now" : age(head.seen_at)));
}

export function progress(totals) {
  if (!totals?.calls) return null;
  const done = totals.succeeded + totals.failed;
  return element("progress", { max: totals.calls, value: done, "aria-label": `${percent(done / totals.calls)} done` });
}
