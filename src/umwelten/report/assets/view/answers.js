// An answer as Markdown, made harmless: no address in it is followed or loaded, by itself or by a click.
import { element, visible } from "./dom.js";

const markdown = window.markdownit({ html: false, linkify: false, typographer: false });
const escape = markdown.utils.escapeHtml;
markdown.renderer.rules.image = (tokens, n) =>
  `<span class="address">[image: ${escape(tokens[n].content || "")} ${escape(tokens[n].attrGet("src") ?? "")}]</span>`;
markdown.renderer.rules.link_open = () => `<span class="link">`;
markdown.renderer.rules.link_close = (tokens, n) => {
  let open = n;
  for (let depth = 0; open >= 0; open -= 1) {
    if (tokens[open].type === "link_close") depth += 1;
    if (tokens[open].type === "link_open" && (depth -= 1) === 0) break;
  }
  return `</span> <span class="address">${escape(tokens[open]?.attrGet("href") ?? "")}</span>`;
};

const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em",
    "strong", "s", "table", "thead", "tbody", "tr", "th", "td", "span",
  ],
  ALLOWED_ATTR: ["class", "start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const LONG = 200000; // characters that are still drawn as Markdown: more would hold the page up

export function prose(text) {
  if (text.length > LONG) return raw(text);
  const body = element("div", { class: "prose" });
  body.append(DOMPurify.sanitize(markdown.render(visible(text)), ALLOWED));
  // Its headings are not those of the page.
  for (const one of body.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = element("p", { class: "heading" });
    level.append(...one.childNodes);
    one.replaceWith(level);
  }
  for (const one of body.querySelectorAll("pre")) one.tabIndex = 0;
  return body;
}

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
