"""The sections of an HTML report that are written as they are read: all but the answers and the plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from umwelten.phrases import Spelling
from umwelten.providers.protocol import Vendor
from umwelten.report import recommendations
from umwelten.report.advice import advice
from umwelten.report.columns import html_columns
from umwelten.report.models import LaneAttribution
from umwelten.report.queries import overviews
from umwelten.report.queries.stored_failures import MOST_IN_REPORTS, failures_by_message
from umwelten.report.queries.throttling import WAITED_FOR
from umwelten.report.render import (
    glance_section,
    glossary,
    page,
    picks_section,
    ranking_section,
    schema_section,
    scores_section,
    settings_section,
)
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import section, table, text
from umwelten.report.render.tools_section import tools_as_html
from umwelten.report.render.worker_rows import HEAD, worker_rows
from umwelten.text import formatting

_MODELS = {False: "Models", True: "Calls of judges"}
"""The heading of the models' figures; `True`: all evaluations of the page were made to rank."""


def all_of(
    parts: Sequence[ReportSection], vendors: Mapping[str, Vendor], spelling: Spelling, *, short: bool
) -> Iterator[str]:
    """The body, up to the data: a summary by model, then the answers, then the rest."""
    yield _header(parts, short)
    yield "<main>\n"
    yield glance_section.as_html(parts, vendors)
    yield section("ranking", "Ranking", *_rankings(parts))
    ranked = all(part.rankings.is_ranking for part in parts)
    yield _recommendations(parts)
    of_judges = glance_section.figures_of(parts[0], vendors) if ranked and len(parts) == 1 else ""
    yield section("models", _MODELS[ranked], of_judges, _models(parts))
    yield "" if short else page.fragment("answers")
    yield section("scores", "Scores", *_scores(parts, short=short))
    yield section("records", "Records", *_records(parts))
    yield section(
        "failures", "Failures", *_failures(parts, partial(advice, vendors=vendors, spelling=spelling))
    )
    yield section("tools", "Tools", *tools_as_html([part.overview for part in parts]))
    yield section("plots", "Speed and cost", page.fragment("plots"))
    yield section(
        "time",
        "Over time",
        '<div id="timelines" class="plots"></div>\n',
        _throttling(parts),
        _attempts(parts),
        _workers(parts),
        _lane_waits(parts),
    )
    yield section("more", "What more would cost", _projection(parts))
    yield section(
        "settings",
        "What was sent",
        *(settings_section.as_html(part, spelling, opened=len(parts) == 1) for part in parts),
    )
    shaped, scored = any(part.validation for part in parts), any(part.scores for part in parts)
    used = any(part.overview.tools for part in parts)
    ranked_too = any(part.rankings.own or part.rankings.others for part in parts)
    words = glossary.as_html(records=shaped, scores=scored, tools=used, rankings=ranked_too)
    yield section("words", "What the figures mean", words)
    yield "</main>\n<footer><p>Made by <b>umwelten</b> from what is stored. "
    yield "This file asks no server for anything. "
    yield '<button type="button" id="show-licences">Licences of its libraries</button></p>'
    yield '<pre id="licence-text" hidden tabindex="0"></pre></footer>\n'


# --- head ----------------------------------------------------------------------------------------


def _header(parts: Sequence[ReportSection], short: bool) -> str:
    ranked = all(part.rankings.is_ranking for part in parts)
    links = [
        ("ranking", "Ranking", any(_has_rankings(part) for part in parts)),
        ("models", _MODELS[ranked], True),
        ("answers", "Answers", not short),
        ("scores", "Scores", any(part.scores for part in parts)),
        ("records", "Records", any(part.validation for part in parts)),
        ("failures", "Failures", any(part.overview.errors for part in parts)),
        ("tools", "Tools", any(part.overview.tools for part in parts)),
        ("plots", "Speed and cost", True),
        ("time", "Time", True),
        ("settings", "What was sent", True),
        ("words", "Terms", True),
    ]
    anchors = "".join(f'<a href="#{id_}">{title}</a>' for id_, title, there in links if there)
    first = "models" if short else "answers"
    return (
        f'<a class="skip" href="#{first}">Skip to the {first}</a>\n'
        '<div class="top"><header class="top"><span class="mark">umwelten</span>'
        f'<nav aria-label="Sections">{anchors}</nav>'
        '<button type="button" id="theme">Theme: auto</button></header></div>\n'
    )


