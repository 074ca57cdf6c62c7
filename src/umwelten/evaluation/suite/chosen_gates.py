"""The gates of a suite that can be looked at where only some of its tasks run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from umwelten.config.settings import Settings
from umwelten.config.suite_file import SuiteFile
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.scoring.gates import Gate
from umwelten.scoring.suite_gates import read_suite_gate


def chosen_gates(
    file: SuiteFile, settings: Settings, flags: Mapping[str, Any], chosen: Collection[str]
) -> tuple[Gate, ...]:
    """Return the gates of the file and of `fail_under` that are about the chosen tasks, or all if all are.

    Raises `UsageError` for one that a flag asks for and nobody would look at.
    """
    given = [
        read_suite_gate(text, Phrase("{option:fail_under}"), file.tasks)
        for text in settings.get("fail_under") or ()
    ]
    found = tuple(gate for gate in (*file.gates, *given) if _is_about(gate, chosen, file.tasks))
    for gate in given if flags.get("fail_under") else ():
        if gate not in found:
            raise UsageError(
                Phrase("{option:fail_under}: gate {text!r} is about tasks that do not run", text=gate.text),
                f"Only {', '.join(chosen)} will run: leave the gate out, or run all tasks.",
                argument="fail_under",
            )
    return found


def _is_about(gate: Gate, chosen: Collection[str], tasks: Collection[str]) -> bool:
    return gate.task in chosen if gate.task is not None else len(chosen) == len(tasks)
