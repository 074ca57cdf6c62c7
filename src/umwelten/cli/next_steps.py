"""The commands that a run ends with: how to see what came out of it, and how to continue."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from umwelten.evaluation.evaluation import Evaluation


def next_steps(evaluation: Evaluation) -> dict[str, str]:
    """Return the commands that show an evaluation's results, by a word for what each is for."""
    id_ = evaluation.store.spec.id
    view = shlex.join(["umwelten", "view", id_, *_where(evaluation)])
    return {
        "report": on_evaluation(evaluation, "report", "-o", f"{id_}.html"),
        **({"look": view} if has_command("view") else {}),
        "answers": on_evaluation(evaluation, "show"),
    }


def ranking_steps(evaluation: Evaluation) -> dict[str, str]:
    """Return the commands that show a ranking and its verdicts."""
    steps = next_steps(evaluation)
    return {**{word: steps[word] for word in steps if word != "answers"}, "verdicts": steps["answers"]}


def suite_steps(name: str, output_dir: Path) -> dict[str, str]:
    """Return the command that lists the tasks of a suite, whose names all others take."""
    where = [] if output_dir == Path("output") else ["--output-dir", str(output_dir)]
    return {"tasks": shlex.join(["umwelten", "eval", "list", f"{name}.*", *where])}


def print_steps(steps: Mapping[str, str]) -> None:
    """Print them on stderr, under what they are about."""
    width = max(map(len, steps), default=0)
    for word, command in steps.items():
        click.echo(f"  {word:<{width}}  {command}", err=True)


def on_evaluation(evaluation: Evaluation, command: str, *flags: str) -> str:
    """Return `umwelten eval COMMAND ID FLAGS`."""
    words = ["umwelten", "eval", command, evaluation.store.spec.id, *flags, *_where(evaluation)]
    return shlex.join(words)


def has_command(*words: str) -> bool:
    """Return whether `umwelten WORDS` is a command of this version."""
    context = click.get_current_context(silent=True)
    group = None if context is None else context.find_root().command
    for word in words[:-1]:
        group = group.get_command(context, word) if context and isinstance(group, click.Group) else None
    if context is None or not isinstance(group, click.Group):
        return False
    return words[-1] in group.list_commands(context)


def _where(evaluation: Evaluation) -> list[str]:
    """The option that finds the evaluation, where it is not in the usual place."""
    folder = evaluation.spec.output.output_dir
    return [] if folder == Path("output") else ["--output-dir", str(folder)]
