// Rankings: what to know first, the board with its intervals drawn, differences, judges.
import { element, fill, table, visible } from "./dom.js";
import { address } from "./place.js";

const [WIDTH, HEIGHT, MARGIN] = [180, 22, 9]; // as in a report

function drawn({ at, low, high, goes_below: below, goes_above: above }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const mark = (tag, attributes) => {
    const made = document.createElementNS(svg.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    svg.append(made);
  };
  const x = (share) => MARGIN + share * (WIDTH - 2 * MARGIN);
  for (const [name, value] of Object.entries({ class: "interval", width: WIDTH, height: HEIGHT, "aria-hidden": "true" })) svg.setAttribute(name, value);
  mark("path", { class: "axis", d: `M${MARGIN} 9H${WIDTH - MARGIN}` });
  if (low != null) {
    mark("rect", { x: x(low), y: 6, width: Math.max(x(high) - x(low), 1), height: 6, rx: 3 });
    if (below) mark("path", { class: "open", d: `M${MARGIN - 1} 4L2 9L${MARGIN - 1} 14` });
    if (above) mark("path", { class: "open", d: `M${WIDTH - MARGIN + 1} 4L${WIDTH - 2} 9L${WIDTH - MARGIN + 1} 14` });
  }
  mark("circle", { cx: x(at), cy: 9, r: 5 });
  return svg;
}

const name = (text) => element("bdi", {}, visible(text));

function board(one) {
  const rows = one.rows.map((row) => element("tr", {},
    element("th", { scope: "row" }, `${row.rank}. `, name(row.name), row.unscored ? element("small", {}, row.unscored) : null),
    element("td", { class: "n" }, row.ranks), element("td", {}, drawn(row.drawn)),
    element("td", { class: "n" }, row.points), element("td", { class: "n" }, row.interval),
    element("td", { class: "n" }, row.won), element("td", { class: "n" }, row.tally), element("td", { class: "n" }, row.cost)));
  return table(`Board of ${visible(one.id)}`, ["Contestant", "#Ranks", one.scale, "#Points", `#${one.level}`, "#Won", "#Won / tied / lost", "#Cost"], rows);
}

function whole(one) {
  const differences = one.differences.map((pair) => element("li", {},
    element("b", {}, name(pair.first)), " − ", element("b", {}, name(pair.second)), " ",
    element("span", { class: pair.told ? null : "untold" }, pair.words)));
  const judges = one.judges.map(([judge, ...figures]) => element("tr", {},
    element("th", { scope: "row" }, name(judge)), figures.map((figure) => element("td", { class: "n" }, figure))));
  return [
    one.rows.length ? element("p", { class: "note" }, one.caption) : null,
    differences.length ? [element("h3", {}, "Differences"), element("ul", { class: "lines" }, differences)] : null,
    judges.length && one.judge_columns.length ? [element("h3", {}, "Judges"), table(`Judges of ${visible(one.id)}`, ["Judge", ...one.judge_columns.map((title) => `#${title}`)], judges)] : null,
    one.notes.length ? element("ul", { class: "lines" }, one.notes.map((note) => element("li", {}, visible(note)))) : null,
  ];
}

export function drawRankings(place, found) {
  place.hidden = !found.is_ranking && !found.boards.length && !found.unread.length;
  if (place.hidden) return;
  const shown = found.boards.map((one) => [
    found.is_ranking ? null : element("h3", {}, element("a", { href: address("evaluation", one.id) }, name(one.id))),
    element("ul", { class: "told-first" }, one.sentences.map((line) => element("li", {}, visible(line)))),
    one.question && found.is_ranking ? element("p", { class: "note" }, "Judges were asked: ", element("q", { dir: "auto" }, visible(one.question))) : null,
    one.rows.length ? board(one) : null,
    found.is_ranking ? whole(one) : null,
  ]);
  fill(place, element("h2", { id: "ranking" }, found.is_ranking ? "Ranking" : "Rankings"), found.nothing ? element("p", {}, visible(found.nothing)) : null, ...found.unread.map((line) => element("p", {}, visible(line))), ...shown.flat(3));
}
