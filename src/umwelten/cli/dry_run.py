"""`--dry-run`: what would run, what it may cost and how long it may take; no call is made."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import msgspec

from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.config.addresses import Reached, reached_at
from umwelten.config.engine_types import split_engine
from umwelten.config.members import members
from umwelten.config.rate_texts import shown
from umwelten.config.settings import Settings
from umwelten.evaluation.first_request import FirstRequest, first_request
from umwelten.evaluation.preview import ANSWER_S, Preview, preview
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.evaluation.text_file_note import text_file_note
from umwelten.phrases import Wording, spell
from umwelten.providers.protocol import Vendor
from umwelten.report.progress.worker_words import workers_on
from umwelten.report.queries.asked_calls import encodable
from umwelten.report.render.asked import cut_text
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

SHOWN = 20
ITEMS = (1_000, 10_000, 100_000)
_NAME = 60
_TOOLS = 12
_USUAL = 100  # columns where stdout is no terminal and COLUMNS is not set
_LEAST_COLUMNS = 3  # model, cost and calls
_LINES_SENT = 30  # of each text of the first request, on a terminal
_HOW = "| less, or --json, has all"
_WORTH_A_SAMPLE = 60
"""From so many calls on, making 30 first says something about the rest."""


def dry_run(
    spec: EvaluationSpec,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: Sequence[Wording],
    *,
    as_json: bool,
) -> Preview:
    """Print the plan on stdout, as JSON if asked for, and notes on stderr; returns the plan."""
    plan = preview(spec, settings, vendors, at=time.time())
    texts = text_file_note(spec, settings, plan.calls)
    for note in (*notes, *([] if texts is None else [texts])):
        click.echo(settings.conceal(spell(note, as_flag)), err=True)
    if as_json:
        print_json(_as_data(plan, spec, settings, vendors))
        return plan
    addresses, several = _addresses(spec, settings, vendors)
    for line in layout(plan, batch=spec.inputs is not None):
        click.echo(settings.conceal(line))
    lines = [line for name, at in addresses.items() for line in several.get(name, {name: at}).items()]
    for name, at in lines:
        address = f"at {at.base_url} ({at.source})" if at.base_url else "on this machine"
        click.echo(f"address  {one_line(f'{name} is reached {address}', 300)}")
    first = first_request(spec, settings, vendors, as_flag)
    cut = _LINES_SENT if sys.stdout.isatty() else None
    for line in () if first is None else _request(first, cut):
        click.echo(settings.conceal(line))
    return plan


def plan_as_data(
    spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor], plan: Preview | None = None
) -> dict[str, object]:
    """Return the plan as JSON has it. `plan`: where it is known already."""
    plan = plan or preview(spec, settings, vendors, at=time.time())
    return _as_data(plan, spec, settings, vendors)


def _as_data(
    plan: Preview, spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor]
) -> dict[str, object]:
    addresses, several = _addresses(spec, settings, vendors)
    first = first_request(spec, settings, vendors, as_flag)
    return {
        **_with_names(plan),
        "addresses": addresses,
        "members": several,
        "first_request": None
        if first is None
        else _concealed(encodable(msgspec.to_builtins(first)), settings.conceal),
    }


def _concealed(value: Any, conceal: Callable[[str], str]) -> Any:
    """Return a value of JSON with all of its texts as they may be shown."""
    match value:
        case str():
            return conceal(value)
        case dict():
            return {key: _concealed(each, conceal) for key, each in value.items()}
        case list() | tuple():
            return [_concealed(each, conceal) for each in value]
    return value


def _addresses(
    spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor]
) -> tuple[dict[str, Reached], dict[str, dict[str, Reached]]]:
    """Where providers are reached, and each member of those that have several."""
    asked = {name: vendors[name] for name in (m.provider for m in spec.models)}
    addresses = {name: reached_at(vendor, settings) for name, vendor in asked.items()}
    several = {
        name: {member.name: reached_at(member.vendor, settings) for member in members(vendor)}
        for name, vendor in asked.items()
        if len(members(vendor)) > 1
    }
    return addresses, several


def _with_names(plan: Preview) -> dict[str, object]:
    named = {key: {str(m): v for m, v in getattr(plan, key).items()} for key in ("costs", "by_model")}
    return {**msgspec.structs.asdict(plan), **named}


def _request(first: FirstRequest, most_lines: int | None) -> Iterator[str]:
    """The request as lines; `most_lines`: of each of its texts."""
    of = ", ".join(filter(None, (first.file, first.model, first.prompt)))
    yield f"\nfirst request: {one_line(of, 200)}"
    if first.problem is not None:
        yield f"it would fail: {one_line(first.problem, 1000)}"
    for one in first.media:
        yield f"\nFILE\n{one_line(one.name, 200)}, {one_line(one.type, 80)}, {one.size:,} bytes"
    for title, text in (("SYSTEM", first.system), ("PROMPT", first.text)):
        if text is not None:
            yield f"\n{title}\n{cut_text(text, most_lines, _HOW)}"


def layout(plan: Preview, *, batch: bool) -> Iterator[str]:
    """The plan as lines, with names of files made safe."""
    if batch:
        yield from _files(plan)
    done = f"; {_verb(plan.done)} answered already" if plan.done else ""
    yield f"calls    {formatting.count(plan.calls, 'call')} to make{done}"
    for id, count in plan.reused.items():
        yield f"reused   {formatting.count(count, 'answer')} of {one_line(id, _NAME)}, at no cost"
    if plan.tools:
        yield f"tools    {_listed(plan.tools)}"
        yield f"         1 to {plan.max_steps} requests a call: {money_range(plan.total)}"
    yield f"tokens   about {plan.input_tokens:,} in{_kinds(plan)}{_further(plan)}"
    guess = "" if plan.output_bounded else ", assuming answers of at most 1,024 tokens; --max-tokens sets it"
    yield f"         up to {plan.output_tokens:,} out{guess}"
    yield from _costs(plan)
    if plan.hedged_calls:
        yield f"hedge    {hedge_line(plan.hedged_calls, plan.hedged_cost)}"
    for name, rates in plan.known_limits.items():
        yield f"limit    {one_line(name, _NAME)}: at most {' and '.join(map(shown, rates))}"
    if plan.prices_of:
        yield f"prices   of {plan.prices_of}"
    if plan.workers is not None:
        yield f"workers  {workers_on(plan.workers, split_engine(plan.engine)[1])}"
    low, high = (formatting.minutes(seconds) for seconds in plan.seconds)
    besides = ", without the time of the tools" if plan.tools else ""
    usual = f"with answers taking {ANSWER_S[0]:g} to {ANSWER_S[1]:g} s each{besides}"
    span = low if low == high else f"{low} to {high}"
    yield f"time     {span}, {usual}" if plan.calls else "time     none"
    if plan.calls and any(cost is not None and not cost[1] for cost in plan.costs.values()):
        yield "         models on a machine of your own may take longer"
    if plan.calls >= _WORTH_A_SAMPLE and any(cost is None or cost[1] for cost in plan.costs.values()):
        yield "better   --estimate 30 runs 30 of the calls and extrapolates from them"


def hedge_line(calls: int, cost_nusd: int | None) -> str:
    """`up to 50 of the slowest calls are sent a second time, for up to $0.0012 more`."""
    cost = f", for up to {formatting.money(cost_nusd / 1e9)} more" if cost_nusd else ""
    cost = ", at unknown cost" if cost_nusd is None else cost
    again = "is sent a second time" if calls == 1 else "are sent a second time"
    return f"up to {formatting.count(calls, 'call')} of the slowest {again}{cost}"


def _verb(n: int) -> str:
    return f"{n:,} {'is' if n == 1 else 'are'}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOOLS:,} more" if len(names) > _TOOLS else ""
    return ", ".join(one_line(name, _NAME) for name in names[:_TOOLS]) + more


def _further(plan: Preview) -> str:
    """What further requests add, which repeat all that came before."""
    return f" first, up to {plan.most_input_tokens:,} with all requests" if plan.tools else ""


def _kinds(plan: Preview) -> str:
    if not plan.picture_tokens:
        return ""
    return f": {plan.text_tokens:,} of text, {plan.picture_tokens:,} of images"


_INPUTS = {
    "files": ("files", "file"),
    "rows": ("rows", "row"),
    "answers": ("answers", "answer"),
    "pairs": ("pairs", "pair"),
}
"""What the inputs of a batch are called, by their source: as a label, and one of them."""


def _files(plan: Preview) -> Iterator[str]:
    label, word = _INPUTS.get(plan.source, ("inputs", "input"))
    yield f"{label:<9}{formatting.count(plan.files, word)} ({size(plan.file_bytes)})"
    for name in plan.first[:SHOWN]:
        yield f"         {one_line(name, 100)}"
    if plan.files > SHOWN:
        yield f"         and {plan.files - SHOWN:,} more"
    if plan.unsendable:
        names = ", ".join(one_line(name, 60) for name in plan.unsendable_first[:3])
        more = f" and {plan.unsendable - 3:,} more" if plan.unsendable > 3 else ""
        calls = "its calls would fail" if plan.unsendable == 1 else "their calls would fail"
        yield f"warning  {formatting.count(plan.unsendable, 'file')} can't be sent: {names}{more}"
        yield f"         {calls}, and cost nothing; leave out with --file-pattern"


def size(n: int) -> str:
    """`0 bytes`, `12 KB`, `1.2 MB`."""
    if n < 1000:
        return formatting.count(n, "byte")
    return f"{n / 1000:,.0f} KB" if n < 100_000 else f"{n / 1e6:,.1f} MB"


def _costs(plan: Preview) -> Iterator[str]:
    rows = [["model", "cost", "calls", *(f"{n:,} items" for n in ITEMS)]]
    for model, cost in plan.costs.items():
        calls = plan.by_model[model]
        rows.append([one_line(str(model), _NAME), money_range(cost), f"{calls:,}", *_scale_cost(cost, calls)])
    if len(plan.costs) > 1:
        rows.append(["total", money_range(plan.total), f"{plan.calls:,}", *_scaled_all(plan)])
    yield from columns(rows)
    yield "         an item is one call of each model"


def _scale_cost(cost: tuple[int, int] | None, calls: int) -> list[str]:
    if cost is None or not calls:
        return [formatting.UNKNOWN] * len(ITEMS)
    return [money_range((cost[0] * items // calls, cost[1] * items // calls)) for items in ITEMS]


def _scaled_all(plan: Preview) -> list[str]:
    means = [
        (cost[0] / plan.by_model[model], cost[1] / plan.by_model[model])
        for model, cost in plan.costs.items()
        if cost is not None and plan.by_model[model]
    ]
    if len(means) < len(plan.costs):
        return [formatting.UNKNOWN] * len(ITEMS)
    low, high = sum(one[0] for one in means), sum(one[1] for one in means)
    return [money_range((round(low * items), round(high * items))) for items in ITEMS]


def money_range(cost: tuple[int, int] | None) -> str:
    """`$0.0010 to $0.0200`, `free`, or that no price is known."""
    if cost is None:
        return "unknown (no price is listed)"
    low, high = cost
    return "free" if high == 0 else f"{formatting.money(low / 1e9)} to {formatting.money(high / 1e9)}"


def columns(rows: Sequence[Sequence[str]], *, indent: int = 0) -> Iterator[str]:
    """Rows as lines with their columns aligned: the first two to the left, the others to the right.

    Where they do not fit, the last columns, which are extrapolated, are left out.
    """
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    room = shutil.get_terminal_size((_USUAL, 24)).columns - indent
    while len(widths) > _LEAST_COLUMNS and sum(widths) + 2 * (len(widths) - 1) > room:
        widths.pop()
    for row in rows:
        cells = [
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join(cells).rstrip()
