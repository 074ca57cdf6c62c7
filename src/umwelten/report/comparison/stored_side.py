"""A side of a comparison that is an evaluation in the output directory."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from pathlib import Path

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.report.comparison.side import (
    NO_CONTENT,
    Contents,
    Measures,
    Side,
    SideColumn,
    SideScorer,
    use_of,
)
from umwelten.report.queries.compared_calls import compared_calls, compared_inputs, only_prompt
from umwelten.report.queries.overviews import snapshot
from umwelten.report.queries.score_columns import ScoreColumns, column_names, score_columns
from umwelten.report.queries.variants import variants
from umwelten.scoring.columns import ColumnName, Files
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader


def stored_side(folder: Path) -> Side:
    """Return the evaluation in that folder. Raises `StoreError`, `UsageError` if it has no scores."""
    with Reader.open(folder) as reader, snapshot(reader), ScoreReader.open(folder) as scores:
        if not scores.scorers():
            raise UsageError(
                f"evaluation {folder.name!r} has no scores",
                Phrase(
                    "Score it: umwelten eval score {id} {option:scorers=FILE}, the same for both.",
                    id=folder.name,
                ),
            )
        found = score_columns(reader, scores)
        names: dict[str, int] = {}
        stamps = array("q")
        for id_, name, stamp in compared_inputs(reader):
            names[name] = id_
            stamps.append((hash(stamp) or 1) if stamp else NO_CONTENT)
        return Side(
            label=folder.name,
            id=folder.name,
            files=found.files,
            names=names,
            stamps=stamps,
            scorers=tuple(
                SideScorer(name=one.name, type=one.type, digest=one.digest, at_least=one.at_least)
                for one in found.scorers
            ),
            columns=_columns(reader, found),
        )


def _columns(reader: Reader, found: ScoreColumns) -> Mapping[ColumnName, SideColumn]:
    numbers = column_names(reader)
    beside = _beside(reader, found.files)
    return {
        name: SideColumn(
            scores={scorer.name: found.by_scorer[scorer.name][name] for scorer in found.scorers},
            measures=beside[number][0],
            contents=beside[number][1],
        )
        for number, name in numbers.items()
    }


def _beside(reader: Reader, files: Files) -> dict[int, tuple[Measures, Contents]]:
    """What there is but scores, by the number of model and prompt."""
    only = only_prompt(reader)
    beside = {
        number: (Measures(files), Contents(files, use_of(only if one.text is None else one.text)))
        for number, one in variants(reader.connection).items()
    }
    for call in compared_calls(reader):
        measures, contents = beside[call.column]
        contents.add(call.file, call.content)
        if call.succeeded:
            measures.add(call.file, (call.cost_usd, call.response_s, call.input_tokens, call.output_tokens))
    return beside
