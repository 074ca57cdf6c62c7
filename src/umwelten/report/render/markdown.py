"""The report as Markdown, written row by row. Foreign text is inert: it is shown, never interpreted."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TextIO

from umwelten.phrases import Spelling, by_name
from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.report import recommendations
from umwelten.report.advice import advice, queues
from umwelten.report.columns import markdown_columns
from umwelten.report.models import CallResult, Cost, Figures, Overview, Throttling
from umwelten.report.queries import overviews
from umwelten.report.queries.attempts import ANSWERED
from umwelten.report.queries.rankings import shown_rankings
from umwelten.report.queries.schema_validation import Validation, mark_in_words, validation
from umwelten.report.queries.status import UNFINISHED
from umwelten.report.queries.stored_failures import MOST_IN_REPORTS, failures_by_message
from umwelten.report.queries.throttling import WAITED_FOR
from umwelten.report.render import agreement_section, schema_section, tools_section
from umwelten.report.render.markdown_text import cell, code_block, table
from umwelten.report.render.ranking_markdown import write_own_ranking, write_rankings_of
from umwelten.report.render.schema_section import summary_of
from umwelten.report.render.scores_markdown import write_scores
from umwelten.report.render.worker_rows import HEAD, worker_rows
from umwelten.report.schema_fields import Field, Record, compact, fields_of, record_of, schema_of
from umwelten.report.status_words import status_text
from umwelten.store.reader import Reader
from umwelten.text import formatting

_FIELD = 40
_COLUMNS = 8
_MESSAGE = 300


def render_markdown(
    reader: Reader,
    out: TextIO,
    *,
    short: bool = False,
    vendors: Mapping[str, Vendor] = VENDORS,
    spelling: Spelling = by_name,
    full: bool = False,
) -> None:
    """Write the report: settings, summary, models side by side, failures with advice, every result.

    Answers are whole for a run, and for a batch with `full`, else shortened to one line. Short: without the
    prompt's text and the results. `vendors`, `spelling`: as for `advice`.
    """
    with overviews.snapshot(reader):
        overview, ranked = overviews.overview(reader), shown_rankings(reader)
        out.write(f"# {cell(overview.evaluation.id)}\n\n")
        write_own_ranking(ranked, out)
        _settings(reader, overview, out, short=short)
        _summary(overview, out, vendors)
        _models(overview, out)
        write_rankings_of(ranked, out)
        write_scores(reader, overview, out, short=short)
        _time(overview, out)
        tools_section.write_markdown(overview, out)
        _failures(reader, overview, out, partial(advice, vendors=vendors, spelling=spelling))
        _schema(reader, out)
        if not short:
            _results(reader, overview, out, full=full)


def render_markdown_of_all(
    readers: Sequence[Reader],
    out: TextIO,
    *,
    short: bool = False,
    vendors: Mapping[str, Vendor] = VENDORS,
    spelling: Spelling = by_name,
    full: bool = False,
) -> None:
    """Write the reports of one or several evaluations; several are compared in a table in front."""
    if len(readers) > 1:
        out.write(f"# {len(readers)} evaluations\n\n")
        head = ("evaluation", "status", "calls", "succeeded", "success", "wall time", "p50", "cost")
        table(out, head, map(_evaluation_row, readers), numbers_from=2)
    for reader in readers:
        render_markdown(reader, out, short=short, vendors=vendors, spelling=spelling, full=full)


def _evaluation_row(reader: Reader) -> tuple[str, ...]:
    with overviews.snapshot(reader):
        overview = overviews.overview(reader)
    figures = overview.summary
    return (
        cell(overview.evaluation.id),
        status_text(overview.evaluation.status, failed=figures.failed, pending=figures.pending),
        f"{figures.calls:,}",
        f"{figures.succeeded:,}",
        formatting.percent(figures.success_rate),
        formatting.seconds(figures.wall_s),
        formatting.seconds(figures.p50_s),
        _cost(overview.cost),
    )


# --- sections ------------------------------------------------------------------------------------


def _settings(reader: Reader, overview: Overview, out: TextIO, *, short: bool) -> None:
    evaluation = overview.evaluation
    settings = overview.settings
    rows = [("status", _status(reader, overview)), ("type", evaluation.type)]
    rows.append(("started", evaluation.started_at))
    rows.append(("finished", evaluation.finished_at or formatting.UNKNOWN))
    rows.append(("models", ", ".join(cell(name) for name in evaluation.models)))
    prompts = evaluation.prompts or ()
    if prompts:
        rows.append(("prompts", ", ".join(cell(prompt.name) for prompt in prompts)))
    if settings.repeats > 1:
        rows.append(("repeats", str(settings.repeats)))
    rows += [(cell(name), cell(value)) for name, value in settings.parameters]
    rows += [(f"variant {cell(one.name)}", cell(one.words)) for one in settings.variants or ()]
    if settings.attachments:
        rows.append(("attachments", ", ".join(cell(name) for name in settings.attachments)))
    if settings.tools:
        rows.append(("tools", cell(tools_section.settings_of(settings.tools), 1000)))
    if settings.price_lists:
        rows.append(("prices of", ", ".join(map(cell, settings.price_lists))))
    table(out, ("setting", "value"), rows)
    if short:
        return
    for prompt in prompts:
        out.write(f"Prompt {cell(prompt.name)}:\n\n{code_block(prompt.text)}\n")
    if not prompts:
        out.write(f"Prompt:\n\n{code_block(evaluation.prompt)}\n")
    if evaluation.system is not None:
        out.write(f"System:\n\n{code_block(evaluation.system)}\n")
    for variant in settings.variants or ():
        if variant.system:
            out.write(f"System of {cell(variant.name)}:\n\n{code_block(variant.system)}\n")


def _status(reader: Reader, overview: Overview) -> str:
    word, figures = overview.evaluation.status, overview.summary
    runs = overviews.runs(reader)
    reason = runs[-1].reason if runs and word in UNFINISHED else None
    told = cell(reason) if reason else None
    return status_text(word, failed=figures.failed, pending=figures.pending, reason=told)


def _summary(overview: Overview, out: TextIO, vendors: Mapping[str, Vendor]) -> None:
    figures, usage = overview.summary, overview.cost.usage
    providers = {model.partition(":")[0] for model in overview.evaluation.models}
    speed = formatting.speedup(figures.speedup, queues=queues(providers, vendors))
    together = f"{formatting.seconds(figures.sequential_s)} of calls in {formatting.seconds(figures.wall_s)}"
    out.write("## Summary\n\n")
    rows = [
        ("calls", _calls(figures)),
        ("time", f"{together}: {speed}" if speed else together),
        ("in flight", f"{figures.peak_in_flight:,} at most"),
        ("throughput", _per_second(figures)),
        (
            "tokens",
            f"{formatting.tokens(usage.input_tokens)} in, {formatting.tokens(usage.output_tokens)} out",
        ),
        ("cost", _cost(overview.cost)),
    ]
    table(out, ("", ""), rows)


def _models(overview: Overview, out: TextIO) -> None:
    columns = markdown_columns()
    models = ((cell(row.label), *(column.show(row) for column in columns)) for row in overview.models)
    out.write("## Models\n\n")
    table(out, ("model", *(column.markdown for column in columns)), models, numbers_from=1)
    if overview.picks:
        most = (overview.most_expensive,) if overview.most_expensive is not None else ()
        rows = [(pick.what, cell(pick.label), cell(pick.why)) for pick in (*overview.picks, *most)]
        table(out, ("which one", "model", "because"), rows)
        if overview.left_out:
            names = "; ".join(f"{cell(row.label)}, {cell(row.why)}" for row in overview.left_out)
            out.write(f"Left out of cheapest, fastest and best value: {names}.\n\n")
    projected = list(recommendations.projection(overview.models))
    if projected:
        out.write("If further calls went like these, with as many in flight:\n\n")
        sizes = ("model", *(f"{size:,} calls" for size in recommendations.SIZES))
        table(out, sizes, _projections(projected), numbers_from=1)


def _projections(projected: Sequence[recommendations.Projection]) -> Iterator[tuple[str, ...]]:
    for model in dict.fromkeys(projection.model for projection in projected):
        own = (projection for projection in projected if projection.model == model)
        sums = (f"{formatting.money(row.cost_usd)}, {formatting.seconds(row.wall_s)}" for row in own)
        yield (cell(model), *sums)


def _time(overview: Overview, out: TextIO) -> None:
    """Where the time went, and what became of the limits; nothing if every attempt was an answer."""
    if any(row.outcome != ANSWERED for row in overview.attempts):
        out.write("## Attempts\n\n")
        spent = (
            (cell(row.label), cell(row.outcome), f"{row.attempts:,}", formatting.seconds(row.time_s),
             formatting.money(row.cost_usd))
            for row in overview.attempts
        )  # fmt: skip
        table(out, ("model", "outcome", "attempts", "time in flight", "cost"), spent, numbers_from=2)
    if any(row.cuts for row in overview.throttling):
        out.write("## Throttling\n\n")
        lanes = (
            (cell(row.lane), f"{row.changes:,}", f"{row.cuts:,}", *_levels(row))
            for row in overview.throttling
        )
        head = ("lane", "limit moved", "cut", "lowest", "highest", "at the end")
        table(out, head, lanes, numbers_from=1)
    if overview.changes:
        out.write("## Changed while it ran\n\n")
        made = ((cell(row.at), cell(row.words), cell(row.by)) for row in overview.changes)
        table(out, ("at", "change", "by"), made)
    if overview.workers:
        out.write("## Workers\n\n")
        table(out, HEAD, (tuple(map(cell, row)) for row in worker_rows(overview.workers)), numbers_from=4)
    if overview.attributions:
        out.write("## What each lane waited for\n\n")
        waits = (
            (cell(row.lane), cell(WAITED_FOR.get(row.reason, row.reason)), formatting.seconds(row.seconds),
             formatting.percent(row.share))
            for row in overview.attributions
        )  # fmt: skip
        table(out, ("lane", "waited for", "time", "share"), waits, numbers_from=2)


def _levels(row: Throttling) -> tuple[str, ...]:
    return tuple(formatting.level(value) for value in (row.lowest, row.highest, row.last))


def _failures(reader: Reader, overview: Overview, out: TextIO, advise: Callable[..., str]) -> None:
    groups = failures_by_message(reader, MOST_IN_REPORTS) if overview.summary.failed else ()
    rows = [
        (cell(group.kind), f"{group.count:,}", cell(group.message, _MESSAGE),
         advise(group.kind, message=group.message, providers=group.providers))
        for group in groups
    ]  # fmt: skip
    if rows:
        out.write("## Failures\n\n")
        table(out, ("kind", "calls", "example", "what to do"), rows)
    refused = overviews.refused_models(reader) if overview.summary.pending else ()
    if refused:
        out.write("## Stopped\n\nThese models' calls are pending, because the provider refused them all.\n\n")
        stopped = [
            (cell(row.model), cell(row.message, _MESSAGE),
             advise("unavailable", message=row.message, providers=(row.provider,)))
            for row in refused
        ]  # fmt: skip
        table(out, ("model", "reason", "what to do"), stopped)


def _schema(reader: Reader, out: TextIO) -> None:
    """How well the answers kept to their schema."""
    figures = validation(reader)
    if figures is None:
        return
    out.write(f"## Records\n\n{cell(summary_of(figures), 1000)}.\n\n")
    table(out, schema_section.HEAD, (tuple(map(cell, row)) for row in schema_section.markdown_rows(figures)))
    if len(figures.models) > 1:
        rows = (tuple(map(cell, row)) for row in schema_section.model_rows(figures))
        table(out, schema_section.MODEL_HEAD, rows, numbers_from=1)
    _agreement(figures, out)


def _agreement(figures: Validation, out: TextIO) -> None:
    """Values by model, and how far models and repeats agree."""
    section = agreement_section
    agreed = False
    for title, head, found in (
        ("Values by model", section.VALUES_HEAD, section.value_rows(figures)),
        ("Agreement between models", section.MODELS_HEAD, section.model_rows(figures)),
        ("Agreement between repeats", section.REPEATS_HEAD, section.repeat_rows(figures)),
    ):
        rows = [tuple(cell(word, _MESSAGE) for word in row) for row in found]
        if rows:
            out.write(f"### {title}\n\n")
            table(out, head, rows, numbers_from=3 if head is section.VALUES_HEAD else 2)
            agreed = agreed or head is not section.VALUES_HEAD
    if agreed:
        out.write(f"{section.NOTE}\n\n")


def _results(reader: Reader, overview: Overview, out: TextIO, *, full: bool) -> None:
    if not overview.summary.succeeded + overview.summary.failed:
        return
    results = overviews.results(reader)
    repeats = overview.settings.repeats > 1
    fields = fields_of([schema_of(reader)])
    if full or overview.evaluation.type == "run":
        out.write("## Answers\n\n")
        for result in results:
            out.write(_answer(result, repeats, fields))
        return
    shown = fields if len(fields) <= _COLUMNS else ()
    titles = [cell(field.name, _FIELD) for field in shown] or ["answer"]
    tools = ("tools",) if overview.tools is not None else ()
    head = ("file", "model", *(("repeat",) if repeats else ()), "time", "tokens", "cost", *tools, *titles)
    out.write("## Results\n\n")
    table(out, head, (_result(result, repeats, shown, tools=bool(tools)) for result in results))


def _answer(result: CallResult, repeats: bool, fields: Sequence[Field]) -> str:
    title = cell(result.label) + (f" ({result.repeat})" if repeats else "")
    title = title if result.file is None else f"{cell(result.file)}, {title}"
    time, used, cost = _facts(result)
    words = (*tools_section.words_of(result), *map(mark_in_words, result.marks))
    facts = ", ".join((time, f"{used} tokens", cost, *map(cell, words)))
    if result.error is not None:
        message = f"**failed** ({cell(result.error.kind)}): {cell(result.error.message, _MESSAGE)}"
        kept = f"{code_block(result.error.answer)}\n" if result.error.answer else ""
        return f"### {title}\n\n{facts}\n\n{message}\n\n{kept}"
    return f"### {title}\n\n{facts}\n\n{_record(result, fields)}{code_block(result.response or '')}\n"


def _record(result: CallResult, fields: Sequence[Field]) -> str:
    """The record of an answer as a table."""
    if result.data is None:
        return ""
    record, out = record_of(result.data), io.StringIO()
    rows = ((cell(field.name), _value(record, field)) for field in fields)
    table(out, ("field", "value"), rows)
    return out.getvalue()


def _value(record: Record, field: Field) -> str:
    value = record.get(field.name)
    if value is None:
        return formatting.UNKNOWN
    return cell(value if isinstance(value, str) else compact(value))


def _result(result: CallResult, repeats: bool, fields: Sequence[Field], *, tools: bool) -> tuple[str, ...]:
    number = (str(result.repeat),) if repeats else ()
    used = (cell(tools_section.cell_of(result)),) if tools else ()
    answer = _cells(result, fields)
    return (cell(result.file or ""), cell(result.label), *number, *_facts(result), *used, *answer)


def _cells(result: CallResult, fields: Sequence[Field]) -> tuple[str, ...]:
    """The record, or the answer in one cell, or why there is none."""
    if result.data is not None and fields:
        record = record_of(result.data)
        return tuple(_value(record, field) for field in fields)
    if result.error is None:
        answer = cell(result.response or "")
    else:
        answer = f"**failed** ({cell(result.error.kind)}): {cell(result.error.message)}"
    return (answer, *("" for _ in fields[1:]))


def _facts(result: CallResult) -> tuple[str, str, str]:
    metrics = result.metrics
    used = f"{formatting.tokens(metrics.input_tokens)} → {formatting.tokens(metrics.output_tokens)}"
    return formatting.seconds(metrics.response_s), used, formatting.money(metrics.cost_usd)


# --- pieces --------------------------------------------------------------------------------------


def _calls(figures: Figures) -> str:
    parts = [f"{formatting.count(figures.calls, 'call')}: {figures.succeeded:,} succeeded"]
    parts += [f"{figures.failed:,} failed"] if figures.failed else []
    parts += [f"{figures.pending:,} pending"] if figures.pending else []
    return ", ".join(parts)


def _per_second(figures: Figures) -> str:
    rate = figures.throughput_per_s
    return formatting.UNKNOWN if rate is None else f"{formatting.short(rate)} calls/s"


def _cost(cost: Cost) -> str:
    return formatting.cost(cost.total_usd, cost.unpriced_calls)
