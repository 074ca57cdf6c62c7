"""The commands of `umwelten eval` about how good answers are: rank, score, suite, compare."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from umwelten.cli.completion import completers
from umwelten.cli.options import ExistingFile, SectionedCommand, output_dir, table_options
from umwelten.cli.single_option import option


@click.command("rank", cls=SectionedCommand, params=table_options("rank"))
@option(
    "-p",
    "--prompt",
    metavar="TEXT",
    help="What judges look at; @FILE reads a file, - reads stdin. {{first}} and {{second}} are the answers.  "
    "[default: which of the two answers serves the asker better]",
)
@option(
    "--no-control",
    "control",
    flag_value=False,
    type=bool,
    default=None,
    help="Let no other program watch and change the run while it goes on.",
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completers.ids)
def rank(ids: tuple[str, ...], prompt: str | None, **flags: Any) -> None:
    """Rank models by pairs of their answers: a judge says which of two is better, in both orders.

    Prints strengths with intervals, how far ranks can be told apart, and whether the judge can be relied on.
    Of an evaluation with one model, its prompts are ranked; several ids are evaluations of the same inputs.
    Repeated, the command asks what is missing.

    \b
    umwelten eval rank tides --judge openai:gpt-5.4-mini
    umwelten eval rank letters --judge openai:gpt-5.4-mini --pairs 25% -p "Which reply is more polite?"
    umwelten eval rank base new --judge anthropic:claude-sonnet-5-5 -i base-new --report board.html
    umwelten eval rank letters --judge @judges --against ollama:gemma3:12b --control length --dry-run
    """
    gc.disable()
    from umwelten.cli.rank import rank as judge_pairs

    judge_pairs(ids, flags, prompt)


@click.command("score", cls=SectionedCommand, params=[*table_options("score")])
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=completers.ids)
@option("--remove", multiple=True, metavar="NAME", help="Remove this scorer and its scores first.")
@option("--exit-zero", is_flag=True, help="Exit with status 0 whatever the gates say.")
def score(ids: tuple[str, ...], **flags: Any) -> None:
    """Score the answers of an evaluation, and print how good each model is and how sure that is.

    Several ids, or a pattern such as 'nightly-*', are scored one after the other.

    Repeated, it computes what is missing: new answers and changed scorers.

    \b
    umwelten eval score capitals --scorer contains --expected "{{row.country}}"
    umwelten eval score letters --scorers scorers.toml --report letters.html
    umwelten eval score letters --scorer "polite=judge:Is the reply polite?" --judge openai:gpt-5.4-mini
    """
    from umwelten.cli.score import score as score_answers

    score_answers(ids, flags)


@click.command("suite", cls=SectionedCommand, params=[*table_options("suite")])
@click.argument("file", type=ExistingFile(), metavar="FILE.toml", shell_complete=completers.files)
@option(
    "--only",
    multiple=True,
    metavar="TASK",
    help="Only this task; repeatable.  [default: all]",
    shell_complete=completers.tasks,
)
@option(
    "--baseline",
    metavar="SUITE",
    help="Compare each task with that of an earlier suite, the evaluation SUITE.TASK.",
    shell_complete=completers.suites,
)
@option(
    "--max-drop",
    metavar="SHARE",
    help="The drop below the baseline that is allowed: 0.02 or 2%.  [default: 0]",
)
@option("--exit-zero", is_flag=True, help="Exit with status 0 whatever the gates and the baseline say.")
def suite(file: Path, **flags: Any) -> None:
    """Run and score the tasks of a suite, and print a leaderboard of the models.

    Each task is the evaluation SUITE.TASK. Repeated, the command does what is missing: calls that failed or
    were not made, scores, verdicts. Options given here count over those of the file.

    Exit status: 0; 4 a gate is missed or a score regressed; 3 stopped before the end; 1 something failed or a
    gate is undecided; 2 nothing was started; 130 interrupted.

    \b
    umwelten eval suite suites/nightly.toml --max-cost 2 --report nightly.html
    umwelten eval suite suites/nightly.toml --only capitals -m openai:gpt-5.4-mini
    umwelten eval suite suites/nightly.toml -i nightly-2 --baseline nightly
    """
    gc.disable()
    from umwelten.cli.suite import suite as run_suite

    run_suite(file, flags)


@click.command("compare")
@click.argument("words", nargs=-1, metavar="BASE NEW", shell_complete=completers.ids)
@option(
    "--baseline",
    type=ExistingFile(),
    metavar="FILE.json",
    help="JSON report of the base, in place of BASE.",
    shell_complete=completers.files,
)
@option(
    "--score",
    multiple=True,
    metavar="NAME",
    help="Only this scorer; repeatable.  [default: all]",
    shell_complete=completers.scores,
)
@option(
    "--models",
    multiple=True,
    metavar="OLD=NEW",
    help="Compare model OLD of BASE with model NEW of NEW; repeatable.",
    shell_complete=completers.renamed_models,
)
@option("--max-drop", metavar="SHARE", help="The drop that is allowed: 0.02 or 2%.  [default: 0]")
@option(
    "--require",
    type=click.Choice(["held"]),
    help="held: exit with status 4 also where it is unclear whether a score held.",
)
@option(
    "--report",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the comparison to this file: .md, .json, .csv or .junit.xml; repeatable.",
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--exit-zero", is_flag=True, help="Exit with status 0 also if a score regressed.")
@output_dir
@option("--profile", metavar="NAME", help="Profile of umwelten.toml.", shell_complete=completers.profiles)
def compare(**flags: Any) -> None:
    """Compare the scores of a new evaluation with those of an earlier one of the same files.

    For each model and scorer: regressed (surely worse), held (surely not), or unclear. BASE and NEW are
    ids; BASE may also be a JSON report, as CI keeps one. Files are paired by name; those whose content
    changed are left out and counted.

    Exit status: 0; 4 a score regressed; 1 calls or scores are missing; 2 cannot be compared.

    \b
    umwelten eval compare capitals capitals-2
    umwelten eval compare main.json capitals --max-drop 2% --report compare.junit.xml
    umwelten eval compare base new --models openai:gpt-5.4=openai:gpt-5.5 --require held
    """
    from umwelten.cli.compare import compare_evaluations

    compare_evaluations(**flags)


COMMANDS = (rank, score, suite, compare)
