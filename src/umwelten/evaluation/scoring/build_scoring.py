"""From settled options to what answers are scored by, for the command line and the library alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from umwelten.child_processes import says_secret
from umwelten.config.option_demands import option_demands
from umwelten.config.options import OF_SCORE
from umwelten.config.overwriting import refuse_overwriting
from umwelten.config.project_files import why_not_here
from umwelten.config.scorer_demands import read_paths
from umwelten.config.scorers_file import ScorersFile, read_scorers_file
from umwelten.config.settings import Settings
from umwelten.errors import ConfigError, UsageError
from umwelten.evaluation.scoring.jury import resolve_judges
from umwelten.evaluation.scoring.spec import ProgramScorers, ScoringSpec
from umwelten.phrases import Phrase
from umwelten.providers.protocol import Vendor
from umwelten.scoring.definition import Definition, NamedPlace, read_scorer, read_short_form
from umwelten.scoring.gates import TOTAL, Gate, read_gate, read_gates
from umwelten.scoring.references import path_of
from umwelten.scoring.repeats import MOST
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScorer, stored_gates

NOTHING = "nothing to score by"
_WAYS = Phrase(
    "Give {option:scorer=exact}, a file with {option:scorers=scorers.toml}, or a judge: "
    "{option:scorer=judge:Is the reply polite?} with {option:judge=provider:model}."
)
NOT_GIVEN = ProgramScorers()
_SHORT = "scorer"
_AGAIN = Phrase("Name it again with {option:scorer} or {option:scorers}.")
_RUNS_CODE = ("python", "command")
"""Types that are not run because a folder says so."""


def build_scoring(
    settings: Settings,
    vendors: Mapping[str, Vendor],
    folder: Path | None = None,
    *,
    given: ProgramScorers = NOT_GIVEN,
    file: ScorersFile | None = None,
) -> ScoringSpec:
    """Return what the options ask for, and by `given` a program. Without a scorer, the stored ones go on.

    `file` takes the place of the one that the options name.

    Errors: `UsageError` if there is nothing to score by, `ConfigError` for a scorer that cannot be.
    """
    path = settings.get("scorers")
    if file is None and path is not None:
        file = read_scorers_file(path)
    definitions = dict(file.scorers) if file is not None else {}
    base = file.base if file is not None else Path()
    short = [_read_short(text) for text in settings.get("scorer") or ()]
    for definition in (*short, *given.definitions.values()):
        if definition.name in definitions:
            raise UsageError(
                f"two scorers are called {definition.name!r}",
                Phrase("Give one another name: {option:scorer=mine=exact}."),
                argument="scorer",
            )
        definitions[definition.name] = definition
    _check_case(definitions)
    scorers, before = ((), {}) if folder is None else _stored(folder)
    named = bool(definitions)
    if not named:
        definitions = _read_again(scorers)
    if not definitions:
        raise UsageError(NOTHING, _WAYS, argument="scorer")
    definitions = resolve_judges(definitions, settings, vendors)
    options = {name: settings.values[name] for name in (*OF_SCORE, "output_dir") if name in settings.values}
    settings.trust.require(option_demands(options, settings.get("output_dir")))
    refuse_overwriting(settings)
    expected = settings.get("expected")
    given_expected = expected or (None if file is None else file.expected)
    if given_expected is None and before.get("expected"):
        hint = Phrase("Name them again with {option:expected}.")
        _check_reads("the references", [path_of(before["expected"])], hint)
    return ScoringSpec(
        scorers=tuple(definitions.values()),
        expected=given_expected or before.get("expected"),
        base=Path() if expected else base,
        bases={} if file is None else {**dict.fromkeys(file.scorers, base), **file.bases},
        cluster=before.get("cluster") if file is None else file.cluster,
        # In a run it says which answers of an earlier evaluation are inputs.
        where=None if folder is None else settings.get("where"),
        failed_as_zero=before.get("failed_as_zero", False) if file is None else file.failed_as_zero,
        of_repeats=before.get("of_repeats", MOST) if file is None else file.of_repeats,
        gates=_gates(settings, file, before, {*definitions, *(scorer.name for scorer in scorers)}),
        asks_judges=named,
        functions=given.functions,
        secrets=tuple(found.secret for name, found in settings.variables.items() if says_secret(name)),
    )


def _read_short(text: str) -> Definition:
    """Return the scorer of a short form. Errors name the option as the front end spells it."""
    try:
        return read_short_form(text, NamedPlace(name=_SHORT))
    except ConfigError as error:
        message = Phrase("{option:scorer}: {fault}", fault=error.message.removeprefix(f"{_SHORT}: "))
        raise ConfigError(message, error.hint_wording, argument="scorer") from None


def _check_case(names: Iterable[str]) -> None:
    """Names of scorers end those of folders and columns, which disks and databases may know in one case."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(name.casefold(), name)
        if other != name:
            raise UsageError(
                f"scorers {other!r} and {name!r} differ in case alone",
                "Give one another name.",
                argument="scorer",
            )


def _gates(
    settings: Settings, file: ScorersFile | None, before: Mapping[str, Any], names: Collection[str]
) -> tuple[Gate, ...]:
    """Return the gates of file and flags, else those of the last time whose scorer is still there."""
    given = [read_gate(text, Phrase("{option:fail_under}")) for text in settings.get("fail_under") or ()]
    written = () if file is None else read_gates(file.gates, file.place)
    if given or file is not None:
        return (*written, *given)
    stored = stored_gates(before)
    return tuple(gate for gate in stored if gate.figure is None or gate.name in (*names, TOTAL))


def _stored(folder: Path) -> tuple[tuple[StoredScorer, ...], dict[str, Any]]:
    """Return the scorers that the folder has, and how its answers were scored last."""
    with ScoreReader.open(folder) as reader:
        return reader.scorers(), reader.settings()


def _read_again(stored: Sequence[StoredScorer]) -> dict[str, Definition]:
    for scorer in stored:
        if scorer.type in _RUNS_CODE:
            raise UsageError(
                f"scorer {scorer.name!r} runs a program, and is known from a stored evaluation alone",
                _AGAIN,
                argument="scorer",
            )
    place = NamedPlace(name="scores.db")
    found = {scorer.name: read_scorer(scorer.name, scorer.table, place) for scorer in stored}
    for name, definition in found.items():
        _check_reads(f"scorer {name!r}", read_paths(definition), _AGAIN)
    return found


def _check_reads(what: str, paths: Iterable[str | None], hint: Phrase) -> None:
    """Refuse to read what only a stored evaluation names, which may be a stranger's, unless it is here."""
    for path in paths:
        why = None if path is None else why_not_here(Path(path))
        if why is not None:
            raise UsageError(
                f"{what}: {path} is to be read because the stored evaluation says so, and {why}",
                hint,
            )
