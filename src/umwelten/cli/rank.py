"""`umwelten eval rank`: which answers judges prefer, pair by pair, and how sure the order is."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.attempts.open_files import raise_file_limit
from umwelten.cli.dry_run import dry_run
from umwelten.cli.estimate import check_sample, estimate_first
from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.next_steps import print_steps, ranking_steps
from umwelten.cli.report_files import write_reports
from umwelten.cli.runner import EXIT, OutputOptions, check_one_preview, closing, leave, run_some
from umwelten.cli.standard_streams import output_width, work_comes_first
from umwelten.cli.stored_evaluations import named_folders
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.ranking.ranking import RankingEvaluation
from umwelten.phrases import Wording
from umwelten.report.output_files import write_report
from umwelten.report.render.ranking_text import ranking_lines
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.derived import owner
from umwelten.text import formatting
from umwelten.text.sanitize import safe

_STATES = {
    "equal": "of equal answers, which are ties without a call",
    "no_answer": "without an answer of one of the two",
    "input_changed": "of answers about another input",
}


def rank(ids: Sequence[str], flags: dict[str, Any], prompt: str | None) -> None:
    """Check, ask the judges, fit the board, print it, and end the process with the exit status."""
    settings = load(Path.cwd(), os.environ, profile=flags["profile"]).with_flags(flags, as_flag)
    check_one_preview(settings)
    with settings.concealing():
        known, notes = vendors(settings), list[Wording](settings.notes)
        # A pattern means answers, and not an earlier ranking of them: repeated it must find the same.
        found = named_folders(settings.get("output_dir"), ids)
        folders = [folder for folder in found if folder.name in ids or owner(folder) is None] or found
        ranking = RankingEvaluation(folders, settings, known, notes, prompt=prompt, stdin=sys.stdin.read)
        ranking.check_some()
        if settings.get("dry_run"):
            if not settings.get("json"):
                for line in _drawn(ranking):
                    click.echo(line)
            dry_run(ranking.spec, settings, known, notes, as_json=settings.get("json"))
            return
        leave(_rank(ranking, settings, notes))


def _rank(ranking: RankingEvaluation, settings: Settings, notes: list[Wording]) -> int:
    look = OutputOptions.of(settings)
    sample = settings.get("estimate")
    if sample is not None:
        check_sample(ranking.spec, sample)
    raise_file_limit()
    work_comes_first()
    evaluation = Evaluation.prepare(ranking.spec, settings, vendors(settings), as_flag)
    try:
        click.echo(f"ranking {ranking.id}", err=True)
        for line in _drawn(ranking):
            click.echo(line, err=True)
        status: int | None = None
        if sample is not None:
            status = estimate_first(evaluation, look, notes, sample, yes=settings.get("yes"))
        if status is None:
            result, tally = run_some(evaluation, look, notes, None)
            closing(evaluation, tally, look)
            status = EXIT[result.status]
        steps = ranking_steps(evaluation)
    finally:
        evaluation.close()
    board = ranking.collect()
    _show(board, as_json=settings.get("json"))
    if look.progress != "json":  # then stderr is for programs
        print_steps(steps)
    unwritten = write_reports(
        settings.get("report"),
        lambda path: write_report(ranking.folder, path, vendors=vendors(settings), spelling=as_flag),
    )
    return status or int(bool(board.unscored or board.groups)) or unwritten


def _drawn(ranking: RankingEvaluation) -> list[str]:
    """Return what is compared, in words."""
    states, plan = ranking.states, ranking.plan
    drawn, everything = sum(states.values()), plan.all_comparisons
    of = f" of {everything:,}" if drawn != everything else ""
    ranked, questions = plan.answers.contestants, len(plan.answers.rows)
    lines = [
        f"compared {formatting.count(len(ranked), _ranked_noun(ranked))} on "
        f"{formatting.count(questions, 'question')}: "
        f"{drawn:,}{of} comparisons, "
        f"{'each in both orders' if plan.choice.seats == 'both' else 'each in one order'}"
    ]
    lines += [f"         {states[kind]:,} {words}" for kind, words in _STATES.items() if states[kind]]
    return lines


def _ranked_noun(ranked: Sequence[Contestant]) -> str:
    """Return what is ranked: models, prompts of one model, or models of several evaluations."""
    models = len({each.model for each in ranked})
    if models == len(ranked):
        return "model"
    prompts = len({each.prompt for each in ranked})
    return "prompt" if models == 1 and prompts == len(ranked) else "contestant"


def _show(board: Ranking, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(board), compact=True)
        return
    width = output_width()
    for line in ranking_lines(board, width):
        click.echo(safe(line))
    sys.stdout.flush()
