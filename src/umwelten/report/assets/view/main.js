// The page: which view the address names, the keys, colours.
import { byId, element, fill, say, visible } from "./dom.js";
import { call } from "./call.js";
import { calls } from "./calls.js";
import { compare } from "./compare.js";
import { control } from "./control.js";
import { evaluation } from "./evaluation.js";
import { home } from "./home.js";
import { address, go, onChange, placeOf } from "./place.js";
import { ratings } from "./ratings.js";

const VIEWS = { home, evaluation, calls, call, compare, ratings, control };
const TABS = [["evaluation", "Overview", "o"], ["calls", "Calls", "c"], ["compare", "Compare", "m"], ["ratings", "Ratings", "r"], ["control", "Control", "t"]];
const PACE_S = 10;
const main = byId("main");
let shown = null;
let left = new AbortController();

// --- views ---

async function show() {
  left.abort();
  left = new AbortController();
  const { signal } = left;
  const place = placeOf(new URL(location.href));
  const view = VIEWS[place.view];
  drawTabs(place);
  shown = null;
  main.setAttribute("aria-busy", "true");
  try {
    if (!view) throw new Error("there is no such page");
    const made = await view(main, place, contextOf(signal));
    if (signal.aborted) return;
    shown = { ...made, place };
    document.title = `${visible(made.title)} – umwelten`;
  } catch (error) {
    if (signal.aborted) return;
    document.title = "umwelten";
    fill(main, element("h1", { tabindex: "-1" }, error.status === 404 ? "Not there" : "That did not work"), element("p", { class: "reason" }, visible(error.message)),
      error.hint ? element("p", {}, visible(error.hint)) : "", element("p", {}, element("a", { href: "/" }, "All evaluations")));
  }
  main.removeAttribute("aria-busy");
  main.querySelector("h1")?.focus({ preventScroll: true });
  document.documentElement.dataset.ready = place.view;
}

function contextOf(signal) {
  let ended = []; // [time, attempts] of the last seconds
  return {
    signal,
    attempts(news) {
      const now = performance.now() / 1000;
      ended = [...ended, [now, news.count ?? 0]].filter(([at]) => now - at <= PACE_S);
    },
    // Attempts a second of the last seconds; null: nobody has looked for long enough.
    pace() {
      const now = performance.now() / 1000;
      const [first, ...later] = ended.filter(([at]) => now - at <= PACE_S);
      if (!first) return ended.length ? 0 : null;
      return later.length ? later.reduce((sum, [, n]) => sum + n, 0) / (now - first[0]) : null;
    },
    live(state) { byId("live").textContent = state; byId("live").dataset.state = state; },
    gone(error) { say(`${error} It may come back.`, true); },
  };
}

function drawTabs(place) {
  const links = [element("a", { href: "/", "aria-current": place.view === "home" ? "page" : null }, "Evaluations")];
  for (const [view, title] of place.id ? TABS : []) {
    const current = view === place.view || (view === "calls" && place.view === "call");
    links.push(element("a", { href: address(view, place.id), "aria-current": current ? "page" : null }, title));
  }
  fill(byId("views"), ...links);
}

onChange(show);
addEventListener("popstate", show);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  go(url.pathname + url.search);
});

// --- keys ---

const KEYS = [
  ["j, k", "next and previous row or call"], ["Enter", "open"], ["[, ]", "previous and next page"], ["/", "search"],
  ["Esc", "leave a field; up a level"], ["g h", "all evaluations"], ["g o", "overview"], ["g c", "calls"],
  ["g m", "compare"], ["g r", "ratings"], ["g t", "control"], ["v", "answer as written or formatted"], ["1 – 5", "rate on the scale 1-5"],
  ["y, n", "rate as good or bad"], ["i", "comment"], ["x", "remove the rating"], ["u", "next answer without a rating"], ["?", "this list"],
];

function step(by) {
  const rows = [...main.querySelectorAll("[data-row]")].filter((one) => one.offsetParent !== null);
  const at = rows.indexOf(document.activeElement);
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function up() {
  const { place, up: above } = shown ?? {};
  if (above) go(above);
  else if (place && place.view !== "home") go(place.view === "evaluation" ? "/" : address("evaluation", place.id));
}

let prefix = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input:not([type=checkbox]):not([type=range]), select, textarea")) {
    // A browser would clear a search.
    if (event.key === "Escape") { event.preventDefault(); event.target.blur(); main.querySelector("h1")?.focus({ preventScroll: true }); }
    return;
  }
  const act = actOf(event.key);
  if (!act) return;
  event.preventDefault();
  act();
});

function actOf(key) {
  const place = placeOf(new URL(location.href));
  if (prefix) {
    prefix = false;
    const tab = TABS.find(([, , letter]) => letter === key);
    if (key === "h") return () => go("/");
    return tab && place.id ? () => go(address(tab[0], place.id)) : () => {};
  }
  if (key === "g") return () => { prefix = true; setTimeout(() => { prefix = false; }, 1500); };
  const own = shown?.keys?.[key];
  if (own) return own;
  return { j: () => step(1), k: () => step(-1), "/": () => main.querySelector("[data-search]")?.focus(), "?": help, Escape: up }[key];
}

function help() {
  const close = element("button", { type: "button", onclick: () => byId("help").close() }, "Close");
  fill(byId("help"), element("h2", { id: "help-title" }, "Keys"),
    element("dl", { class: "keys" }, KEYS.map(([key, title]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, title)))), close);
  byId("help").showModal();
}
byId("help-button").addEventListener("click", help);

// --- colours ---

const THEMES = ["auto", "light", "dark"];
function setTheme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
  byId("theme").setAttribute("aria-label", `Theme: ${name}. Change`);
  try { localStorage.setItem("umwelten-theme", name); } catch { /* For this visit only. */ }
}
setTheme(document.documentElement.dataset.theme);
byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
  shown?.refresh?.();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown?.refresh?.());
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) requestAnimationFrame(() => shown?.refresh?.());
  width = innerWidth;
});

show();
