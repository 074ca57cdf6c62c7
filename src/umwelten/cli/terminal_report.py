"""`eval report` on a terminal: tables fitted to its width, then the answers to read.

What only a file has room for (projections, limits, what each lane waited for) is in the other formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from textwrap import wrap

from umwelten.cli.flag_names import as_flag
from umwelten.cli.table_layout import cut, fitted_table
from umwelten.providers.protocol import Vendor
from umwelten.report.advice import advice, queues
from umwelten.report.models import CallResult, ModelRow, Overview
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import open_scores
from umwelten.report.queries.rankings import ShownRankings, shown_rankings
from umwelten.report.queries.schema_validation import mark_in_words, validation
from umwelten.report.queries.score_overview import read_overview
from umwelten.report.queries.status import UNFINISHED
from umwelten.report.queries.stored_failures import failures_by_message
from umwelten.report.render import schema_section, tools_section
from umwelten.report.render.ranking_text import ranking_lines
from umwelten.report.render.ranking_words import NO_RANKING, unread
from umwelten.report.render.scores_text import score_lines
from umwelten.report.render.worker_rows import HEAD as WORKER_HEAD
from umwelten.report.render.worker_rows import worker_rows
from umwelten.report.schema_fields import Field, compact, fields_of, record_of, schema_of
from umwelten.report.status_words import status_text
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe

_READABLE = 100
"""Columns that running text fills at most: longer lines are hard to read."""
_ANSWER_LINES = 8
"""Lines of an answer of a batch; --full shows the rest."""
_MESSAGE = 400
_GROUPS = 10
_LABEL = 10

Style = Callable[[str, str], str]
"""Gives a text a style by name: "bold", "dim", "red", "green", "yellow"."""


def plain(text: str, style: str) -> str:
    """Return the text as it is."""
    return text


def coloured(text: str, style: str) -> str:
    """Return the text between the codes of ECMA-48 that all terminals know."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def report_lines(
    reader: Reader, *, width: int, style: Style, vendors: Mapping[str, Vendor], short: bool, full: bool
) -> Iterator[str]:
    """Yield the lines of a report. `short`: without single calls; `full`: with whole answers."""
    with overviews.snapshot(reader):
        overview, ranked = overviews.overview(reader), shown_rankings(reader)
        yield from _heading(reader, overview, width, style, vendors)
        yield from _ranking(ranked, width, style)
        yield from _models(overview, width, style)
        yield from _rankings_of(ranked, width, style)
        advise = partial(advice, vendors=vendors, spelling=as_flag)
        yield from _failures(reader, overview, width, style, advise)
        yield from _stopped(reader, overview, width, style, advise)
        yield from _changes(overview, width, style)
        yield from _workers(overview, width, style)
        yield from _records(reader, width, style)
        yield from _scores(reader, overview, width, style)
        if not short:
            yield from _answers(reader, overview, width, style, full=full)


# --- parts ---------------------------------------------------------------------------------------


