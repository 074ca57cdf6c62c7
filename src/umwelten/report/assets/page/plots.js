// Plots by uPlot, drawn again whenever colours or widths change.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const series = (n) => colour(`--series-${n % 8}`);
// Eight colours that all eyes tell apart; from the ninth model on the shape and the dashes differ as well.
const SHAPES = ["circle", "square", "diamond", "triangle"];
const DASHES = [undefined, [7, 4], [2, 3], [10, 3, 2, 3]];
const turnOf = (n) => Math.floor(n / 8) % SHAPES.length;
const dot = (n) => element("span", { class: `dot s${n % 8} ${SHAPES[turnOf(n)]}`, "aria-hidden": "true" });
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

// The nearest of 1, 2 and 5 times a power of ten, downwards or upwards, where an axis begins or ends.
function round(value, up) {
  const ten = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((step) => Number((step * ten).toPrecision(1)));
  return up ? steps.find((step) => step >= value * (1 - 1e-9)) : steps.findLast((step) => step <= value * (1 + 1e-9));
}

// What the lines or points of a plot are, below it.
function legend(place, models, value) {
  const items = models.map((model) => element("li", {}, dot(model.n), model.label, value ? element("small", {}, ` ${value(model)}`) : null));
  place.parentElement.querySelector(".legend-of")?.remove();
  place.after(element("ul", { class: "legend-of" }, ...items));
}

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
        x: { time: false, distr: wide ? 3 : 1, range: wide ? [round(low, false), round(high, true)] : [0, high * 1.04] },
        y: { range: [0, 103] },
      },
      legend: { markers: { dash: (_, n) => (n && DASHES[turnOf(models[n - 1].n)] ? "dashed" : "solid") } },
      cursor: { drag: { x: false, y: false } },
      axes: [axis("seconds to the whole answer", (tick) => Number(tick.toPrecision(3))), axis(null, (tick) => `${tick}%`, { size: 48 })],
      series: [
        { label: "within", value: said(seconds) },
        ...models.map((model) => ({
          label: model.label,
          stroke: series(model.n),
          width: 2,
          dash: DASHES[turnOf(model.n)],
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
      hooks: { draw: [(made) => points(made, models, chosen())] },
      series: [{}, ...models.map((model) => ({ label: model.label, paths: () => null, points: { show: false } }))],
    }),
    () => [models.map((model) => model.cost), ...models.map((own) => models.map((model) => (model === own ? own[chosen()] : null)))],
  );
  const told = () => legend(byId("plot-service"), models, (model) => `${money(model.cost)}, ${model[chosen()] == null ? UNKNOWN : SERVICE[chosen()][1](model[chosen()])}`);
  told();
  byId("service").addEventListener("change", () => { repaint(); told(); });
  return true;
}

const OUTLINES = {
  circle: (ctx, x, y, r) => ctx.arc(x, y, r, 0, 7),
  square: (ctx, x, y, r) => ctx.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8),
  diamond: (ctx, x, y, r) => [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]].forEach(([a, b]) => ctx.lineTo(x + a * r, y + b * r)),
  triangle: (ctx, x, y, r) => [[0, -1.2], [1.15, 0.9], [-1.15, 0.9]].forEach(([a, b]) => ctx.lineTo(x + a * r, y + b * r)),
};

// A point a model, and its name right beside it where there is room: the names are in the legend anyway.
function points(made, models, key) {
  const { ctx, bbox } = made;
  const ratio = devicePixelRatio;
  const known = models.filter((one) => one[key] != null);
  const spots = known.map((model) => ({ model, x: made.valToPos(model.cost, "x", true), y: made.valToPos(model[key], "y", true) }));
  ctx.save();
  for (const { model, x, y } of spots) {
    ctx.beginPath();
    OUTLINES[SHAPES[turnOf(model.n)]](ctx, x, y, 6 * ratio);
    ctx.closePath();
    ctx.fillStyle = series(model.n);
    ctx.fill();
    ctx.lineWidth = 1.5 * ratio;
    ctx.strokeStyle = colour("--paper");
    ctx.stroke();
  }
  ctx.font = `${12 * ratio}px -apple-system, "Segoe UI", Inter, Roboto, "Liberation Sans", sans-serif`;
  ctx.fillStyle = colour("--ink");
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const taken = spots.map(({ x, y }) => [x - 8 * ratio, y - 8 * ratio, 16 * ratio, 16 * ratio]);
  const free = ([x, y, w, h]) =>
    x >= bbox.left && x + w <= bbox.left + bbox.width && y >= bbox.top - 4 * ratio && y + h <= bbox.top + bbox.height &&
    taken.every(([a, b, c, d]) => x >= a + c || a >= x + w || y >= b + d || b >= y + h);
  for (const { model, x, y } of spots) {
    const [w, h, gap] = [ctx.measureText(model.label).width, 14 * ratio, 10 * ratio];
    const box = [[x + gap, y - h / 2], [x - gap - w, y - h / 2], [x - w / 2, y - gap - h], [x - w / 2, y + gap]].map(([a, b]) => [a, b, w, h]).find(free);
    if (!box) continue;
    taken.push(box);
    ctx.fillText(model.label, box[0], box[1] + h / 2);
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
