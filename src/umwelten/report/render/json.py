"""The report as JSON, written row by row: a report of any length needs the memory of one result.

The shape, whose keys are stable (durations in seconds, money in USD, times ISO 8601 in UTC):

    {"evaluation": {"id", "type", "prompt", "system", "models": ["provider:model", …],
                    "started_at", "finished_at", "status"}, with several prompts also
                    "prompts": [{"name", "text"}, …],
     "summary":    {"calls", "succeeded", "failed", "pending", "success_rate", "wall_s", "sequential_s",
                    "speedup", "average_response_s", "p50_s", "p95_s", "throughput_per_s", "peak_in_flight"},
     "cost":       {"total_usd", "priced_calls", "unpriced_calls",
                    "usage": {"input_tokens", "output_tokens", "cached_tokens", "total_tokens"}},
     "models":     [{"model", "prompt", the keys of "summary", "ttft_p50_s", "tokens_per_s",
                     "cost_per_1k_usd", "cost": the object above}, …],
     "results":    [{"model", "provider", "prompt", "file", "repeat", "status", "response", "data",
                     "marks": [word, …], "finish_reason",
                     "metrics": {"response_s", "ttft_s", "attempts", "input_tokens", "output_tokens",
                                 "cost_usd"},
                     "error": {"kind", "message", of the kind "schema" also "answer"} or null}, …],
     "errors":     [{"kind", "count", "example"}, …],
     "settings":   {"repeats", "parameters": [[name, text], …], "attachments": [name, …]}, where the price
                    list was used also "price_lists": [day, …], with variants also
                    "variants": [{"name", "parameters": [[name, text], …], "system"}, …],
     "picks":      [{"what", "model", "prompt", "why"}, …],
     "most_expensive": the same, or null,
     "left_out":   [{"model", "prompt", "succeeded", "failed", "success_rate", "best_rate", "why"}, …],
     "attempts":   [{"model", "prompt", "outcome", "attempts", "time_s", "cost_usd"}, …],
     "throttling": [{"lane", "changes", "cuts", "lowest", "highest", "last"}, …],
     "attributions": [{"lane", "reason", "seconds", "share"}, …],
     "schema":     null or {"name", "source", "json": the JSON Schema, "records": {"valid", "at_once",
                    "fenced", "mended", "coerced", "asked_again", "failed"}, "extra_attempts",
                    "extra_cost_usd", "unreadable", "models": [{"model", "prompt", "records"}, …],
                    "fields": [{"field", "type", "valid", "missing", "wrong", "message",
                                "values": [[text, count], …], "min", "mean", "max",
                                "models": [{"model", "prompt", "valid", "missing", "values", "min", "mean",
                                            "max"}, …],
                                "agreement": {"models": {"units", "raters", "same", "alpha", "metric"} or
                                    null, "pairs": [{"first", "second", "units", "same", "alpha",
                                    "kappa", "low", "high"}, …],
                                    "repeats": [{"model", "prompt", "agreement"}, …]}}, …]}}

"prompt" is the name of one of several prompts, null where there is one alone; "data" is the record in an
answer that had a schema to keep to. Both and "schema": see `report.queries.schema_validation`.

An evaluation with a run on several processes has "workers": [{"run", "worker", "node", "address", "pid",
"joined_at", "left_at", "why", "attempts", "answered", "failures": {kind: number}, "mean_s", "cpu_s"}, …].

An evaluation whose calls were offered tools has these keys beside:

    "models":   [{…, "steps", "tool_calls", "tool_errors", "tool_s"}, …],
    "results":  [{…, "metrics": {…, "steps", "tool_calls", "tool_errors", "tool_s"}}, …],
    "settings": {…, "tools": {"names": [name, …], "choice", "max_steps"}},
    "tools":    [{"tool", "source": null if a model made it up, "calls", "errors", "timeouts", "p50_s"}, …]

An evaluation whose settings were changed while a run went on has this key beside:

    "changes":  [{"at", "key", "scope", "old", "new", "via", "author", "reason"}, …], as in
                `records.ChangeRecord`

Where the prompt has several messages, "evaluation" has "messages": [{"role", "content"}, …], or each of its
"prompts" that has several; the texts have all of them, each after its role.

An evaluation of rows has "row": {column: value, …} or null (not kept) in each of its "results", one of
earlier answers "earlier_answer", and one of pairs of them "first_answer" and "second_answer". A full report
has these keys beside:

    "results":  [{…, "asked": {"source", "note", "text", "input_text", "row", "earlier_answer", "memory",
                      "media": [{"name", "type", "size", "hash", "path"}, …], "first_answer",
                      "second_answer"}, "reasoning",
                  "failed_attempts": [{"number", "kind", "http_status", "message"}, …]}, …]

where "asked" is what `report.queries.asked_calls` says.

An evaluation that has been scored has these keys beside:

    "models": [{…, "scores": [{"scorer", "files", "planned", "scored", "unscored": {kind: count}, "mean",
                    "se", "low", "high", "level", "method", "bounds": [least, most] or null,
                    "pass": a share or null, "pass_at": {k: a share}, "pass_all": {k: a share},
                    "unsteady"}, …]}, …], where a share is {"mean", "se", "low", "high", "method", "bounds",
                    "files", "left_out"},
    "results": [{…, "content": hash of what was sent of the input,
                    "scores": {scorer: {"value", "pass", "label", "reason",
                    "unscored": {"kind", "message"} or null,
                    "parts": [{"name", "value", "label", "message"}, …],
                    "verdicts": [{"judge", "sample", "criterion", "value", "label", "reason",
                                  "unscored", "cost_usd"}, …]}, …}}, …],
    "scorers": [{"name", "type", "definition", "digest", "at_least", "weight", "judge"}, …],
    "differences": [{"scorer", "first": {"model", "prompt"}, "second", "files", "left_out": {kind: count},
                    "mean", "se", "low", "high", "level", "p", "p_adjusted", "test", "detectable", "words"},
                    …],
    "judges": [{"scorer", "id", "cost_usd", "unpriced", "pending", "figures": {"judges": [{"judge", "asked",
                "given", "failed", "declined", "pass_share", "repeated", "contradicted",
                "contradiction_share", "spread", "agreement", "distance", "length_correlation", "own"}, …],
                "alpha", "metric", "answers"}, "check": null or {"labelled", "compared", "unscored", "kappa",
                "distance", "true_pass", "true_fail", "worst"}}, …],
    "gates": [{"gate", "outcome", "models": [{"model", "prompt", "value", "low", "high",
                    "bounds": [least, most], "outcome"}, …]}, …],
    "score_picks": [{"scorer", "best": {"model", "prompt"} or null,
                    "as_good": [{"column": {"model", "prompt"}, "behind", "behind_at_most"}, …],
                    "best_value"}, …]

"total" among the scorers of a model is the mean by weight of several. What the figures mean is said in
`scoring.figures`, `scoring.differences`, `scoring.gate_outcomes` and `scoring.picks`.

An evaluation that was made to rank has "ranking", null as long as nothing has come of it; one whose answers
were ranked has "rankings", a list of these:

    {"id", "of": [id, …], "question", "level", "pairs", "seats", "against", "samples", "control", "bootstrap",
     "board": [{"contestant": {"model", "prompt", "evaluation"}, "rank", "best_rank", "worst_rank", "points",
                "low", "high", "strength", "se", "chance", "win_share", "comparisons", "wins", "ties",
                "losses", "unscored": {kind: count}, "undefeated", "winless", "bootstrap_low",
                "bootstrap_high", "mean_characters", "cost_usd"}, …],
     "compared": [{"first": contestant, "second", "points", "low", "high", "p", "p_adjusted", "comparisons",
                   "wins", "ties", "losses"}, …],
     "judges": [{"judge", "asked", "given", "failed", "pending", "ties", "first_seat": a share, "flips": a
                 share, "chance_flips", "longer": a share, "own_family": a share or null, "cost_usd",
                 "unpriced", "verdict", "able"}, …], where a share is {"share", "low", "high", "count", "of"},
     "all_comparisons", "drawn", "judged", "equal", "unscored": {kind: count}, "files", "clusters",
     "length": null or {"points", "low", "high", "before": [points, …]},
     "cycles": null or {"count", "triples", "expected"}, "groups": [[contestant, …], …], "notes": [text, …]}

What they mean is said in `scoring.ranking.ranking`. "unread_rankings", a list of ids, is there if some cannot
be read.

Of several evaluations: {"evaluations": [the object above, …]}. A short report has no "results".

`null` is "not known", never 0: an unknown cost, a token count the provider did not state. "results"
holds the calls that ended, by input, model and repeat; pending ones are only counted. What the
figures mean is said in `report.models`, the values of "status" in `report.queries.status`. One result is
one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TextIO

import msgspec

from umwelten.report.models import ModelRow
from umwelten.report.queries import overviews
from umwelten.report.queries.asked_calls import asked_detail, encodable
from umwelten.report.queries.call_scores import call_scores, open_scores
from umwelten.report.queries.compared_calls import sent_contents
from umwelten.report.queries.rankings import shown_rankings
from umwelten.report.queries.schema_validation import validation
from umwelten.report.queries.score_overview import ScoreOverview, column_of, read_overview
from umwelten.report.queries.sent_columns import sent_calls
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.text.sanitize import json_safe

_encoder = msgspec.json.Encoder()


def render_json(reader: Reader, out: TextIO, *, short: bool = False, full: bool = False) -> None:
    """Write the report. `reader` is not closed, `out` gets valid JSON and a final newline.

    `full`: with all that was sent, reasoning and failed attempts.
    """
    with overviews.snapshot(reader):
        overview = overviews.overview(reader)
        out.write(f'{{"evaluation": {_dump(overview.evaluation)},\n"summary": {_dump(overview.summary)},\n')
        out.write(f'"cost": {_dump(overview.cost)}')
        with open_scores(reader) as scores:
            scored = None if scores is None else read_overview(reader, scores, overview.models)
            has_tools = overview.tools is not None
            models = (_dump(_model(row, scored, has_tools=has_tools)) for row in overview.models)
            _write_list(out, "models", models)
            if not short:
                _write_list(out, "results", _results(reader, scores, full=full))
        _write_list(out, "errors", map(_dump, overview.errors))
        out.write(f',\n"settings": {_dump(overview.settings)}')
        _write_list(out, "picks", map(_dump, overview.picks))
        out.write(f',\n"most_expensive": {_dump(overview.most_expensive)}')
        for name in ("left_out", "attempts", "throttling", "attributions"):
            _write_list(out, name, map(_dump, getattr(overview, name)))
        if overview.changes:
            _write_list(out, "changes", map(_dump, overview.changes))
        if overview.workers:
            _write_list(out, "workers", map(_dump, overview.workers))
        if overview.tools is not None:
            _write_list(out, "tools", map(_dump, overview.tools.tools))
        out.write(f',\n"schema": {_dump(validation(reader))}')
        if scored is not None:
            _write_scores(out, scored)
        ranked = shown_rankings(reader)
        if ranked.is_ranking:
            out.write(f',\n"ranking": {_dump(ranked.own)}')
        if ranked.others:
            _write_list(out, "rankings", map(_dump, ranked.others))
        if ranked.unread:
            out.write(f',\n"unread_rankings": {_dump(ranked.unread)}')
        out.write("}\n")


def render_json_of_several(
    readers: Iterable[Reader], out: TextIO, *, short: bool = False, full: bool = False
) -> None:
    """Write the reports of several evaluations as one object."""
    before = '{"evaluations": [\n'
    for reader in readers:
        out.write(before)
        render_json(reader, out, short=short, full=full)
        before = ","
    out.write("]}\n")


def _write_list(out: TextIO, name: str, rows: Iterable[str]) -> None:
    out.write(f',\n"{name}": [')
    before = "\n"
    for row in rows:
        out.write(before + row)
        before = ",\n"
    out.write("]")


def _results(reader: Reader, scores: ScoreReader | None, *, full: bool) -> Iterator[str]:
    sent = _sent(reader, full=full)
    if scores is None:
        for result, more in zip(overviews.results(reader), sent, strict=False):
            yield f"{_dump(result)[:-1]}{more}}}"
        return
    found = zip(overviews.results(reader), sent_contents(reader), call_scores(reader, scores), strict=True)
    for (result, content, own), more in zip(found, sent, strict=False):
        yield f'{_dump(result)[:-1]},"content":"{content}","scores":{_dump(own)}{more}}}'


def _sent(reader: Reader, *, full: bool) -> Iterator[str]:
    """The members of a result that tell what was asked, with a comma before each."""
    source = reader.spec().request.source
    if source == "files" and not full:
        yield from repeat("")
    for call in sent_calls(reader):
        more = f',"row":{_dump(encodable(call.row or None))}' if source == "rows" else ""
        if source == "answers":
            more += f',"earlier_answer":{_dump(encodable(call.asked.answer))}'
        if source == "pairs":
            first, second = (_dump(encodable(text)) for text in (call.asked.first, call.asked.second))
            more += f',"first_answer":{first},"second_answer":{second}'
        if full:
            asked, reasoning = asked_detail(call.asked), encodable(call.reasoning)
            more += f',"asked":{_dump(asked)},"reasoning":{_dump(reasoning)}'
            more += f',"failed_attempts":{_dump(call.failed_attempts)}'
        yield more


def _write_scores(out: TextIO, scored: ScoreOverview) -> None:
    for name in ("scorers", "differences", "judges", "gates"):
        _write_list(out, name, map(_dump, getattr(scored, name)))
    _write_list(out, "score_picks", map(_dump, scored.picks))


def _tool_figures(row: ModelRow) -> dict[str, object]:
    names = ("steps", "tool_calls", "tool_errors", "tool_s")
    return {name: None if row.tools is None else getattr(row.tools, name) for name in names}


def _model(row: ModelRow, scored: ScoreOverview | None, *, has_tools: bool) -> dict[str, object]:
    figures, service = msgspec.structs.asdict(row.figures), msgspec.structs.asdict(row.service)
    values = {"model": row.model, "prompt": row.prompt, **figures, **service, "cost": row.cost}
    if has_tools:
        values |= _tool_figures(row)
    if scored is not None:
        column = column_of(row)
        values["scores"] = [own[column] for own in scored.figures.values() if column in own]
    return values


def _dump(value: object) -> str:
    return json_safe(_encoder.encode(value).decode())