# --- models --------------------------------------------------------------------------------------


def _recommendations(parts: Sequence[ReportSection]) -> str:
    several = len(parts) > 1
    # Which judge is the cheapest is nothing that a ranking is read for.
    parts = [part for part in parts if not part.rankings.is_ranking]
    names = [part.id if several else "" for part in parts]
    cards = "".join(
        picks_section.cards(part.overview, part.scores, of=name)
        for part, name in zip(parts, names, strict=True)
    )
    left = "".join(
        picks_section.left_out(part.overview, of=name) for part, name in zip(parts, names, strict=True)
    )
    return f'<section id="choice"><ul class="picks">{cards}</ul>\n{left}</section>\n' if cards else ""


def _has_rankings(part: ReportSection) -> bool:
    found = part.rankings
    return bool(found.is_ranking or found.others or found.unread)


def _rankings(parts: Sequence[ReportSection]) -> Iterator[str]:
    for part in parts:
        yield from ranking_section.as_html(part.rankings, of=part.id if len(parts) > 1 else "")


def _scores(parts: Sequence[ReportSection], *, short: bool) -> Iterator[str]:
    for part in parts:
        if part.scores is not None:
            of = part.id if len(parts) > 1 else ""
            yield from scores_section.as_html(part.scores, part.score_details(), of=of, cells=not short)


def _models(parts: Sequence[ReportSection]) -> str:
    columns = html_columns()
    head = [*_evaluation_head(parts), "model", *(column.html for column in columns)]
    rows = [
        [*_evaluation_cell(part, parts), text(row.label), *(text(column.show(row)) for column in columns)]
        for part in parts
        for row in part.overview.models
    ]
    figures = [[column.value(row) for column in columns] for part in parts for row in part.overview.models]
    return table(head, rows, name="Models side by side", words=len(head) - len(columns), figures=figures)


def _projection(parts: Sequence[ReportSection]) -> str:
    rows = []
    for part in parts:
        projections = recommendations.projection(part.overview.models)
        for model in dict.fromkeys(row.model for row in projections):
            sums = [_projection_cell(row) for row in projections if row.model == model]
            rows.append([*_evaluation_cell(part, parts), text(model), *sums])
    head = [*_evaluation_head(parts), "model"]
    sizes = [f"{size:,} calls" for size in recommendations.SIZES]
    note = "<p>If further calls went like these, with as many in flight.</p>\n"
    body = table([*head, *sizes], rows, name="Projection", words=len(head))
    return note + body if body else ""


def _projection_cell(row: recommendations.Projection) -> str:
    return f"{formatting.money(row.cost_usd)} <small>{formatting.seconds(row.wall_s)}</small>"


# --- time ----------------------------------------------------------------------------------------


def _throttling(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(row.lane), f"{row.changes:,}", f"{row.cuts:,}",
         formatting.level(row.lowest), formatting.level(row.highest), formatting.level(row.last)]
        for part in parts
        for row in part.overview.throttling
    ]  # fmt: skip
    head = [*_evaluation_head(parts), "lane", "limit moved", "cut", "lowest", "highest", "at the end"]
    return _subsection("How the limits moved", table(head, rows, name="Limits", words=len(head) - 5))


def _attempts(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(row.label), text(row.outcome.replace("_", " ")),
         f"{row.attempts:,}", formatting.seconds(row.time_s), formatting.money(row.cost_usd)]
        for part in parts
        for row in part.overview.attempts
    ]  # fmt: skip
    head = [*_evaluation_head(parts), "model", "outcome", "attempts", "time in flight", "cost"]
    return _subsection(
        "What the time in flight went to", table(head, rows, name="Attempts", words=len(head) - 3)
    )


