"""The scores as JUnit XML, which CI systems show: a suite a model (and prompt), in it a case a file; gates.

A case fails where a score does not pass, is an error where a call, scorer or judge failed or has not ended,
and is skipped where nothing says what the answer should be, or what passes. Of several repeats most must
pass: those that are errors decide nothing unless they could turn it.

Cases are written to a temporary file for each suite, as the sums stand in front of them. Texts hold nothing
but characters that XML 1.0 allows, and no escape of a terminal; each is cut at 8 kB. Valid against the schema
of Jenkins, junit-10.xsd.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import IO, Literal, NamedTuple, TextIO
from xml.sax.saxutils import quoteattr

import msgspec

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.report.models import CallResult
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import CallScore, CallScores, open_scores, scores_by_call
from umwelten.report.queries.score_columns import column_names
from umwelten.report.queries.score_overview import read_overview
from umwelten.report.queries.shown_scores import ExpectedValues, expected_text
from umwelten.report.render.scores_text import KINDS, gate_value_text, share
from umwelten.report.render.xml_text import MOST_BYTES, attribute, content
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.gate_outcomes import GateResult
from umwelten.scoring.repeats import MOST, OfRepeats, enough
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.records import stored_gates

_IN_MEMORY = 1 << 20
"""Bytes of a suite's cases that are kept in memory before they go to a file."""
_NO_FILE = "answer"  # the case of an evaluation without files
_UNJUDGED = "no_threshold"

State = Literal["passed", "failure", "error", "skipped"]


class _Answer(NamedTuple):
    """A call that has ended, by its number."""

    call: int
    result: CallResult
    scores: CallScores


def render_junit(readers: Sequence[Reader], out: TextIO) -> None:
    """Write the suites of all evaluations. Raises UsageError for one that was never scored."""
    with ExitStack() as stack:
        write_suites([suite for reader in readers for suite in _suites(reader, stack)], out)


def write_suites(suites: Sequence[JunitSuite], out: TextIO) -> None:
    """Write suites as a file, with the sums of all."""
    total = sum((suite.counts for suite in suites), Counter[State]())
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    time = sum(suite.time_s for suite in suites)
    out.write(f"<testsuites{_sums(total)} time={quoteattr(_seconds(time))}>\n")
    for suite in suites:
        suite.write(out)
    out.write("</testsuites>\n")


def task_suites(reader: Reader, stack: ExitStack, named: Collection[str]) -> list[JunitSuite]:
    """Return the suites of one evaluation but for its gates, by the scorers of these names.

    Raises UsageError: it was never scored.
    """
    return list(_suites(reader, stack, named=named, gates=False))


class JunitSuite:
    """A suite while its cases are counted. `timestamp` may be empty: it is not known."""

    def __init__(self, name: str, classname: str, timestamp: str, stack: ExitStack) -> None:
        self._name, self._timestamp = name, timestamp
        self._classname = attribute(classname)
        self.counts, self.time_s = Counter[State](), 0.0
        cases = tempfile.SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="")  # noqa: SIM115
        self._cases: IO[str] = stack.enter_context(cases)

    def add(self, name: str, state: State, *, kind: str, message: str, text: str, time_s: float) -> None:
        """Add a case. `kind`, `message` and `text` say why it did not pass."""
        self.counts[state] += 1
        self.time_s += time_s
        head = f'<testcase name={attribute(name)} classname={self._classname} time="{_seconds(time_s)}"'
        if state == "passed":
            self._cases.write(f"{head}/>\n")
            return
        inner = f"<{state} type={attribute(kind)} message={attribute(message)}>{content(text)}</{state}>"
        self._cases.write(f"{head}>{inner}</testcase>\n")

    def write(self, out: TextIO) -> None:
        """Write the suite with its sums."""
        out.write(f"<testsuite name={attribute(self._name)}{_sums(self.counts)}")
        out.write(f' skipped="{self.counts["skipped"]}" time={quoteattr(_seconds(self.time_s))}')
        out.write(f" timestamp={attribute(self._timestamp)}>\n" if self._timestamp else ">\n")
        self._cases.seek(0)
        shutil.copyfileobj(self._cases, out)
        out.write("</testsuite>\n")


