"""`eval show --failing` and `--unscored`: the answers that do not pass, and those without a score."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal

import click

from umwelten.cli.table_layout import write_table
from umwelten.errors import UsageError
from umwelten.report.queries import calls, overviews
from umwelten.report.queries.call_scores import CallScore, CallScores, open_scores
from umwelten.report.queries.calls import CallSummary
from umwelten.report.queries.shown_scores import ExpectedValues, expected_text, scored_call, scored_lines
from umwelten.report.queries.variants import prompts
from umwelten.report.render.scores_text import KINDS, share
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import StoredScorer
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

_REASON = 2000  # characters in a list


class WantedScores(FrozenStruct):
    """Which scores are listed, by one scorer or (an empty name) by all."""

    what: Literal["failing", "unscored"]
    scorer: str = ""

    def of(self, scores: CallScores) -> Mapping[str, CallScore]:
        """Return those of a call that are wanted."""
        return {
            name: score
            for name, score in scores.items()
            if self.scorer in ("", name)
            and (score.passed is False if self.what == "failing" else score.unscored is not None)
        }


def show_scored(reader: Reader, lines: Iterable[CallSummary], wanted: WantedScores, *, as_json: bool) -> None:
    """Print a line for each score that is wanted; as JSON one for each call, with all its scores."""
    with open_scores(reader) as scores:
        if scores is None:
            id_ = overviews.name(reader)
            raise UsageError(
                f"{id_!r} has no scores", f"Score it: umwelten eval score {id_} --scorer exact …"
            )
        scorers = scores.scorers()
        _check(wanted, scorers)
        unscored = WantedScores(what="unscored", scorer=wanted.scorer)
        missing = False

        def matching() -> Iterator[tuple[CallSummary, CallScores]]:
            nonlocal missing
            for line, own in scored_lines(reader, scores, lines):
                missing = missing or bool(unscored.of(own))
                if wanted.of(own):
                    yield line, own

        found = matching()
        first = next(found, None)
        rows = chain([] if first is None else [first], found)
        if as_json:
            sys.stdout.writelines(f"{calls.as_json(scored_call(line, own))}\n" for line, own in rows)
        else:
            _write(reader, scores, rows, wanted)
        if first is None:
            _note_none(wanted, scorers, unscored=missing)


def _check(wanted: WantedScores, scorers: Iterable[StoredScorer]) -> None:
    names = [scorer.name for scorer in scorers]
    if wanted.scorer and wanted.scorer not in names:
        raise UsageError(
            f"there is no scorer {wanted.scorer!r} here",
            sentences(
                did_you_mean(closest(wanted.scorer, names)),
                f"Scorers are {', '.join(names)}; without one, put --{wanted.what} last.",
            ),
        )


def _write(
    reader: Reader,
    scores: ScoreReader,
    rows: Iterable[tuple[CallSummary, CallScores]],
    wanted: WantedScores,
) -> None:
    several, repeats = bool(prompts(reader)), reader.spec().repeats > 1
    titles = ["CALL", "FILE", "MODEL", *(["PROMPT"] if several else []), *(["REPEAT"] if repeats else [])]
    titles += [
        "SCORER",
        *(("VALUE", "EXPECTED", "REASON") if wanted.what == "failing" else ("KIND", "MESSAGE")),
    ]

    values = ExpectedValues(scores)

    def cells() -> Iterator[list[str]]:
        for line, own in rows:
            expected = values.of(line.call) if wanted.what == "failing" else {}
            for name, score in wanted.of(own).items():
                yield [
                    str(line.call),
                    one_line(line.file or formatting.UNKNOWN, 500),
                    one_line(line.model, 500),
                    *([one_line(line.prompt or formatting.UNKNOWN, 500)] if several else []),
                    *([str(line.repeat)] if repeats else []),
                    name,
                    *_said(score, expected.get(name)),
                ]

    shrink = ("FILE", "MODEL", "PROMPT", "SCORER", "EXPECTED", "REASON", "MESSAGE")
    write_table(titles, cells(), shrink=shrink)


def _said(score: CallScore, expected: Any) -> tuple[str, ...]:
    if score.unscored is not None:
        kind = KINDS.get(score.unscored.kind, score.unscored.kind)
        return kind, one_line(score.unscored.message, _REASON)
    wanted = "" if expected is None else one_line(expected_text(expected), _REASON)
    return share(score.value), wanted, one_line(score.reason or score.label or "", _REASON)


def _note_none(wanted: WantedScores, scorers: Iterable[StoredScorer], *, unscored: bool) -> None:
    """Say why the list is empty. `unscored`: some answers have no score."""
    sys.stdout.flush()
    own = [scorer for scorer in scorers if wanted.scorer in ("", scorer.name)]
    by = f" by {wanted.scorer}" if wanted.scorer else ""
    if wanted.what == "unscored":
        click.echo(f"all answers are scored{by}", err=True)
    elif all(scorer.at_least is None for scorer in own):  # a scorer without a threshold fails nobody
        names = ", ".join(scorer.name for scorer in own)
        click.echo(f"nothing says which values of {names} pass: give the scorer at_least", err=True)
    else:
        more = "; --unscored lists those without a score" if unscored else ""
        click.echo(f"no scored answers that do not pass{by}{more}", err=True)
