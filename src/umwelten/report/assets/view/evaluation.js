// One evaluation: how it stands, by model, over time; what failed; scores.
import { evaluationPath, follow, get } from "./api.js";
import { badge, element, fill, inWords, moment, oneLine, spent, table, visible } from "./dom.js";
import { progress } from "./home.js";
import { address } from "./place.js";
import { pacePlots } from "./plot.js";
import { drawRankings } from "./ranking.js";

const FIRST_MS = 3000; // plot and failures of a run are drawn anew so often, and less often where that takes long

export async function evaluation(main, place, context) {
  const { id } = place;
  const base = evaluationPath(id);
  const found = await get(base, {}, context.signal);
  let { head, totals } = found;
  const top = element("div");
  const models = element("section", { "aria-labelledby": "by-model" });
  const plots = element("section", { hidden: true, "aria-labelledby": "over-time" });
  const failures = element("section", { hidden: true, "aria-labelledby": "failed" });
  const scores = element("section", { hidden: true, "aria-labelledby": "scores" });
  const changes = element("section", { hidden: true, "aria-labelledby": "changes" });
  const workers = element("section", { hidden: true, "aria-labelledby": "workers" });
  const ranking = element("section", { hidden: true, "aria-labelledby": "ranking" });
  fill(main, top, ranking, models, scores, failures, plots, workers, changes);
  let isRanking = false;
  const paint = () => { drawTop(top, head, totals, context.pace(), isRanking); drawModels(models, id, totals); };
  paint();

  let plot = null;
  let sick = 0;
  async function slow() {
    const began = performance.now();
    try {
      const [pace, failed, staff] = await Promise.all(
        ["pace", "failures", "workers"].map((what) => get(`${base}/${what}`, {}, context.signal)));
      plot = pacePlots(pace);
      fill(plots, element("h2", { id: "over-time" }, "Over time"), plot.node);
      plots.hidden = !pace.answered.some(Boolean) && !pace.failed.some(Boolean) && !pace.refused.some(Boolean);
      drawFailures(failures, id, failed);
      drawWorkers(workers, staff);
      drawChanges(changes, pace.changes);
      if (!plots.hidden) plot.paint(); // last: a plot takes the width that there is then
    } catch (error) {
      if (context.signal.aborted) return;
      sick += 1;
    }
    return performance.now() - began;
  }
  let next = 0;
  async function maybeSlow() {
    if (performance.now() < next || sick > 5) return;
    next = Infinity;
    const took = (await slow()) ?? 1000;
    next = performance.now() + Math.max(FIRST_MS, took * 20);
  }
  maybeSlow();
  get(`${base}/scores`, {}, context.signal).then((rows) => drawScores(scores, rows)).catch(() => {});
  get(`${base}/rankings`, {}, context.signal).then((found) => {
    isRanking = found.is_ranking;
    paint();
    drawRankings(ranking, found);
  }).catch(() => {});
  follow(`${base}/events`, {
    news: (news) => { head = news.head; context.attempts(news); paint(); maybeSlow(); },
    totals: (now) => { totals = now; paint(); },
    gone: ({ error }) => context.gone(error),
  }, context.signal, context.live);
  return { title: id, refresh: () => plot && !plots.hidden && plot.paint() };
}

// Of a ranking its own section says what judges were asked; its prompt has the answers' placeholders around that.
function drawTop(place, head, totals, pace, isRanking) {
  const done = totals ? totals.succeeded + totals.failed : 0;
  const figure = (name, value, small) =>
    element("div", {}, element("dt", {}, name), element("dd", { id: `figure-${name.toLowerCase()}` }, value, small ? element("small", {}, small) : null));
  const left = totals && head.running && pace > 0 ? totals.pending / pace : null;
  fill(place,
    element("p", { class: "kind" }, isRanking ? "Ranking" : head.type === "run" ? "Run" : "Batch", head.tags.map((tag) => [" ", element("span", { class: "tag" }, visible(tag))])),
    element("h1", { tabindex: "-1" }, visible(head.id), " ", badge(head, totals)),
    isRanking ? null : element("p", { class: "prompt" }, oneLine(head.prompt, 400)),
    head.reason ? element("p", { class: "reason" }, visible(head.reason)) : null,
    progress(totals),
    element("dl", { class: "figures" },
      figure("Answered", totals ? grouped(totals.succeeded) : "…", totals ? `of ${counted(totals.calls, "call")}` : null),
      figure("Failed", totals ? grouped(totals.failed) : "…", totals && done ? `${percent(totals.failed / done)} of those that ended` : null),
      figure("Pending", totals ? grouped(totals.pending) : "…", left ? `about ${minutes(left)} to go` : null),
      figure("Spent", totals ? money(totals.cost_usd) : "…", totals?.unpriced ? `${counted(totals.unpriced, "call")} without a price` : null),
      figure("Pace", head.running ? (pace == null ? UNKNOWN : `${Number(pace.toPrecision(3))}/s`) : totals && totals.active_s > 0 ? `${Number((done / totals.active_s).toPrecision(3))}/s` : "–", head.running ? "attempts now" : totals ? `in ${seconds(totals.active_s)}` : null),
      figure("Tokens", totals ? tokens(totals.output_tokens) : "…", totals ? `out, ${tokens(totals.input_tokens)} in` : null)),
    element("p", { class: "note" }, `${head.running ? "Started" : "Last run"} ${moment(head.running ? head.started_at : head.seen_at)}, ${counted(head.runs, "run")}. The report: `,
      element("code", {}, `umwelten eval report ${head.id} -o ${head.id}.html`)));
}