def _suites(
    reader: Reader, stack: ExitStack, *, named: Collection[str] | None = None, gates: bool = True
) -> Iterator[JunitSuite]:
    with overviews.snapshot(reader), open_scores(reader) as scores:
        if scores is None:
            id_ = overviews.name(reader)
            raise UsageError(
                f"{id_!r} has no scores, which JUnit is made of",
                Phrase("Score it first: umwelten eval score {id} {option:scorer=exact} …", id=id_),
            )
        overview = overviews.overview(reader)
        id_, began = overview.evaluation.id, overview.evaluation.started_at.partition(".")[0]
        suites = {
            column: JunitSuite(f"{id_} {column}", f"{id_}.{column}", began, stack)
            for column in column_names(reader).values()
        }
        _add_cases(reader, scores, suites, named)
        yield from suites.values()
        if gates and stored_gates(scores.settings()):
            suite = JunitSuite(f"{id_} gates", f"{id_}.gates", began, stack)
            for gate in read_overview(reader, scores, overview.models).gates:
                add_gate(suite, gate)
            yield suite


# --- files ---------------------------------------------------------------------------------------


def _add_cases(
    reader: Reader,
    scores: ScoreReader,
    suites: Mapping[ColumnName, JunitSuite],
    named: Collection[str] | None,
) -> None:
    """Add a case for each file and model of the plan."""
    rule = msgspec.convert(scores.settings().get("of_repeats", MOST), OfRepeats)
    cases = _Cases(scores, repeats=reader.spec().repeats, rule=rule)
    for file, answers in _by_file(reader, scores, named):
        own: dict[ColumnName, list[_Answer]] = {}
        for answer in answers:
            column = ColumnName(model=answer.result.model, prompt=answer.result.prompt)
            own.setdefault(column, []).append(answer)
        for column, suite in suites.items():
            cases.add(suite, file or _NO_FILE, own.get(column, []))


def _by_file(
    reader: Reader, scores: ScoreReader, named: Collection[str] | None
) -> Iterator[tuple[str, Sequence[_Answer]]]:
    """The files of the plan with the calls of each that have ended; answers are cut."""
    # Names of files are unique, and both walks go by the number of the input.
    results = map(_cut, overviews.results(reader))
    walk = zip(results, scores_by_call(reader, scores), strict=True)
    answers = (
        _Answer(call, result, {name: own[name] for name in own if named is None or name in named})
        for result, (call, own) in walk
    )
    groups = groupby(answers, key=lambda answer: answer.result.file or "")
    following = next(groups, None)
    for name in overviews.input_names(reader):
        of_file: Sequence[_Answer] = ()
        if following is not None and following[0] == name:
            of_file = list(following[1])
            following = next(groups, None)
        yield name, of_file


def _cut(result: CallResult) -> CallResult:
    """The same with as much of its answer as a case has: those of a file are in memory together."""
    if result.response is None or len(result.response) <= MOST_BYTES:
        return result
    return msgspec.structs.replace(result, response=result.response[: MOST_BYTES + 1], data=None)


