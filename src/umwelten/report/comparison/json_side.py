"""A side of a comparison that is a JSON report, such as CI keeps of the version in use.

The report is read line by line, as it is written: a result is one line. One that was formatted anew is read
as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from umwelten.errors import InputError, UsageError, read_error
from umwelten.report.comparison.side import Contents, Measures, Side, SideColumn, SideScorer, use_of
from umwelten.scoring.columns import KINDS, Column, ColumnName, Files
from umwelten.scoring.score import UnscoredKind
from umwelten.types import FrozenStruct

_BEGIN = b'"results": ['
_WRITE = "Write one with umwelten eval report ID, of a single evaluation and with its results, as .json."


class _Metrics(FrozenStruct):
    response_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


class _Kind(FrozenStruct):
    kind: str


class _Score(FrozenStruct):
    value: float | None
    passed: bool | None = msgspec.field(name="pass", default=None)
    unscored: _Kind | None = None


class _Result(FrozenStruct):
    model: str
    file: str | None
    status: str
    prompt: str | None = None
    metrics: _Metrics = _Metrics()
    content: str | None = None
    scores: Mapping[str, _Score] = {}


class _Prompt(FrozenStruct):
    name: str
    text: str


class _Evaluation(FrozenStruct):
    prompt: str
    prompts: tuple[_Prompt, ...] = ()


class _Model(FrozenStruct):
    model: str
    prompt: str | None = None


class _Settings(FrozenStruct):
    repeats: int = 1


class _Report(FrozenStruct):
    evaluation: _Evaluation
    models: tuple[_Model, ...]
    settings: _Settings = _Settings()
    scorers: tuple[SideScorer, ...] = ()
    results: tuple[_Result, ...] | None = None


_decode_result = msgspec.json.Decoder(_Result).decode
_decode_report = msgspec.json.Decoder(_Report).decode


def json_side(path: Path) -> Side:
    """Return the evaluation of a JSON report. Raises `InputError`, `UsageError` if it has no scores."""
    try:
        return _side(path)
    except OSError as error:
        raise read_error(path, error) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        several = b'{"evaluations"' in _head(path)
        problem = (
            "holds the reports of several evaluations"
            if several
            else f"is not a JSON report of umwelten: {error}"
        )
        raise InputError(f"{path} {problem}", _WRITE) from None


def _side(path: Path) -> Side:
    names: dict[str, int] = {}
    for row in _results(path):
        names.setdefault(row.file or "", len(names))
    report = _report(path)
    if report.results is None:
        raise InputError(f"{path} is a short report, without results by file", _WRITE)
    if not report.scorers:
        raise UsageError(
            f"{path} has no scores",
            "Score the evaluation with umwelten eval score, and write its report again.",
        )
    files = Files(names.values())
    texts = {prompt.name: prompt.text for prompt in report.evaluation.prompts}
    columns = {
        ColumnName(model=row.model, prompt=row.prompt): SideColumn(
            scores={one.name: Column(files, repeats=report.settings.repeats) for one in report.scorers},
            measures=Measures(files),
            contents=Contents(files, use_of(texts.get(row.prompt or "", report.evaluation.prompt))),
        )
        for row in report.models
    }
    for row in _results(path):
        column = columns.get(ColumnName(model=row.model, prompt=row.prompt))
        if column is None:
            raise ValueError(f"a result is of {row.model!r}, which is not among the models")
        _add(column, names[row.file or ""], row)
    return Side(
        label=str(path),
        id=None,
        files=files,
        names=names,
        stamps=array("q", bytes(8 * len(names))),
        scorers=report.scorers,
        columns=columns,
    )


def _add(column: SideColumn, file: int, row: _Result) -> None:
    column.contents.add(file, row.content)
    if row.status == "succeeded":
        known = row.metrics
        column.measures.add(file, (known.cost_usd, known.response_s, known.input_tokens, known.output_tokens))
    for scorer, scores in column.scores.items():
        score = row.scores.get(scorer)
        if score is None:
            scores.add(file, None)
        else:
            scores.add(file, score.value, score.passed, _kind(score.unscored))


def _kind(unscored: _Kind | None) -> UnscoredKind | None:
    """The kind as we know it; one that a newer version knows stands for a scorer that failed."""
    if unscored is None:
        return None
    return unscored.kind if unscored.kind in KINDS else "scorer_error"


def _results(path: Path) -> Iterator[_Result]:
    found = False
    with path.open("rb") as file:
        for line in file:
            if line.rstrip() != _BEGIN:
                continue
            found = True
            for row in file:
                text = row.rstrip().removesuffix(b",")
                yield _decode_result(text.removesuffix(b"]"))
                if text.endswith(b"]"):
                    break
    if not found:
        yield from _decode_report(path.read_bytes()).results or ()


def _report(path: Path) -> _Report:
    """All but the results, which are none or empty where they are on lines of their own."""
    kept = []
    with path.open("rb") as file:
        for line in file:
            kept.append(line)
            if line.rstrip() != _BEGIN:
                continue
            for row in file:
                if row.rstrip().removesuffix(b",").endswith(b"]"):
                    kept.append(b"],")
                    break
    return _decode_report(b"".join(kept))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)
