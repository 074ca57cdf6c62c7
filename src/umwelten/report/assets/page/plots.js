// Plots by uPlot, drawn again whenever colours or widths change.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const series = (n) => colour(`--series-${n % 8}`);
const dot = (n) => element("span", { class: `dot s${n % 8}`, "aria-hidden": "true" });
const drawn = [];

function axis(label, format, more = {}) {
  const grid = { stroke: colour("--rule"), width: 1 };
  const font = '12px -apple-system, "Segoe UI", Inter, Roboto, "Liberation Sans", sans-serif';
  const values = format ? (_, ticks) => ticks.map((tick) => (tick == null ? "" : format(tick))) : undefined;
  return { label, labelSize: 22, font, labelFont: font, stroke: colour("--muted"), grid, ticks: grid, values, ...more };
}

function plot(place, options, data) {
  const entry = { place, options, data };
  drawn.push(entry);
  paint(entry);
}

// Two plots fit side by side on a sheet of A4 or Letter.
const SHEET = 335;
let onPaper = false;

function paint(entry) {
  entry.made?.destroy();
  const width = onPaper ? SHEET : Math.max(entry.place.clientWidth, 240);
  const height = Number(entry.place.dataset.height ?? 300) * (onPaper ? 0.75 : 1);
  entry.made = new uPlot({ width, height, ...entry.options() }, entry.data(), entry.place);
}

// A legend's value where the pointer is; nothing while it is elsewhere.
const said = (format) => (_, value) => (value == null ? "" : format(value));

const repaint = () => drawn.forEach(paint);

const short = (value) => (value >= 60 ? minutes(value) : `${Number(value.toPrecision(3))} s`);

// --- how soon answers came ---

function spreadPlot() {
  const models = meta.models.filter((model) => meta.spread[model.n]);
  if (!models.length) return false;
  const marks = [...new Set(models.flatMap((model) => meta.spread[model.n]))].sort((a, b) => a - b);
  const low = Math.max(marks[0], 0.001);
  const high = Math.max(marks.at(-1), low * 1.05);
  const wide = high / low > 30;
  const lines = models.map((model) => {
    const times = meta.spread[model.n];
    let n = 0;
    return marks.map((mark) => {
      while (n < times.length && times[n] <= mark) n += 1;
      return n;
    });
  });
  plot(
    byId("plot-spread"),
    () => ({
      scales: {
        x: { time: false, distr: wide ? 3 : 1, range: wide ? [low / 1.15, high * 1.15] : [0, high * 1.04] },
        y: { range: [0, 103] },
      },
      cursor: { drag: { x: false, y: false } },
      axes: [axis("seconds to the whole answer", (tick) => Number(tick.toPrecision(3))), axis(null, (tick) => `${tick}%`, { size: 48 })],
      series: [
        { label: "within", value: said(seconds) },
        ...models.map((model) => ({
          label: model.label,
          stroke: series(model.n),
          width: 2,
          points: { show: false },
          paths: uPlot.paths.stepped({ align: 1 }),
          value: said((value) => `${value}%`),
        })),
      ],
    }),
    () => [marks.map((mark) => Math.max(mark, low)), ...lines],
  );
  return true;
}

// --- cost against service ---

const SERVICE = {
  p50: ["seconds at the median", short],
  p95: ["95% answered within, seconds", short],
  rate: ["calls answered", (value) => `${Math.round(value * 1000) / 10}%`],
  speed: ["output tokens a second", (value) => Number(value.toPrecision(3))],
};

function servicePlot() {
  const priced = meta.models.filter((model) => model.cost != null && model.p50 != null);
  if (!priced.length) return false;
  const chosen = () => byId("service").value;
  const models = [...priced].sort((a, b) => a.cost - b.cost);
  const dearest = Math.max(...models.map((model) => model.cost));
  const top = () => Math.max(...models.map((model) => model[chosen()] ?? 0)) * 1.18 || 1;
  plot(
    byId("plot-service"),
    () => ({
      scales: {
        x: { time: false, range: [0, dearest * 1.12 || 1] },
        y: { range: () => (chosen() === "rate" ? [0, 1.08] : [0, top()]) },
      },
      legend: { show: false },
      cursor: { show: false },
      axes: [axis("dollars per 1,000 calls", (tick) => money(tick)), axis(SERVICE[chosen()][0], SERVICE[chosen()][1], { size: 64 })],
      hooks: { draw: [(made) => label(made, models, chosen())] },
      series: [{}, ...models.map((model) => ({ label: model.label, paths: () => null, points: { show: true, size: 12, fill: series(model.n), stroke: series(model.n) } }))],
    }),
    () => [models.map((model) => model.cost), ...models.map((own) => models.map((model) => (model === own ? own[chosen()] : null)))],
  );
  byId("service").addEventListener("change", repaint);
  return true;
}

