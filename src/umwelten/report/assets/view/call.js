// One call: the answer, what was sent, every attempt, tools, scores.
import { evaluationPath, get } from "./api.js";
import { prose, raw, record } from "./answers.js";
import { element, fill, inWords, table, visible } from "./dom.js";
import { filtersOf } from "./calls.js";
import { address, go } from "./place.js";
import { rater } from "./rating.js";

let rendered = true;

const SOURCES = {
  "not kept": "What was sent with it is not kept", read: "Read from the input, which is as it was",
  "changed since": "Not kept, and the input has changed since",
};

export async function call(main, place, context) {
  const { id } = place;
  const more = filtersOf(place.params);
  const base = evaluationPath(id);
  const [found, about] = await Promise.all([
    get(`${base}/calls/${place.call}`, more, context.signal), get(base, {}, context.signal),
  ]);
  const shown = found.call;
  const beside = (number) => address("call", id, more, number);
  const name = shown.file ?? `call ${shown.call}`;
  const link = (number, title, key) => number == null
    ? element("span", { class: "off" }, title)
    : element("a", { href: beside(number), id: `go-${key}`, rel: key }, title);
  const answer = element("section", { "aria-labelledby": "answer" });
  const drawAnswer = () => fill(answer, ...answerOf(shown, drawAnswer));
  drawAnswer();
  const rate = shown.status !== "succeeded" ? null : rater(id, shown.call, found.rating, about);
  fill(main,
    element("p", { class: "kind" }, element("a", { href: address("calls", id, more) }, `Calls of ${visible(id)}`), " · ",
      link(found.before, "previous", "prev"), " · ", link(found.after, "next", "next")),
    element("h1", { tabindex: "-1" }, visible(name), shown.repeat > 1 ? ` (${shown.repeat})` : ""),
    element("p", { class: "facts" }, visible(shown.model), shown.prompt_name ? ` · ${visible(shown.prompt_name)}` : "", ` · ${facts(shown)}`),
    shown.error ? element("p", { class: "reason" }, element("b", {}, inWords(shown.error.kind)), ` ${visible(shown.error.message)}`) : null,
    answer,
    rate?.node ?? null,
    scores(shown),
    sent(shown, shown.asked, id),
    steps(shown),
    attempts(shown));
  return {
    title: name,
    keys: {
      ...(rate?.keys ?? {}),
      j: () => found.after != null && go(beside(found.after)),
      k: () => found.before != null && go(beside(found.before)),
      v: () => { rendered = !rendered; drawAnswer(); },
    },
    up: address("calls", id, more),
  };
}

export function facts(shown) {
  return [
    shown.time_s == null ? null : seconds(shown.time_s),
    shown.ttft_s == null ? null : `first token ${seconds(shown.ttft_s)}`,
    shown.attempts?.length > 1 ? `${shown.attempts.length} attempts` : null,
    shown.output_tokens == null ? null : `${tokens(shown.input_tokens)} → ${tokens(shown.output_tokens)} tokens`,
    shown.status === "pending" ? "pending" : shown.cost_usd == null ? "cost unknown" : money(shown.cost_usd),
    shown.finish_reason && shown.finish_reason !== "stop" ? `ended by ${inWords(shown.finish_reason)}` : null,
    shown.served_model && !shown.model.endsWith(shown.served_model) ? `served by ${visible(shown.served_model)}` : null,
    ...(shown.marks ?? []).map(inWords),
  ].filter(Boolean).join(" · ");
}

function answerOf(shown, again) {
  const text = shown.response;
  if (text == null) {
    const kept = shown.error?.answer;
    return [element("h2", { id: "answer" }, "Answer"), element("p", { class: "note" }, shown.status === "pending" ? "Pending." : "There is none."),
      ...(kept ? [element("p", { class: "note" }, "The last one, which does not fit the schema:"), raw(kept)] : [])];
  }
  const swap = element("button", { type: "button", class: "quiet", id: "swap", onclick: () => { rendered = !rendered; again(); document.getElementById("swap")?.focus(); } }, rendered ? "as written" : "formatted");
  const copy = element("button", { type: "button", class: "quiet", onclick: () => navigator.clipboard?.writeText(text) }, "copy");
  const reasoning = shown.reasoning
    ? element("details", {}, element("summary", {}, `Reasoning, ${grouped(shown.reasoning.length)} characters`), raw(shown.reasoning)) : null;
  const body = shown.data != null && rendered ? record(shown.data) : rendered ? prose(text) : raw(text);
  return [element("h2", { id: "answer" }, shown.data != null ? "Record " : "Answer ", swap, " ", copy), body, ...(reasoning ? [reasoning] : [])];
}