class _Cases:
    """Makes cases of the answers to a file."""

    def __init__(self, scores: ScoreReader, *, repeats: int, rule: OfRepeats) -> None:
        self._expected, self._repeats, self._rule = ExpectedValues(scores), repeats, rule

    def add(self, suite: JunitSuite, file: str, answers: Sequence[_Answer]) -> None:
        """Add the case of these answers; of the repeats, those that are lacking are pending."""
        states = [_state(answer.scores.values()) for answer in answers]
        pending = max(self._repeats - len(answers), 0)
        counts = Counter[State](states)
        counts["error"] += pending
        state = _of_repeats(counts, self._rule)
        kind, message, text = "", "", ""
        if state != "passed":
            kind, message = _why(
                [answer for answer, own in zip(answers, states, strict=True) if own == state], state
            )
            if self._repeats > 1:
                message = f"{counts['passed']:,} of {self._repeats:,} pass: {message}"
            blocks = [*map(self._text, answers), *([f"{pending:,} pending"] if pending else [])]
            text = "\n\n".join(blocks)
        time_s = sum(answer.result.metrics.response_s or 0.0 for answer in answers)
        suite.add(file, state, kind=kind, message=message, text=text, time_s=time_s)

    def _text(self, answer: _Answer) -> str:
        """An answer with all its scores; of several repeats, with its number."""
        result, expected = answer.result, self._expected.of(answer.call)
        lines = [f"repeat {result.repeat}"] if self._repeats > 1 else []
        for name, score in answer.scores.items():
            lines.append(f"{name}: {_score_text(score)}")
            lines += [
                f"  {part.name}: {share(part.value)} {part.message or ''}".rstrip() for part in score.parts
            ]
            lines += [f"  expected: {expected_text(expected[name])}"] if name in expected else []
        if result.error is not None:
            lines.append(f"failed: {result.error.message}")
        else:
            lines.append(f"answer: {result.response or ''}")
        return "\n".join(lines)


def _of_repeats(counts: Mapping[State, int], rule: OfRepeats) -> State:
    """What a file is whose repeats are these: an error if those that are errors could turn it."""
    passes, errors = counts["passed"], counts["error"]
    of = passes + errors + counts["failure"]
    if not of:
        return "skipped"
    if enough(passes, of, rule):
        return "passed"
    return "error" if enough(passes + errors, of, rule) else "failure"


def _state(scores: Iterable[CallScore]) -> State:
    """What an answer is: the gravest of what its scores are; one that nothing was said of is skipped."""
    found = {_state_of(score) for score in scores}
    order: Sequence[State] = ("failure", "error", "passed")
    return next((state for state in order if state in found), "skipped")


def _state_of(score: CallScore) -> State:
    if score.unscored is not None:
        return "skipped" if score.unscored.kind == "no_reference" else "error"
    if score.passed is None:
        return "skipped"
    return "passed" if score.passed else "failure"


def _why(answers: Sequence[_Answer], state: State) -> tuple[str, str]:
    """Type and message of a case: of the first score that is like it."""
    for answer in answers:
        for name, score in answer.scores.items():
            if _state_of(score) == state:
                kind = score.unscored.kind if score.unscored else _UNJUDGED
                return name if state == "failure" else kind, f"{name}: {_score_text(score)}"
    # All that there is are calls that have not ended.
    return "pending", KINDS["pending"]


def _score_text(score: CallScore) -> str:
    if score.unscored is not None:
        kind, message = KINDS.get(score.unscored.kind, score.unscored.kind), score.unscored.message
        return f"{kind}: {message}" if message else kind
    word = {True: "passes", False: "does not pass", None: "no threshold"}[score.passed]
    label = "" if score.label is None else f", {score.label!r}"
    reason = "" if score.reason is None else f": {score.reason}"
    return f"{share(score.value)}, {word}{label}{reason}"


# --- gates ---------------------------------------------------------------------------------------


def add_gate(suite: JunitSuite, gate: GateResult) -> None:
    """Add the case of a gate, which is an error where it is undecided."""
    states: Mapping[str, State] = {"met": "passed", "missed": "failure"}
    lines = [
        f"{ColumnName(model=value.model, prompt=value.prompt)}: {gate_value_text(value)}"
        for value in gate.models
    ]
    state = states.get(gate.outcome, "error")
    message = f"{gate.gate}: {gate.outcome}"
    suite.add(gate.gate, state, kind=gate.outcome, message=message, text="\n".join(lines), time_s=0.0)


# --- XML -----------------------------------------------------------------------------------------


def _sums(counts: Mapping[State, int]) -> str:
    failures, errors = counts["failure"], counts["error"]
    return f' tests="{sum(counts.values())}" failures="{failures}" errors="{errors}"'


def _seconds(value: float) -> str:
    return f"{value:.3f}"
