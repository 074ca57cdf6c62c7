// All calls of an evaluation, a page at a time; filters and place are in the address.
import { evaluationPath, follow, get } from "./api.js";
import { element, fill, inWords, oneLine, table, visible } from "./dom.js";
import { address, go } from "./place.js";

export const FILTERS = ["model", "prompt", "status", "kind", "input", "q", "sort"];
export const filtersOf = (params) => Object.fromEntries(FILTERS.filter((name) => params[name]).map((name) => [name, params[name]]));
const SORTS = [
  ["", "file and model"], ["-ended", "latest first"], ["ended", "earliest first"], ["-duration", "slowest first"],
  ["duration", "quickest first"], ["-cost", "dearest first"], ["cost", "cheapest first"],
];
const TYPING_MS = 250;
const KINDS_MS = 1200;

export function select(id, title, options, value, change) {
  const made = element("select", { id, onchange: (event) => change(event.target.value) },
    options.map(([name, text]) => element("option", { value: name, selected: name === (value ?? "") }, text)));
  return element("label", { hidden: options.length < 2 }, `${title} `, made);
}

export async function calls(main, place, context) {
  const { id } = place;
  const base = evaluationPath(id);
  let params = { ...place.params };
  const first = get(`${base}/calls`, params, context.signal);
  first.catch(() => {}); // told where it is waited for
  const found = await get(base, {}, context.signal);
  const { head } = found;
  const list = element("div", { id: "list" });
  const pager = element("nav", { class: "pages", "aria-label": "Pages" });
  const count = element("p", { class: "note", role: "status", id: "found" });
  let page = null;
  let asked = 0;

  const typed = (name) => {
    let timer;
    return (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => change(name, event.target.value), TYPING_MS);
    };
  };
  const controls = element("div", { class: "controls" },
    select("by-model", "Model", [["", "all"], ...head.models.map((name) => [name, visible(name)])], params.model, (value) => change("model", value)),
    select("by-prompt", "Prompt", [["", "all"], ...head.prompts.map((name) => [name, visible(name)])], params.prompt, (value) => change("prompt", value)),
    select("by-status", "Status", [["", "all that ended"], ["succeeded", "answered"], ["failed", "failed"], ["pending", "pending"]], params.status, (value) => change("status", value)),
    element("span", { id: "kinds" }),
    select("by-sort", "Sorted", SORTS, params.sort, (value) => change("sort", value)),
    head.type === "batch" ? element("label", {}, "Input ", element("input", { type: "search", id: "by-input", value: params.input ?? "", oninput: typed("input"), placeholder: "part of its name" })) : null,
    element("label", { class: "grow" }, "Search ", element("input", { type: "search", id: "search", "data-search": true, value: params.q ?? "", oninput: typed("q"), placeholder: "words in answers and failures" })));
  fill(main, element("h1", { tabindex: "-1" }, `Calls of ${visible(id)}`), controls, count, list, pager);

  const kindsSoon = () => get(`${base}/failures`, {}, context.signal).then((groups) => {
    const kinds = groups.map((group) => [group.kind, `${inWords(group.kind)} (${grouped(group.count)})`]);
    if (kinds.length > 1 || params.kind) controls.querySelector("#kinds").replaceWith(select("by-kind", "Kind", [["", "all"], ...kinds], params.kind, (value) => change("kind", value)));
  }).catch(() => {});

  function change(name, value) {
    params = { ...filtersOf(params), [name]: value };
    go(address("calls", id, params), { quiet: true });
    load(true);
  }
  function turn(where, { focus = true } = {}) {
    params = { ...filtersOf(params), ...where };
    go(address("calls", id, params), { quiet: true });
    return load(false, focus);
  }

  async function load(recount, focus = false) {
    const number = (asked += 1);
    list.setAttribute("aria-busy", "true");
    try {
      const loaded = await (number === 1 ? first : get(`${base}/calls`, params, context.signal));
      if (number !== asked) return;
      page = loaded;
      draw(focus);
    } catch (error) {
      if (!context.signal.aborted && number === asked) fill(list, element("p", { class: "reason" }, error.message));
    }
    list.removeAttribute("aria-busy");
    if (recount) recountSoon(number);
  }
  async function recountSoon(number) {
    count.textContent = "";
    const whole = !Object.keys(filtersOf(params)).some((name) => name !== "sort");
    if (whole) {
      const columns = head.models.length * Math.max(head.prompts.length, 1);
      count.textContent = found.totals ? counted(found.totals.succeeded + found.totals.failed, "call") : `${counted(head.inputs * columns * head.repeats, "call")} planned`;
      return;
    }
    try {
      const { count: n } = await get(`${base}/count`, filtersOf(params), context.signal);
      if (number <= asked && n !== null) count.textContent = counted(n, "call");
    } catch { /* The list is there all the same. */ }
  }

  function draw(focus) {
    const several = head.prompts.length > 0;
    const repeated = head.repeats > 1;
    const titles = [head.type === "batch" ? "Input" : "Call", "Model", ...(several ? ["Prompt"] : []), ...(repeated ? ["#Repeat"] : []), "Answer", "#Response", "#Attempts", "#Tokens out", "#Cost"];
    const more = filtersOf(params);
    const rows = page.calls.map((call) => element("tr", { class: call.kind ? "failed" : null },
      element("th", { scope: "row" }, element("a", { href: address("call", id, more, call.call), "data-row": call.call }, oneLine(call.file ?? `call ${call.call}`, 80))),
      element("td", { class: "model" }, visible(call.model)),
      several ? element("td", {}, visible(call.prompt ?? "")) : null,
      repeated ? element("td", { class: "n" }, call.repeat) : null,
      element("td", { class: "text" }, element("div", {}, call.status === "pending" ? element("i", {}, "pending") : [call.kind ? element("span", { class: "kindof" }, `${inWords(call.kind)} `) : null, oneLine(call.text, 160)])),
      element("td", { class: "n" }, seconds(call.response_s)),
      element("td", { class: "n" }, call.attempts),
      element("td", { class: "n" }, tokens(call.output_tokens)),
      element("td", { class: "n" }, money(call.cost_usd))));
    fill(list, rows.length ? table("Calls", titles, rows, { class: "calls" }) : element("p", { id: "nothing" }, "No such calls."));
    drawPager();
    if (focus) {
      scrollTo(0, 0);
      list.querySelector("[data-row]")?.focus({ preventScroll: true });
    }
  }
  function drawPager() {
    const button = (name, title, where, usable) =>
      element("button", { type: "button", id: `page-${name}`, disabled: !usable, onclick: () => turn(where) }, title);
    const pending = params.status === "pending";
    const place = page.share ?? Number(params.at ?? 0);
    const jump = element("input", {
      type: "range", id: "jump", min: 0, max: 1000, value: Math.round(place * 1000), "aria-label": "Jump to a place in the list",
      "aria-valuetext": percent(place), onchange: (event) => turn({ at: event.target.value / 1000 }, { focus: false }).then(() => document.getElementById("jump")?.focus()),
    });
    const whole = !page.before && !page.after;
    pager.hidden = whole;
    fill(pager,
      button("first", "First", {}, Boolean(page.before || params.after || params.at)),
      button("before", "Previous", { before: page.before }, Boolean(page.before)),
      ...(pending ? [] : [jump]),
      button("after", "Next", { after: page.after }, Boolean(page.after)),
      button("last", "Last", { at: 1 }, Boolean(page.after) && !pending));
  }

  await load(true);
  // Of a million calls they take a second: the first pages come before.
  const later = setTimeout(kindsSoon, KINDS_MS);
  context.signal.addEventListener("abort", () => clearTimeout(later));
  // Of a run that goes on, the page that is looked at stays; that there is more is said.
  let seen = null;
  follow(`${base}/events?counts=0`, {
    news: (news) => { context.attempts(news); seen ??= news.last; if (news.count && news.last > seen) fresh(news.last - seen); },
    gone: ({ error }) => context.gone(error),
  }, context.signal, context.live);
  const note = element("button", { type: "button", class: "quiet", id: "fresh", hidden: true, onclick: () => { seen = null; note.hidden = true; load(true); } });
  count.after(note);
  function fresh(n) {
    note.hidden = false;
    note.textContent = `${counted(n, "attempt")} since: show them`;
  }
  return {
    title: `Calls of ${id}`,
    keys: {
      "]": () => page?.after && turn({ after: page.after }),
      "[": () => page?.before && turn({ before: page.before }),
    },
  };
}
