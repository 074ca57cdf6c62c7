// Pace and limits over the time at work, by uPlot; marks where something was changed.
import { element, visible } from "./dom.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (value) => (value >= 60 ? minutes(value) : `${Number(value.toPrecision(3))} s`);
const FONT = '12px -apple-system, "Segoe UI", Inter, Roboto, "Liberation Sans", sans-serif';
const LANES = 6; // further limits would not be told apart

function axis(format, size) {
  const grid = { stroke: colour("--rule"), width: 1 };
  const values = format ? (_, ticks) => ticks.map((tick) => (tick == null ? "" : format(tick))) : undefined;
  return { font: FONT, stroke: colour("--muted"), grid, ticks: grid, values, size };
}

function draw(place, options, data) {
  const width = Math.max(place.clientWidth, 240);
  return new uPlot({ width, height: 190, ...options }, data, place);
}

const marks = (pace) => ({
  draw: [(plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--accent");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const change of pace.changes) {
      const x = plot.valToPos(change.after_s, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }],
});

export function pacePlots(pace) {
  const times = pace.answered.map((_, step) => (step + 0.5) * pace.step_s);
  const rate = (counts) => counts.map((n) => n / pace.step_s);
  const stepped = { points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) };
  const said = (_, value) => (value == null ? "" : `${Number(value.toPrecision(3))}`);
  const sum = (counts) => counts.reduce((a, b) => a + b, 0);
  const places = [];
  const total = `${counted(sum(pace.answered), "answer")}, ${grouped(sum(pace.refused))} refused, ${grouped(sum(pace.failed))} failed otherwise`;
  const first = element("div", { class: "plot", role: "img", "aria-label": `Attempts that ended a second, over time: ${total}` });
  places.push([first, () => draw(first, {
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 0.1)] } },
    cursor: { drag: { x: true, y: false } },
    hooks: marks(pace),
    axes: [axis(short), axis(null, 48)],
    series: [
      { label: "at", value: (_, value) => (value == null ? "" : short(value)) },
      { label: "answered/s", stroke: colour("--series-0"), fill: `${colour("--series-0")}2e`, width: 1.5, value: said, ...stepped },
      { label: "refused/s", stroke: colour("--series-4"), width: 1.5, value: said, ...stepped },
      { label: "failed/s", stroke: colour("--bad"), width: 1.5, value: said, ...stepped },
    ],
  }, [times, rate(pace.answered), rate(pace.refused), rate(pace.failed)])]);
  const figures = [element("figure", {}, element("figcaption", {}, element("b", {}, "Pace"), ` ${total}`), first)];
  if (pace.lanes.length) {
    const lanes = pace.lanes.slice(0, LANES);
    const second = element("div", { class: "plot", role: "img", "aria-label": `Limits of calls in flight over time: ${lanes.map((lane) => visible(lane.lane)).join(", ")}` });
    const left = pace.lanes.length - lanes.length;
    figures.push(element("figure", {}, element("figcaption", {}, element("b", {}, "Limits"), ` of calls in flight${left ? `; ${left} more not drawn` : ""}`), second));
    places.push([second, () => draw(second, {
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
      cursor: { drag: { x: true, y: false } },
      hooks: marks(pace),
      axes: [axis(short), axis(null, 48)],
      series: [
        { label: "at", value: (_, value) => (value == null ? "" : short(value)) },
        ...lanes.map((lane, n) => ({ label: visible(lane.lane), stroke: colour(`--series-${n % 8}`), width: 1.5, value: said, ...stepped })),
      ],
    }, [times, ...lanes.map((lane) => lane.limit)])]);
  }
  let made = [];
  const paint = () => {
    made.forEach((plot) => plot.destroy());
    made = places.map(([, act]) => act());
  };
  return { node: element("div", { class: "plots" }, figures), paint };
}