function sent(shown, asked, id) {
  const parts = Object.entries(shown.parameters ?? {});
  const where = shown.file == null ? null : element("p", { class: "facts" }, "Input ", element("b", {}, visible(shown.file)), shown.path ? ` from ${visible(shown.path)}` : "", shown.part ? `, ${visible(shown.part)}` : "",
    " · ", element("a", { href: address("compare", id, { input: shown.file, repeat: shown.repeat }) }, "all answers about it"));
  const known = asked.text != null;
  const row = asked.row ? [element("h3", {}, "Row"), record(asked.row)] : [];
  const one = (title, text) => (text ? element("details", {}, element("summary", {}, `${title}, ${grouped(text.length)} characters`), raw(text)) : null);
  const media = asked.media.map((medium) => [medium.name || medium.path, medium.type].filter(Boolean).map(visible).join(" ")).filter(Boolean);
  return element("section", { "aria-labelledby": "sent" },
    element("h2", { id: "sent" }, known ? "What was sent" : "Prompt"),
    where,
    shown.system ? [element("h3", {}, "System"), raw(shown.system)] : [],
    shown.system ? element("h3", {}, "Prompt") : null,
    raw(asked.text ?? shown.prompt),
    asked.source === "stored" ? null : element("p", { class: "note" }, SOURCES[asked.source] ?? asked.source, asked.note ? `: ${visible(asked.note)}` : ""),
    media.length ? element("p", { class: "facts" }, `Sent with it: ${media.join(", ")}`) : null,
    row, one("Input", asked.input_text), one("Earlier answer", asked.earlier_answer), one("First answer", asked.first_answer), one("Second answer", asked.second_answer), one("Recalled", asked.memory),
    parts.length ? element("p", { class: "facts" }, parts.map(([name, value]) => `${visible(name)} ${visible(value)}`).join(" · ")) : null,
    shown.attachments?.length ? element("p", { class: "facts" }, `Attached: ${shown.attachments.map(visible).join(", ")}`) : null);
}

function attempts(shown) {
  if (!shown.attempts?.length) return null;
  const rows = shown.attempts.map((one) => element("tr", { class: one.error ? "failed" : null },
    element("td", { class: "n" }, one.number),
    element("td", {}, visible(one.started_at.replace("T", " ").slice(0, 19)), one.hedge ? " (hedge)" : ""),
    element("td", {}, one.error ? element("span", { class: "kindof" }, inWords(one.error.kind)) : "answered", one.http_status ? ` ${one.http_status}` : ""),
    element("td", { class: "n" }, seconds(one.response_s)),
    element("td", { class: "n" }, one.retry_after_s == null ? UNKNOWN : seconds(one.retry_after_s)),
    element("td", {}, visible(one.served_by ?? UNKNOWN)),
    element("td", { class: "n" }, `${tokens(one.input_tokens)} → ${tokens(one.output_tokens)}`),
    element("td", { class: "n" }, money(one.cost_usd)),
    element("td", { class: "message" }, one.error ? visible(one.error.message) : "", one.request_id ? element("small", {}, ` ${visible(one.request_id)}`) : "",
      one.partial ? element("details", {}, element("summary", {}, "what had come"), raw(one.partial)) : null)));
  return element("section", { "aria-labelledby": "attempts" }, element("h2", { id: "attempts" }, "Attempts"),
    table("Attempts", ["#No.", "Started (UTC)", "Outcome", "#Took", "#Told to wait", "By", "#Tokens", "#Cost", "Message"], rows));
}

function steps(shown) {
  const called = (shown.steps ?? []).filter((step) => step.calls.length);
  if (!called.length) return null;
  const rows = called.flatMap((step) => step.calls.map((one) => element("tr", {},
    element("td", { class: "n" }, step.number), element("th", { scope: "row" }, visible(one.tool)), element("td", {}, inWords(one.state)),
    element("td", { class: "n" }, seconds(one.took_s)), element("td", {}, raw(one.arguments)), element("td", {}, raw(one.result ?? one.error ?? "")))));
  return element("section", { "aria-labelledby": "tools" }, element("h2", { id: "tools" }, "Tools"),
    table("Tools", ["#Step", "Tool", "State", "#Took", "Arguments", "Result"], rows));
}

function scores(shown) {
  const all = Object.entries(shown.scores ?? {});
  if (!all.length) return null;
  const rows = all.map(([name, one]) => element("tr", {},
    element("th", { scope: "row" }, visible(name)),
    element("td", { class: "n" }, one.value == null ? UNKNOWN : one.value.toFixed(3)),
    element("td", {}, one.unscored ? inWords(one.unscored.kind) : one.pass == null ? "" : one.pass ? "passes" : "fails"),
    element("td", {}, visible(one.label ?? "")),
    element("td", {}, one.expected == null ? "" : visible(typeof one.expected === "string" ? one.expected : JSON.stringify(one.expected))),
    element("td", { class: "message" }, visible(one.reason ?? one.unscored?.message ?? ""), one.parts.length
      ? element("small", {}, one.parts.map((part) => `${visible(part.name)} ${part.value ?? "–"}`).join(", ")) : null)));
  return element("section", { "aria-labelledby": "scores" }, element("h2", { id: "scores" }, "Scores"),
    table("Scores", ["Scorer", "#Value", "Outcome", "Label", "Expected", "Reason"], rows));
}
