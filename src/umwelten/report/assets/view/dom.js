// Small means to make elements. Text only ever goes in as text, so nothing that a model wrote is taken for HTML.
export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter(there));
  return made;
}

const there = (child) => child != null && child !== false && child !== "";

// What the place holds from now on; nothing stands for what is not there.
export const fill = (place, ...children) => place.replaceChildren(...children.flat(2).filter(there));

export const { visible } = window; // of shared/markdown.js

export const oneLine = (text, width) => {
  const line = visible(text.slice(0, width * 8).split(/\s+/).filter(Boolean).join(" "));
  return line.length <= width ? line : line.slice(0, width - 1).trimEnd() + "…";
};

export const inWords = (kind) => visible(kind.replaceAll("_", " "));

export function age(unix) {
  const past = Math.max(0, Date.now() / 1000 - unix);
  if (past < 60) return "now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  if (past < 30 * 86400) return counted(Math.floor(past / 86400), "day") + " ago";
  return new Date(unix * 1000).toISOString().slice(0, 10);
}

export const moment = (unix) => new Date(unix * 1000).toLocaleString();

export const table = (label, head, rows, attributes = {}) =>
  element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table: ${label}` },
    element("table", attributes,
      element("thead", {}, element("tr", {}, head.map((title) =>
        element("th", { scope: "col", class: title.startsWith("#") ? "n" : null }, title.replace(/^#/, ""))))),
      element("tbody", {}, rows)));

// What is known to be spent: more, if there are calls without a price.
export const spent = (totals) => money(totals.cost_usd) + (totals.unpriced && totals.cost_usd != null ? " +?" : "");

// How an evaluation stands, in words for people.
export function standing(head, totals) {
  if (head?.running) return ["running", "running"];
  if (!totals) return ["…", ""];
  const failed = totals.failed ? `${grouped(totals.failed)} failed` : "";
  const pending = totals.pending ? `${grouped(totals.pending)} left` : "";
  if (!totals.pending) return [failed ? `done, ${failed}` : "done", failed ? "some" : "complete"];
  const word = totals.status === "interrupted" ? "interrupted" : "stopped";
  return [[word, pending, failed].filter(Boolean).join(", "), "interrupted"];
}

export const badge = (head, totals) => {
  const [words, kind] = standing(head, totals);
  return element("span", { class: `badge ${kind}` }, words);
};

export function say(text, bad = false) {
  const place = byId("said");
  place.textContent = text;
  place.className = bad ? "shown bad" : "shown";
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.className = ""; place.textContent = ""; }, bad ? 8000 : 3000);
}
