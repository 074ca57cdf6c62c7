// What a model wrote, made harmless. The report and the view show it by this file alone.

// Control characters and those that turn the direction of text around are shown as what they are. A carriage
// return is no more than white space.
const HARMFUL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
function visible(text) {
  return String(text).replace(HARMFUL, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const markdown = window.markdownit({ html: false, linkify: false, typographer: false });
const escaped = markdown.utils.escapeHtml;
markdown.renderer.rules.image = (tokens, n) =>
  `<span class="address">[image: ${escaped(tokens[n].content || "")} ${escaped(tokens[n].attrGet("src") ?? "")}]</span>`;
markdown.renderer.rules.link_open = () => `<span class="link">`;
markdown.renderer.rules.link_close = (tokens, n) => {
  let open = n;
  for (let depth = 0; open >= 0; open -= 1) {
    if (tokens[open].type === "link_close") depth += 1;
    if (tokens[open].type === "link_open" && (depth -= 1) === 0) break;
  }
  return `</span> <span class="address">${escaped(tokens[open]?.attrGet("href") ?? "")}</span>`;
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

// An answer as Markdown: no address in it is followed or loaded, by itself or by a click. Null: it is too long.
function formatted(text) {
  if (text.length > LONG) return null;
  const body = document.createElement("div");
  body.className = "prose";
  body.append(DOMPurify.sanitize(markdown.render(visible(text)), ALLOWED));
  // Its headings are not those of the page.
  for (const one of body.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = document.createElement("p");
    level.className = "heading";
    level.append(...one.childNodes);
    one.replaceWith(level);
  }
  for (const one of body.querySelectorAll("pre")) one.tabIndex = 0;
  return body;
}
