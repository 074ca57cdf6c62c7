// An answer as Markdown, made harmless: no address in it is followed or loaded, by itself or by a click.
const markdown = window.markdownit({ html: false, linkify: false, typographer: false });
const plain = (tokens, n) => markdown.utils.escapeHtml(tokens[n].content || "");
markdown.renderer.rules.image = (tokens, n) =>
  `<span class="address">[image: ${plain(tokens, n)} ${markdown.utils.escapeHtml(tokens[n].attrGet("src") ?? "")}]</span>`;
markdown.renderer.rules.link_open = () => `<span class="link">`;
markdown.renderer.rules.link_close = (tokens, n) => {
  let open = n;
  for (let depth = 0; open >= 0; open -= 1) {
    if (tokens[open].type === "link_close") depth += 1;
    if (tokens[open].type === "link_open" && (depth -= 1) === 0) break;
  }
  const address = tokens[open]?.attrGet("href") ?? "";
  return `</span> <span class="address">${markdown.utils.escapeHtml(address)}</span>`;
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
const LONG = 200000;
let rendered = true;

function answer(call) {
  if (call.kind) return failure(call);
  if (call.data || !rendered || call.text.length > LONG) return element("pre", { class: "raw" }, call.text);
  return formatted(call.text);
}

function formatted(text) {
  const body = element("div", { class: "prose" });
  body.append(DOMPurify.sanitize(markdown.render(text), ALLOWED));
  // Its headings are not those of the page.
  for (const one of body.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = element("p", { class: "heading" });
    level.append(...one.childNodes);
    one.replaceWith(level);
  }
  return body;
}

function failure(call) {
  const message = element("p", { class: "message" }, call.text);
  if (!call.kept) return message;
  const title = element("p", { class: "note" }, "The last answer, which does not fit:");
  return element("div", {}, message, title, element("pre", { class: "raw" }, call.kept));
}

function picture(call, width) {
  const address = call.file != null && Object.hasOwn(meta.pictures, call.file) ? meta.pictures[call.file] : null;
  if (!address) return null;
  return element("img", { src: address, alt: `Input ${call.file}`, class: "thumb", loading: "lazy", width });
}

function facts(call) {
  const parts = [
    seconds(call.time),
    call.ttft == null ? null : `first token ${seconds(call.ttft)}`,
    call.attempts > 1 ? `${call.attempts} attempts` : null,
    `${tokens(call.in)} → ${tokens(call.out)} tokens`,
    call.cost == null ? "cost unknown" : money(call.cost),
    call.finish && call.finish !== "stop" ? `ended by ${kindInWords(call.finish)}` : null,
    ...(call.marks || []),
  ];
  return parts.filter(Boolean).join(" · ");
}

function cutNote(call) {
  if (!call.length) return null;
  return element("p", { class: "note" }, `Shortened: the answer has ${grouped(call.length)} characters.`);
}