function label(made, models, key) {
  const { ctx, bbox } = made;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${12 * ratio}px -apple-system, "Segoe UI", Inter, Roboto, "Liberation Sans", sans-serif`;
  ctx.fillStyle = colour("--ink");
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  const placed = [];
  for (const model of models.filter((one) => one[key] != null)) {
    const x = made.valToPos(model.cost, "x", true);
    let y = made.valToPos(model[key], "y", true) - 11 * ratio;
    const width = ctx.measureText(model.label).width;
    const left = Math.min(Math.max(x - width / 2, bbox.left + 4 * ratio), bbox.left + bbox.width - width - 4 * ratio);
    const hits = (p) => left < p.left + p.width + 6 * ratio && p.left < left + width + 6 * ratio && Math.abs(p.y - y) < 14 * ratio;
    for (let tries = 0; placed.some(hits) && tries < 12; tries += 1) y -= 15 * ratio;
    placed.push({ left, width, y });
    ctx.fillText(model.label, left, y);
  }
  ctx.restore();
}

// --- over time ---

const LANES = 12;

function timelinePlots() {
  const lanes = meta.timelines.flatMap((timeline, evaluation) =>
    timeline.lanes.map((lane) => ({ timeline, lane, title: several ? `${meta.evaluations[evaluation]} › ${lane.name}` : lane.name })),
  );
  // Places first: a plot takes the width that its place has once all are there.
  const draws = lanes.slice(0, LANES).map(timelinePlace);
  draws.forEach((drawIt) => drawIt());
  const left = lanes.length - LANES;
  if (left > 0) byId("timelines").after(element("p", { class: "note" }, `${counted(left, "further lane")} not drawn.`));
  return lanes.length > 0;
}

// A lane's colour is that of its model where it has one of its own.
const laneColour = (name, n) => series(meta.models.find((model) => model.model === name)?.n ?? n);

function timelinePlace({ timeline, lane, title }, n) {
  const total = lane.refused.reduce((sum, value) => sum + value, 0);
  const limited = lane.limit.some((value) => value != null);
  const peak = Math.max(...lane.in_flight);
  const said = `In flight at ${title}: at most ${peak.toFixed(1)} on average in a step; ${counted(total, "refusal")}`;
  const place = element("div", { class: "plot", role: "img", "aria-label": said, "data-height": 200 });
  const note = total ? `${counted(total, "attempt")} refused` : "nothing refused";
  byId("timelines").append(element("figure", {}, element("figcaption", {}, element("b", {}, title), ` ${note}`), place));
  const times = lane.in_flight.map((_, step) => step * timeline.step_s);
  const data = [times, lane.in_flight];
  if (limited) data.push(lane.limit);
  if (total) data.push(lane.refused.map((value) => value || null));
  return () => plot(place, () => timelineOptions(lane.name, n, limited, total), () => data);
}

function timelineOptions(name, n, limited, total) {
  const bars = { points: { show: false }, paths: uPlot.paths.bars({ size: [0.9, 8] }) };
  const stepped = { points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) };
  const own = laneColour(name, n);
  const lines = [{ label: "in flight", stroke: own, fill: `${own}2e`, width: 1.5, ...stepped, value: said((value) => value.toFixed(1)) }];
  if (limited) lines.push({ label: "limit", stroke: colour("--ink"), dash: [5, 4], width: 1.5, ...stepped, value: said((value) => value.toFixed(1)) });
  if (total) lines.push({ label: "refused", stroke: colour("--bad"), fill: colour("--bad"), width: 0, ...bars, value: said(String) });
  return {
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
    cursor: { drag: { x: true, y: false } },
    axes: [axis(null, short), axis(null, null, { size: 40 })],
    series: [{ label: "at", value: said(short) }, ...lines],
  };
}