def _heading(
    reader: Reader, overview: Overview, width: int, style: Style, vendors: Mapping[str, Vendor]
) -> Iterator[str]:
    evaluation, figures = overview.evaluation, overview.summary
    runs = overviews.runs(reader) if evaluation.status in UNFINISHED else ()
    reason = one_line(runs[-1].reason, 200) if runs and runs[-1].reason else None
    words = status_text(evaluation.status, failed=figures.failed, pending=figures.pending, reason=reason)
    colour = "green" if figures.succeeded == figures.calls else "yellow" if figures.succeeded else "red"
    yield f"{style(one_line(evaluation.id, 80), 'bold')}  {style(words, colour)}"
    yield ""
    usage = overview.cost.usage
    calls = f"{figures.succeeded:,} of {formatting.count(figures.calls, 'call')} answered"
    calls += f", {figures.failed:,} failed" if figures.failed else ""
    calls += f", {figures.pending:,} pending" if figures.pending else ""
    providers = {model.partition(":")[0] for model in evaluation.models}
    speed = formatting.speedup(figures.speedup, queues=queues(providers, vendors))
    time = formatting.seconds(figures.wall_s) + (f", {speed}" if speed and figures.calls > 1 else "")
    tokens = f"{formatting.tokens(usage.input_tokens)} in, {formatting.tokens(usage.output_tokens)} out"
    cost = formatting.cost(overview.cost.total_usd, overview.cost.unpriced_calls)
    prompts = evaluation.prompts or ()
    prompt = ", ".join(each.name for each in prompts) if prompts else evaluation.prompt
    settings = [f"{name} {value}" for name, value in overview.settings.parameters]
    if overview.settings.tools:
        settings.append(f"tools {tools_section.settings_of(overview.settings.tools)}")
    rows = [
        ("prompts" if prompts else "prompt", one_line(prompt, 3 * width)),
        *([("system", one_line(evaluation.system, width))] if evaluation.system else []),
        *([("settings", one_line(", ".join(settings), 3 * width))] if settings else []),
        ("started", evaluation.started_at[:16].replace("T", " ") + " UTC"),
        ("calls", calls),
        ("time", time),
        ("tokens", tokens),
        ("cost", cost),
    ]
    for name, value in rows:
        yield from _labelled(name, value, width, style)


def _labelled(name: str, text: str, width: int, style: Style) -> Iterator[str]:
    lines = _pieces(text, max(min(width, _READABLE) - _LABEL - 2, 20)) or [""]
    for line in lines:
        yield f"{style(name, 'dim') if name else ''}{' ' * (_LABEL - len(name))}  {line}".rstrip()
        name = ""


def _models(overview: Overview, width: int, style: Style) -> Iterator[str]:
    if len(overview.models) < 2 and not overview.tools:
        return
    rows = overview.models
    yield from _title("Models", style)
    columns: list[tuple[str, Callable[[ModelRow], str]]] = [
        ("answered", lambda row: formatting.percent(row.figures.success_rate)),
        ("failed", lambda row: f"{row.figures.failed:,}"),
        ("median", lambda row: formatting.seconds(row.figures.p50_s)),
        ("cost", lambda row: formatting.short_cost(row.cost.total_usd, row.cost.unpriced_calls)),
        ("per 1,000", lambda row: formatting.money(row.service.cost_per_1k_usd)),
        ("p95", lambda row: formatting.seconds(row.figures.p95_s)),
        ("tokens out", lambda row: formatting.tokens(row.cost.usage.output_tokens)),
        ("tokens/s", lambda row: formatting.rate(row.service.tokens_per_s)),
    ]
    names = [one_line(row.label, 200) for row in rows]
    chosen = _columns_that_fit(columns, rows, names, width)
    table = [[name, *(show(row) for _, show in chosen)] for name, row in zip(names, rows, strict=True)]
    titles = ["model", *(title for title, _ in chosen)]
    yield from _table(titles, table, width, style, shrink=titles[:1], right=titles[1:])
    for pick in overview.picks:
        yield from _labelled(pick.what, f"{pick.label}: {pick.why}", width, style)
    if overview.picks and overview.left_out:
        names = [f"{row.label}, {row.why}" for row in overview.left_out]
        yield from _labelled("left out", "; ".join(names), width, style)


