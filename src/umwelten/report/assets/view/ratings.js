// Rating answers one after the other, by keyboard.
import { evaluationPath, get } from "./api.js";
import { prose, raw, record } from "./answers.js";
import { element, fill, oneLine, say, visible } from "./dom.js";
import { facts } from "./call.js";
import { filtersOf, select } from "./calls.js";
import { address, go } from "./place.js";
import { rater } from "./rating.js";

export async function ratings(main, place, context) {
  const { id } = place;
  const base = evaluationPath(id);
  const filters = { status: "succeeded", ...filtersOf(place.params) };
  const [about, said] = await Promise.all([get(base, {}, context.signal), get(`${base}/ratings`, {}, context.signal)]);
  const rated = new Map(said.ratings.map((one) => [one.call, one]));
  const body = element("div", { id: "answer-to-rate" });
  const count = element("p", { class: "note", role: "status", id: "rated" });
  const change = (name, value) => go(address("ratings", id, { ...filtersOf(place.params), [name]: value }));
  const table = (scale) => element("a", { href: `${base}/labels.csv?scale=${encodeURIComponent(scale)}`, download: "" }, scale);
  fill(main,
    element("h1", { tabindex: "-1" }, `Ratings of ${visible(id)}`),
    about.read_only ? element("p", { class: "note" }, "This view is read only.") : null,
    element("div", { class: "controls" },
      select("by-model", "Model", [["", "all"], ...about.head.models.map((name) => [name, visible(name)])], place.params.model, (value) => change("model", value)),
      select("by-prompt", "Prompt", [["", "all"], ...about.head.prompts.map((name) => [name, visible(name)])], place.params.prompt, (value) => change("prompt", value))),
    count, body,
    element("p", { class: "note" }, "Keys: 1–5 or y (good) and n (bad), i comment, x clear, j next, k previous, u next without a rating. As a table that a judge's ", element("code", {}, "check"), " reads: ", table("1-5"), ", ", table("pass/fail"), "."));

  let now = null;
  let keys = {};
  const tell = () => { count.textContent = `${counted(rated.size, "answer")} rated or commented on`; };
  async function open(number) {
    const found = await get(`${base}/calls/${number}`, filters, context.signal);
    now = found;
    const shown = found.call;
    const made = rater(id, shown.call, rated.get(shown.call), about, (kept) => {
      if (kept) rated.set(shown.call, kept); else rated.delete(shown.call);
      tell();
    });
    keys = made?.keys ?? {};
    fill(body,
      element("h2", { tabindex: "-1", id: "rated-answer" }, element("a", { href: address("call", id, {}, shown.call) }, oneLine(shown.file ?? `call ${shown.call}`, 100)), shown.repeat > 1 ? ` (${shown.repeat})` : ""),
      element("p", { class: "facts" }, visible(shown.model), " · ", facts(shown)),
      element("details", {}, element("summary", {}, "What was asked"), raw(shown.asked.text ?? shown.prompt)),
      shown.data != null ? record(shown.data) : prose(shown.response ?? shown.error?.message ?? ""),
      made?.node ?? "");
    go(address("ratings", id, { ...filtersOf(place.params), call: number }), { replace: true, quiet: true });
  }
  async function first() {
    if (place.params.call) return open(place.params.call);
    const page = await get(`${base}/calls`, { ...filters, limit: 100 }, context.signal);
    if (!page.calls.length) { fill(body, element("p", {}, "No answers yet.")); return undefined; }
    return open((page.calls.find((one) => !rated.has(one.call)) ?? page.calls[0]).call);
  }
  async function unrated() {
    // Those after it first, then from the beginning those that were passed over.
    for (const start of [{ after: `${now.call.call}~${now.call.call}` }, {}]) {
      let from = start;
      while (from) {
        const page = await get(`${base}/calls`, { ...filters, sort: "", ...from, limit: 200 }, context.signal);
        const next = page.calls.find((one) => !rated.has(one.call));
        if (next) { await open(next.call); return; }
        from = page.after ? { after: page.after } : null;
      }
    }
    say("Every answer here has a rating.");
  }
  const step = async (number) => { if (number != null) { await open(number); byFocus(); } };
  const byFocus = () => document.getElementById("rated-answer")?.focus();
  tell();
  await first();
  return {
    title: `Ratings of ${id}`,
    keys: {
      ...Object.fromEntries(["1", "2", "3", "4", "5", "y", "n", "x", "i"].map((key) => [key, () => keys[key]?.()])),
      j: () => step(now?.after), k: () => step(now?.before), u: () => now && unrated().then(byFocus),
    },
  };
}
