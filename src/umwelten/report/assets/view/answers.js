// An answer as the view shows it; shared/markdown.js makes it harmless.
import { element, visible } from "./dom.js";

export const prose = (text) => formatted(text) ?? raw(text);

export const raw = (text) => element("pre", { class: "raw", tabindex: "0" }, visible(text));

export function record(data) {
  if (data === null || typeof data !== "object" || Array.isArray(data)) return raw(JSON.stringify(data, null, 2));
  const rows = Object.entries(data).map(([name, value]) => {
    const nested = value !== null && typeof value === "object";
    const shown = nested ? raw(JSON.stringify(value, null, 2)) : visible(value ?? "–");
    return element("tr", {}, element("th", { scope: "row" }, visible(name)), element("td", {}, shown));
  });
  return element("table", { class: "record" }, element("tbody", {}, rows));
}