def _workers(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), *map(text, row)]
        for part in parts
        for row in worker_rows(part.overview.workers)
    ]
    head = [*_evaluation_head(parts), *HEAD]
    return _subsection("What each worker did", table(head, rows, name="Workers", words=len(head) - 3))


def _lane_waits(parts: Sequence[ReportSection]) -> str:
    rows = [
        [*_evaluation_cell(part, parts), text(lane), _bar(own), "<br>".join(map(_wait, own))]
        for part in parts
        for lane, own in _by_lane(part).items()
    ]
    head = [*_evaluation_head(parts), "lane", "share of the wall time", "waited for"]
    return _subsection("What each lane waited for", table(head, rows, name="Waits", words=9))


def _by_lane(part: ReportSection) -> dict[str, list[LaneAttribution]]:
    lanes: dict[str, list[LaneAttribution]] = {}
    for row in part.overview.attributions:
        lanes.setdefault(row.lane, []).append(row)
    return lanes


def _bar(rows: Sequence[LaneAttribution]) -> str:
    """Shares as a bar; the words beside it say the same."""
    pieces, left = "", 0.0
    for row in rows:
        pieces += (
            f'<rect class="{_shade(row.reason)}" x="{left:.2f}" width="{row.share * 100:.2f}" height="6"/>'
        )
        left += row.share * 100
    return (
        f'<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{pieces}</svg>'
    )


def _wait(row: LaneAttribution) -> str:
    words = text(WAITED_FOR.get(row.reason, row.reason))
    figures = f"{formatting.seconds(row.seconds)}, {formatting.percent(row.share)}"
    return (
        f'<span class="dot {_shade(row.reason)}" aria-hidden="true"></span>{words} <small>{figures}</small>'
    )


def _shade(reason: str) -> str:
    """A class of the colours that the plots use; a reason has the same everywhere."""
    reasons = list(WAITED_FOR)
    return f"s{reasons.index(reason) % 8}" if reason in reasons else "s7"


def _subsection(title: str, body: str) -> str:
    return f"<h3>{title}</h3>\n{body}" if body else ""


def _evaluation_cell(part: ReportSection, parts: Sequence[ReportSection]) -> list[str]:
    return [text(part.id)] if len(parts) > 1 else []


def _evaluation_head(parts: Sequence[ReportSection]) -> list[str]:
    return ["evaluation"] if len(parts) > 1 else []


# --- records, failures and settings -----------------------------------------------------------------------


def _records(parts: Sequence[ReportSection]) -> Iterator[str]:
    for part in parts:
        if part.validation is not None:
            yield schema_section.as_html(part.validation, part.id if len(parts) > 1 else "")


def _failures(parts: Sequence[ReportSection], advise: Callable[..., str]) -> Iterator[str]:
    failed, stopped = [], []
    for part in parts:
        groups = failures_by_message(part.reader, MOST_IN_REPORTS) if part.overview.summary.failed else ()
        for group in groups:
            what = advise(group.kind, message=group.message, providers=group.providers)
            cells = [text(group.kind), f"{group.count:,}", text(group.message[:500]), text(what)]
            failed.append([*_evaluation_cell(part, parts), *cells])
        for row in overviews.refused_models(part.reader) if part.overview.summary.pending else ():
            what = advise("unavailable", message=row.message, providers=(row.provider,))
            stopped.append(
                [*_evaluation_cell(part, parts), text(row.model), text(row.message[:500]), text(what)]
            )
    head = _evaluation_head(parts)
    yield table([*head, "kind", "calls", "example", "what to do"], failed, name="Failures", words=9)
    head = [*head, "model", "reason", "what to do"]
    yield _subsection("Stopped: all calls refused", table(head, stopped, name="Stopped", words=9))
