"""Judges under the command line: each is an evaluation that runs with progress once answers are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from umwelten.attempts.open_files import raise_file_limit
from umwelten.cli.estimate import check_sample, estimate_first
from umwelten.cli.flag_names import as_flag
from umwelten.cli.runner import EXIT, OutputOptions, run_some
from umwelten.cli.standard_streams import work_comes_first
from umwelten.config.settings import Settings
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.scoring.judging import JudgedBy
from umwelten.evaluation.scoring.jury import Jury, due
from umwelten.evaluation.scoring.verdicts import Judged
from umwelten.evaluation.suite.running import RunEnd
from umwelten.events import RunStatus, StopCode
from umwelten.phrases import Wording, spell
from umwelten.providers.protocol import Vendor
from umwelten.text import formatting


def ask_judges(
    jury: Jury,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    look: OutputOptions,
    *,
    besides: Sequence[Path] = (),
    estimates: bool = True,
) -> list[RunEnd]:
    """Ask all judges what is missing, make scores of it, and return how each run ended.

    `besides`: evaluations that the same command asked for, which the limit of costs covers too. `estimates`:
    the option of that name is about judges.
    """
    if not jury.judges:
        return []
    notes = list[Wording]()
    raise_file_limit()
    work_comes_first()
    ended: list[RunEnd] = []
    with ExitStack() as stack:
        prepared = jury.prepare(settings, vendors, notes, as_flag)
        for _, evaluation in prepared:
            stack.callback(evaluation.close)
        notes = list(dict.fromkeys(spell(note, as_flag) for note in notes))  # judges share most of them
        max_cost = settings.get("max_cost")
        for by, evaluation, affordable in due(prepared, max_cost, besides):
            if affordable:
                end = _ask(by, evaluation, settings, look, notes, estimates=estimates)
            else:
                spent = f"{as_flag('max_cost')} {max_cost:g} is spent"
                click.echo(f"judge {by.definition.name}: stopped: {spent}", err=True)
                end = RunEnd(status=RunStatus.STOPPED, stopped_by=StopCode.MAX_COST)
            notes.clear()
            ended.append(end)
            if end.status is RunStatus.INTERRUPTED:
                break
    for by, judged in jury.collect():
        click.echo(_line(by, judged), err=True)
    return ended


def _ask(
    by: JudgedBy,
    evaluation: Evaluation,
    settings: Settings,
    look: OutputOptions,
    notes: list[Wording],
    *,
    estimates: bool,
) -> RunEnd:
    click.echo(f"judge {by.definition.name}: {evaluation.store.spec.id}", err=True)
    sample = settings.get("estimate") if estimates else None
    if sample is not None:
        check_sample(evaluation.spec, sample)
        status = estimate_first(evaluation, look, notes, sample, yes=settings.get("yes"))
        if status is not None:
            return RunEnd(status=next(ended for ended, code in EXIT.items() if code == status))
    result, tally = run_some(evaluation, look, notes, None)
    ended = tally.finished
    if ended is not None and ended.reason is not None and ended.reason_code is not StopCode.UNAVAILABLE:
        whole = settings.get("max_cost")
        shared = ended.reason_code is StopCode.MAX_COST and evaluation.spec.limits.max_cost_usd != whole
        left = f" (what others have left of {as_flag('max_cost')} {whole:g})" if shared else ""
        click.echo(f"judge {by.definition.name}: stopped: {ended.reason}{left}", err=True)
    return RunEnd(status=result.status, stopped_by=None if ended is None else ended.reason_code)


def _line(by: JudgedBy, judged: Judged) -> str:
    asked = sum(judge.asked for judge in judged.figures.judges)
    failed = sum(judge.failed for judge in judged.figures.judges)
    declined = sum(judge.declined for judge in judged.figures.judges)
    parts = [f"judge {by.definition.name}: {formatting.count(asked, 'verdict')}"]
    parts += [f"{failed:,} failed"] if failed else []
    parts += [f"{declined:,} cannot tell"] if declined else []
    parts += [f"{judged.pending:,} answers pending"] if judged.pending else []
    return ", ".join(parts)