def _columns_that_fit(
    columns: Sequence[tuple[str, Callable[[ModelRow], str]]],
    rows: Sequence[ModelRow],
    names: Sequence[str],
    width: int,
) -> list[tuple[str, Callable[[ModelRow], str]]]:
    """The first columns, as many as there is room for beside names that are hardly cut."""
    left = width - min(max(map(len, names), default=0), max(width // 3, 16))
    chosen = []
    for title, show in columns:
        left -= 2 + max(len(title), *(len(show(row)) for row in rows))
        if left < 0:
            break
        chosen.append((title, show))
    return chosen


def _failures(
    reader: Reader, overview: Overview, width: int, style: Style, advise: Callable[..., str]
) -> Iterator[str]:
    if not overview.summary.failed:
        return
    yield from _title("Failures", style)
    groups = failures_by_message(reader)
    room = max(min(width, _READABLE), 30)
    for group in groups[:_GROUPS]:
        name = (group.file or "").rpartition("/")[2]
        where = f" ({one_line(group.file or '', 60)})" if name and name not in group.message else ""
        text = f"{group.count:,} × {group.kind}: {one_line(group.message, _MESSAGE)}{where}"
        yield from (style(line, "red") for line in _hanging(text, room, ""))
        remedy = advise(group.kind, message=group.message, providers=group.providers)
        yield from _hanging(f"→ {remedy}", room, "  ")
    if len(groups) > _GROUPS:
        yield f"and {formatting.count(len(groups) - _GROUPS, 'other message')}"
    yield style(f"all of them: umwelten eval show {one_line(overview.evaluation.id, 80)} --failed", "dim")


def _stopped(
    reader: Reader, overview: Overview, width: int, style: Style, advise: Callable[..., str]
) -> Iterator[str]:
    """The models whose provider refused all calls, which are pending."""
    refused = overviews.refused_models(reader) if overview.summary.pending else ()
    if not refused:
        return
    yield from _title("Stopped", style)
    room = max(min(width, _READABLE), 30)
    for row in refused:
        text = f"{one_line(row.model, 200)}: {one_line(row.message, _MESSAGE)}"
        yield from (style(line, "red") for line in _hanging(text, room, ""))
        remedy = advise("unavailable", message=row.message, providers=(row.provider,))
        yield from _hanging(f"→ {remedy}", room, "  ")


def _changes(overview: Overview, width: int, style: Style) -> Iterator[str]:
    if not overview.changes:
        return
    yield from _title("Changed while it ran", style)
    room = max(min(width, _READABLE), 30)
    for row in overview.changes:
        at = row.at[:19].replace("T", " ")
        yield from _hanging(f"{at} UTC  {one_line(row.words, 400)} ({one_line(row.by, 400)})", room, "")


def _workers(overview: Overview, width: int, style: Style) -> Iterator[str]:
    if not overview.workers:
        return
    yield from _title("Workers", style)
    rows = [tuple(one_line(cell, 200) for cell in row) for row in worker_rows(overview.workers)]
    words, numbers = WORKER_HEAD[:4], WORKER_HEAD[4:]
    yield from _table(WORKER_HEAD, rows, width, style, shrink=words, right=numbers)


def _records(reader: Reader, width: int, style: Style) -> Iterator[str]:
    found = validation(reader)
    if found is None:
        return
    yield from _title("Records", style)
    yield from _hanging(one_line(schema_section.summary_of(found), 1000), min(width, _READABLE), "")
    rows = [tuple(one_line(cell, 200) for cell in row) for row in schema_section.markdown_rows(found)]
    head = schema_section.HEAD
    kept = [n for n in range(len(head)) if any(row[n] for row in rows)]
    table = [[row[n] for n in kept] for row in rows]
    titles = [head[n] for n in kept]
    words = ("field", "type", "values", "most often wrong")
    yield from _table(
        titles, table, width, style, shrink=words, right=[title for title in titles if title not in words]
    )


def _scores(reader: Reader, overview: Overview, width: int, style: Style) -> Iterator[str]:
    with open_scores(reader) as scores:
        if scores is None:
            return
        found = read_overview(reader, scores, overview.models)
    yield from _title("Scores", style)
    yield from map(safe, score_lines(found, width))


def _ranking(ranked: ShownRankings, width: int, style: Style) -> Iterator[str]:
    """The ranking that the evaluation was made for: all else in the report is about its judges' calls."""
    if not ranked.is_ranking:
        return
    yield from _title("Ranking", style)
    if ranked.own is None:
        yield from _hanging(NO_RANKING, min(width, _READABLE), "")
    else:
        yield from ranking_lines(ranked.own, width)


def _rankings_of(ranked: ShownRankings, width: int, style: Style) -> Iterator[str]:
    if ranked.unread:
        yield from _title("Rankings", style)
    for line in unread(ranked.unread):
        yield from _hanging(line, min(width, _READABLE), "")
    for ranking in ranked.others:
        yield from _title(f"Ranking {one_line(ranking.id, 80)}", style)
        yield from ranking_lines(ranking, width, short=True)


# --- answers -------------------------------------------------------------------------------------


def _answers(reader: Reader, overview: Overview, width: int, style: Style, *, full: bool) -> Iterator[str]:
    if not overview.summary.succeeded + overview.summary.failed:
        return
    yield from _title("Answers", style)
    most = None if full or overview.evaluation.type == "run" else _ANSWER_LINES
    fields, file = fields_of([schema_of(reader)]), None
    for result in overviews.results(reader):
        if result.file is not None and result.file != file:
            file = result.file
            yield style(cut(one_line(file, 1000), max(width, 20), end=False), "bold")
        yield from _answer(result, fields, overview, width, style, most)


def _answer(
    result: CallResult,
    fields: Sequence[Field],
    overview: Overview,
    width: int,
    style: Style,
    most: int | None,
) -> Iterator[str]:
    repeat = f" ({result.repeat})" if overview.settings.repeats > 1 else ""
    metrics = result.metrics
    facts = [formatting.seconds(metrics.response_s), f"{formatting.tokens(metrics.output_tokens)} tokens"]
    facts += [
        formatting.money(metrics.cost_usd),
        *tools_section.words_of(result),
        *map(mark_in_words, result.marks),
    ]
    title = cut(one_line(f"{result.label}{repeat} · {' · '.join(facts)}", 1000), max(width - 2, 20), end=True)
    yield f"  {style(title, 'dim')}"
    if result.error is not None:
        text = f"failed ({result.error.kind}): {one_line(result.error.message, _MESSAGE)}"
        yield from (style(line, "red") for line in _wrapped(text, width))
    elif result.data is not None and fields:
        record = record_of(result.data)
        for field in fields:
            value = record.get(field.name)
            shown = (
                formatting.UNKNOWN if value is None else value if isinstance(value, str) else compact(value)
            )
            yield from _wrapped(f"{one_line(field.name, 40)}: {one_line(shown, 2000)}", width)
    else:
        lines = list(_wrapped(safe(result.response or ""), width)) or ["    (empty)"]
        yield from lines[:most]
        if most is not None and len(lines) > most:
            more = formatting.count(len(lines) - most, "more line")
            yield style(f"    … {more} (--full shows them)", "dim")
    yield ""


def _wrapped(text: str, width: int) -> Iterator[str]:
    """The lines of a text, long ones in pieces, below a call's title."""
    room = max(min(width, _READABLE) - 4, 20)
    for line in text.strip("\n").split("\n"):
        yield from (f"    {piece}".rstrip() for piece in _pieces(line.rstrip(), room))


def _hanging(text: str, width: int, indent: str) -> Iterator[str]:
    """The text in lines, those after the first two blanks further in."""
    first, *rest = _pieces(text, max(width - len(indent) - 2, 20)) or [""]
    yield f"{indent}{first}"
    yield from (f"{indent}  {line}" for line in rest)


def _pieces(line: str, room: int) -> list[str]:
    from rich.cells import cell_len, chop_cells

    if cell_len(line) <= room:
        return [line]
    if line.isascii():
        indent = " " * min(len(line) - len(line.lstrip()), room // 2)
        return wrap(line, room, drop_whitespace=True, subsequent_indent=indent, break_on_hyphens=False)
    pieces = wrap(line, room, break_on_hyphens=False)
    return [part for piece in pieces for part in chop_cells(piece, room)]


def _title(text: str, style: Style) -> Iterator[str]:
    yield ""
    yield style(text, "bold")


def _table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    style: Style,
    *,
    shrink: Sequence[str],
    right: Sequence[str],
) -> Iterator[str]:
    head, *lines = fitted_table(titles, rows, width=width, shrink=shrink, right=right)
    yield style(head, "dim")
    yield from lines
