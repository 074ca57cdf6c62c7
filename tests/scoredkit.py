"""Evaluations over tables whose answers are columns of the table, made without a network."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from tests.store.making import BROKEN, records

from umwelten.evaluation.scoring.scoring import Scoring
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.inputs.reader import input_hash
from umwelten.inputs.tables.rows import rows
from umwelten.prompts.request_builder import row_use
from umwelten.records import StoredSpec
from umwelten.scoring.definition import NamedPlace, read_scorer, read_short_form
from umwelten.scoring.gates import read_gate
from umwelten.scoring.repeats import MOST, OfRepeats
from umwelten.store.store import Store
from umwelten.types import FinishReason, ModelRef, Outcome, Prompt, Reply, RequestSettings, Usage

PROMPT = "Which is it, {{row.n}}?"


def write_table(path: Path, table: Sequence[Mapping[str, object]]) -> Path:
    """Write a csv file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return path


def evaluate(
    table: Path,
    answers: Mapping[str, str],
    *,
    id: str = "x",
    output: Path = Path("output"),
    repeats: int = 1,
    prompt: str = PROMPT,
    records_too: bool = False,
    names: Sequence[str] = (),
) -> Path:
    """Make an evaluation of a table's rows; returns its folder.

    `answers` names the column that holds the answer of each model `provider:model`; an empty cell is a
    failed call. With several repeats, the cell is separated by `|`. `names`: of several prompts, all alike.
    """
    models = tuple(ModelRef(*name.split(":", 1)) for name in answers)
    request = RequestSettings(
        prompts=tuple(Prompt(name, prompt) for name in names or [""]), source="rows", row_rule=2
    )
    spec = StoredSpec(id=id, kind="batch", models=models, request=request, repeats=repeats)
    with table.open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    use = row_use(request, prompt)
    with Store.resume(output / id, spec) as store:
        found = list(rows(table))
        store.set_inputs(found, read_hash=lambda path, part, *_: input_hash(path, part, use))
        store.start_run({})
        for number, model in store.models.items():
            for call in store.lease(number, 1_000_000):
                assert call.input is not None
                texts = cells[call.input.id - 1][answers[str(model)]].split("|")
                text = texts[min(call.repeat, len(texts)) - 1]
                digest = input_hash(call.input.path, call.input.part, use)
                for record in records(call, _outcome(text, records_too)):
                    if hasattr(record, "content"):
                        record = msgspec.structs.replace(
                            record, content=digest, key=f"u1:{call.id}{digest.hex()}"
                        )
                    store.submit(record)
        store.end_run("complete", None, 1)
    return output / id


def score(
    folder: Path,
    *scorers: str | dict[str, object],
    expected: str = "{{row.want}}",
    gates: Sequence[str] = (),
    of_repeats: OfRepeats = MOST,
) -> None:
    """Score the answers; a scorer is the short form, or a table with its `name`."""
    place = NamedPlace(name="here")
    definitions = [
        read_short_form(scorer, place)
        if isinstance(scorer, str)
        else read_scorer(
            str(scorer["name"]), {key: value for key, value in scorer.items() if key != "name"}, place
        )
        for scorer in scorers
    ]
    spec = ScoringSpec(
        scorers=tuple(definitions),
        expected=expected,
        gates=tuple(read_gate(gate, place.name) for gate in gates),
        of_repeats=of_repeats,
    )
    Scoring(folder, spec, []).run()


def _outcome(text: str, record: bool) -> Outcome:
    if not text:
        return BROKEN
    usage = Usage(input_tokens=7, output_tokens=2)
    data = text if record else None
    return Reply(text=text, data=data, finish_reason=FinishReason.STOP, usage=usage)