function drawModels(place, id, totals) {
  if (!totals) { fill(place, element("p", { class: "note" }, "Counting…")); return; }
  const several = totals.models.some((one) => one.prompt != null);
  const rows = totals.models.map((one) => element("tr", {},
    element("th", { scope: "row" }, element("a", { href: address("calls", id, { model: one.model, prompt: one.prompt }), "data-row": `${one.model} ${one.prompt ?? ""}` }, visible(one.model))),
    several ? element("td", {}, visible(one.prompt ?? "")) : null,
    element("td", { class: "n" }, `${grouped(one.succeeded)} of ${grouped(one.calls)}`),
    element("td", { class: one.failed ? "n bad" : "n" }, one.failed ? element("a", { href: address("calls", id, { model: one.model, prompt: one.prompt, status: "failed" }) }, grouped(one.failed)) : "0"),
    element("td", { class: "n" }, grouped(one.pending)),
    element("td", { class: "n" }, seconds(one.mean_s)),
    element("td", { class: "n" }, tokens(one.input_tokens)),
    element("td", { class: "n" }, tokens(one.output_tokens)),
    element("td", { class: "n" }, spent(one))));
  const titles = ["Model", ...(several ? ["Prompt"] : []), "#Answered", "#Failed", "#Pending", "#Mean response", "#Tokens in", "#Tokens out", "#Spent"];
  const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  fill(place, element("h2", { id: "by-model" }, "By model"), table("By model", titles, rows));
  if (focused) place.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
}

function drawFailures(place, id, groups) {
  place.hidden = !groups.length;
  const rows = groups.flatMap((group) => {
    const others = group.count - group.messages.reduce((sum, one) => sum + one.count, 0);
    const messages = others > 0 ? [...group.messages, { count: others, message: "others", advice: "" }] : group.messages;
    return messages.map((one, n) => element("tr", {},
      element("th", { scope: "row" }, element("a", { href: address("calls", id, { status: "failed", kind: group.kind }), "data-row": `${group.kind} ${n}` }, inWords(group.kind))),
      element("td", { class: "n" }, grouped(one.count)),
      element("td", { class: "message" }, oneLine(one.message, 300)),
      element("td", {}, one.advice)));
  });
  fill(place, element("h2", { id: "failed" }, "Failed calls"), table("Failed calls", ["Kind", "#Calls", "The first of them", "What to do"], rows));
}

function drawScores(place, rows) {
  place.hidden = !rows?.length;
  if (place.hidden) return;
  const number = (value) => (value == null ? UNKNOWN : value.toFixed(3));
  const several = rows.some((row) => row.prompt != null);
  const lines = rows.map((row) => element("tr", {},
    element("th", { scope: "row" }, visible(row.scorer)),
    element("td", {}, visible(row.model)), several ? element("td", {}, visible(row.prompt ?? "")) : null,
    element("td", { class: "n" }, number(row.mean)),
    element("td", { class: "n" }, row.low == null ? UNKNOWN : `${number(row.low)} – ${number(row.high)}`),
    element("td", { class: "n" }, row.passed == null ? UNKNOWN : percent(row.passed)),
    element("td", { class: "n" }, grouped(row.scored)),
    element("td", { class: "n" }, grouped(row.unscored))));
  fill(place, element("h2", { id: "scores" }, "Scores"),
    table("Scores", ["Scorer", "Model", ...(several ? ["Prompt"] : []), "#Mean", "#95 %", "#Pass", "#Scored", "#Unscored"], lines));
}

function drawWorkers(place, { head, rows }) {
  place.hidden = !rows.length;
  const first = head.length - 3; // of the columns of numbers
  const titles = head.map((title, n) => (n < first ? "" : "#") + title[0].toUpperCase() + title.slice(1));
  const lines = rows.map((row) => element("tr", {}, row.map((cell, n) =>
    element(n ? "td" : "th", n ? { class: n < first ? null : "n" } : { scope: "row" }, visible(cell)))));
  fill(place, element("h2", { id: "workers" }, "Workers"), table("Workers", titles, lines));
}

export function drawChanges(place, changes) {
  place.hidden = !changes.length;
  const value = (one) => (one === null ? "–" : typeof one === "string" ? visible(one) : visible(JSON.stringify(one)));
  const rows = changes.map((one) => element("tr", {},
    element("td", {}, moment(one.at)), element("th", { scope: "row" }, inWords(one.key)), element("td", {}, visible(one.scope || "all")),
    element("td", {}, `${value(one.old)} → ${value(one.new)}`), element("td", {}, visible(one.reason || "–")),
    element("td", {}, [one.author, one.via].filter(Boolean).map(visible).join(", "))));
  fill(place, element("h2", { id: "changes" }, "Changed while it ran"), table("Changes", ["At", "What", "Of", "From → to", "Reason", "By"], rows));
}
