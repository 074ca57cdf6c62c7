"""Scoring of stored answers: what is missing is computed, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests import scoredkit
from tests.scoredkit import evaluate, write_table

import umwelten
from provider import Profile, Provider, provider
from umwelten.config.settings import load
from umwelten.errors import ConfigError, EvaluationBusy, InputError, StoreError, UsageError
from umwelten.evaluation.scoring.build_scoring import build_scoring
from umwelten.evaluation.scoring.scoring import Scoring, ScoringResult
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.phrases import by_name
from umwelten.report.queries.overviews import overview
from umwelten.report.queries.score_overview import score_overview
from umwelten.report.render.scores_text import score_lines
from umwelten.scoring.definition import NamedPlace, read_scorer, read_short_form
from umwelten.scoring.scorer import Scorer
from umwelten.simulate.faultserver.profile import Behaviour
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.scores.store import ScoreStore

HERE = NamedPlace(name="here")
TABLE = [
    {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris!"},
    {"n": "2", "want": "Rome", "a": "Rome", "b": "Oslo"},
    {"n": "3", "want": "", "a": "Berlin", "b": ""},
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provider() as running:
        for name, value in running.env().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield running


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "q.csv", TABLE)


@pytest.fixture
def folder(table: Path, tmp_path: Path) -> Path:
    return evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path)


def score(folder: Path, *scorers: str, expected: str | None = "{{row.want}}") -> ScoringResult:
    definitions = tuple(read_short_form(text, HERE) for text in scorers)
    return Scoring(folder, ScoringSpec(scorers=definitions, expected=expected), []).run()


def stored(folder: Path) -> list[tuple[object, ...]]:
    with ScoreReader.open(folder) as reader:
        return [
            (s.call_id >> 28, s.call_id >> 16 & 7, s.value, s.passed, s.unscored) for s in reader.scores()
        ]


def test_answers_are_scored_once(folder: Path) -> None:
    assert score(folder, "contains") == ScoringResult(new=5, kept=0)
    assert stored(folder) == [
        (1, 1, 1.0, True, None),
        (1, 2, 1.0, True, None),
        (2, 1, 1.0, True, None),
        (2, 2, 0.0, False, None),
        (3, 1, None, None, "no_reference"),
    ]
    assert score(folder, "contains") == ScoringResult(new=0, kept=5)


def test_what_changed_is_scored_anew_and_nothing_else(folder: Path, table: Path, tmp_path: Path) -> None:
    score(folder, "contains", "exact")
    assert score(folder, "contains", "exact", "n=number:3") == ScoringResult(new=5, kept=10)
    assert score(folder, "exact=exact:Rome") == ScoringResult(new=5, kept=0), "another definition"
    # A label that is corrected: the prompt has no place for it, so that the answer still counts.
    write_table(table, [*TABLE[:1], {**TABLE[1], "want": "Oslo"}, TABLE[2]])
    assert score(folder, "contains") == ScoringResult(new=2, kept=3)
    # What was asked is another question now.
    write_table(table, [{**TABLE[0], "n": "7"}, {**TABLE[1], "want": "Oslo"}, TABLE[2]])
    assert score(folder, "contains") == ScoringResult(new=2, kept=3)
    unscored = [row[4] for row in stored(folder) if row[0] == 1]
    assert "input_changed" in unscored


def test_only_the_answers_that_match_are_scored(folder: Path) -> None:
    score(folder, "exact")
    with ScoreReader.open(folder) as reader:
        failing = {(s.call_id, s.call_key) for s in reader.scores() if s.passed is False}
    assert 0 < len(failing) < 6
    definitions = (read_short_form("other=contains", HERE),)
    spec = ScoringSpec(scorers=definitions, expected="{{row.want}}", where="pass.exact = false")
    for new in (len(failing), 0):
        assert Scoring(folder, spec, []).run() == ScoringResult(new=new, kept=len(failing) - new)
    with ScoreReader.open(folder) as reader:
        (other,) = (scorer.id for scorer in reader.scorers() if scorer.name == "other")
        assert {(s.call_id, s.call_key) for s in reader.scores() if s.scorer_id == other} == failing
    with pytest.raises(UsageError, match=r"did you mean 'pass\.exact'"):
        Scoring(folder, msgspec.structs.replace(spec, where="pass.exakt = false"), [])


def test_a_threshold_is_applied_without_scoring_again(folder: Path) -> None:
    def run(at_least: float) -> ScoringResult:
        definition = read_scorer("close", {"type": "edit", "at_least": at_least}, HERE)
        return Scoring(folder, ScoringSpec(scorers=(definition,), expected="{{row.want}}"), []).run()

    assert run(0.9) == ScoringResult(new=5, kept=0)
    before = [row[3] for row in stored(folder)]
    assert run(0.1) == ScoringResult(new=0, kept=5)
    after = [row[3] for row in stored(folder)]
    assert before.count(True) == 1
    assert after.count(True) == 3


def test_a_new_answer_takes_the_place_of_an_old_score(folder: Path, table: Path, tmp_path: Path) -> None:
    score(folder, "contains")
    write_table(table, [{**TABLE[0], "n": "9", "a": "Lyon"}, *TABLE[1:]])
    evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path)
    assert score(folder, "contains") == ScoringResult(new=2, kept=3)
    assert stored(folder)[0] == (1, 1, 0.0, False, None)


def test_a_stored_evaluation_has_no_files_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a stranger's, whose references would end in reports, or at a judge's provider."""
    monkeypatch.chdir(folder)
    (folder / "gold.txt").write_text("Paris")
    for where in ("@/etc/hostname", "@../{{file.stem}}", "@~/x", "/etc/labels.csv", "@.env"):
        with ScoreStore.open(folder) as store:
            store.write_settings({"expected": where})
        with pytest.raises(UsageError, match="because the stored evaluation says so"):
            build_scoring(load(folder, {}).with_flags({"scorer": ["contains"]}, by_name), {}, folder)
    for where in ("@gold.txt", "=@/etc/hostname", "{{row.want}}", "ID:gold"):
        with ScoreStore.open(folder) as store:
            store.write_settings({"expected": where})
        build_scoring(load(folder, {}).with_flags({"scorer": ["contains"]}, by_name), {}, folder)


def test_calls_that_all_failed_are_counted_and_those_to_come_cannot_be_scored(
    table: Path, tmp_path: Path
) -> None:
    write_table(table, [{**row, "a": ""} for row in TABLE])
    failed = evaluate(table, {"p:a": "a"}, output=tmp_path, id="failed")
    write_table(tmp_path / "l.csv", [{"file": "row-1", "value": "1"}])
    assert score(failed, "contains", f"people=table:{tmp_path / 'l.csv'}") == ScoringResult(new=0, kept=0)
    with closing(sqlite3.connect(failed / "evaluation.db")) as connection:
        connection.execute("DELETE FROM attempts")
        connection.execute("DELETE FROM calls")
        connection.commit()
    with pytest.raises(InputError, match="evaluation 'failed' has no answers"):
        score(failed, "contains")


def test_the_total_of_one_scorer_is_its_own(folder: Path) -> None:
    scoredkit.score(folder, "contains", {"name": "f1", "type": "f1", "weight": 0}, gates=["total >= 0.5"])
    with Reader.open(folder) as reader:
        found = score_overview(reader, overview(reader).models)
    assert found is not None
    assert [value.value for value in found.gates[0].models] == [1.0, 0.5]


def test_names_of_scorers_differ_in_more_than_case(folder: Path) -> None:
    settings = load(folder, {}).with_flags({"scorer": ["right=contains:a", "Right=contains:b"]}, by_name)
    with pytest.raises(UsageError, match="scorers 'right' and 'Right' differ in case alone"):
        build_scoring(settings, {}, folder)


@pytest.mark.parametrize("settings", [{"expected": 7}, {"gates": [{"text": "x"}]}, {"of_repeats": "some"}])
def test_settings_that_are_none_are_damage(folder: Path, settings: dict[str, object]) -> None:
    score(folder, "contains")
    with ScoreStore.open(folder) as store:
        store.write_settings(settings)
    with ScoreReader.open(folder) as reader, pytest.raises(StoreError, match="is damaged"):
        reader.settings()


def test_scorers_that_compare_need_references(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"scorer 'contains' \(contains\) compares answers"):
        score(folder, "contains", expected=None)
    with pytest.raises(UsageError, match=r"row\.wnat") as caught:
        score(folder, "contains", expected="{{row.wnat}}")
    assert "row.want" in str(caught.value)
    assert not (folder / "scores.db").exists(), "nothing was begun"


def test_one_process_scores_at_a_time(folder: Path) -> None:
    with ScoreStore.open(folder), pytest.raises(EvaluationBusy, match=r"process [0-9]+ scores") as caught:
        score(folder, "contains")
    assert str(caught.value).endswith("wait until it has ended"), "there is no other place for its scores"


def test_a_kill_before_the_first_table_leaves_nothing_in_the_way(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "scores.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with ScoreReader.open(folder) as reader:
        assert reader.scorers() == ()
    assert score(folder, "contains").new == 5


def test_a_database_that_is_not_ours_is_refused(folder: Path) -> None:
    score(folder, "contains")
    with closing(sqlite3.connect(folder / "scores.db")) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON scores BEGIN SELECT 1; END")
    with pytest.raises(StoreError, match="the trigger 't'") as caught:
        score(folder, "contains")
    assert "score again" in str(caught.value)


CODE = """
def same(answer, expected): return answer.text == expected
def row(answer, row, model, file): return row["want"] in answer.text and model == "p:a" and file == "row-1"
def odd(answer): raise ValueError("no")
"""


def test_functions_programs_and_tables_score_what_is_missing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(CODE)
    (tmp_path / "labels.csv").write_text("file,model,value,reason\nrow-1,,pass,good\nrow-2,p:b,0.25,\n")
    program = 'while read -r line; do id=${line#*:}; echo "{\\"id\\": ${id%%,*}, \\"value\\": 0.5}"; done'
    definitions = (
        read_scorer("row", {"type": "python", "value": "checks.py:row"}, HERE),
        read_scorer("odd", {"type": "python", "value": "checks.py:odd"}, HERE),
        read_scorer("same", {"type": "python", "value": "checks.py:same"}, HERE),
        read_scorer("half", {"type": "command", "value": ["sh", "-c", program]}, HERE),
        read_scorer("people", {"type": "table", "value": "labels.csv"}, HERE),
    )
    bases = dict.fromkeys((each.name for each in definitions), tmp_path)

    def run() -> ScoringResult:
        spec = ScoringSpec(scorers=definitions, bases=bases, expected="{{row.want}}")
        return Scoring(folder, spec, []).run()

    assert run() == ScoringResult(new=25, kept=0)
    with ScoreReader.open(folder) as reader:
        names = {scorer.id: scorer.name for scorer in reader.scorers()}
        found: dict[str, list[object]] = {}
        for row in reader.scores():
            found.setdefault(names[row.scorer_id], []).append(row.unscored or row.value)
    assert found == {
        "row": [1, 0, 0, 0, 0],
        "odd": ["scorer_error"] * 5,
        "same": [0, 0, 1, 0, "no_reference"],
        "half": [0.5] * 5,
        "people": [1, 1, "no_reference", 0.25, "no_reference"],
    }
    assert run() == ScoringResult(new=0, kept=25)
    (tmp_path / "labels.csv").write_text("file,model,value,reason\nrow-1,,pass,good\nrow-2,p:b,0.75,\n")
    assert run() == ScoringResult(new=1, kept=24)
    (tmp_path / "checks.py").write_text(CODE + "\n")
    assert run() == ScoringResult(new=15, kept=10)


def test_what_cannot_run_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(CODE)
    definition = read_scorer("x", {"type": "python", "value": "checks.py:smae"}, HERE)
    with pytest.raises(ConfigError, match="Did you mean same"):
        Scoring(folder, ScoringSpec(scorers=(definition,), bases={"x": tmp_path}), []).run()
    assert not (folder / "scores.db").exists()


def test_a_costly_rule_is_scored_in_a_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Scorer.score.__kwdefaults__, "limit", 0.0)
    definition = read_scorer("slow", {"type": "regex", "value": "Paris"}, HERE)
    assert Scoring(folder, ScoringSpec(scorers=(definition,)), []).run().new == 5
    assert [row[2] for row in stored(folder)] == [1, 1, 0, 0, 0]


def test_references_reach_back_along_a_chain(server: Provider, table: Path, tmp_path: Path) -> None:
    evaluate(table, {"p:a": "a"}, output=tmp_path / "output")
    server.use(Profile(default=Behaviour(text="{prompt}", shaped="ignore")))
    umwelten.batch("{{answer}}", "openai:m", from_="x", id="second").wait()
    folder = tmp_path / "output/second"
    assert score(folder, "contains") == ScoringResult(new=3, kept=0)
    assert [row[2] for row in stored(folder)] == [1.0, 1.0, None]
    with pytest.raises(UsageError, match=r"row\.wnat"):
        score(folder, "exact", expected="{{row.wnat}}")


def test_two_prompts_over_a_hundred_rows_give_the_figures_of_the_books(tmp_path: Path) -> None:
    """74 right in both, 14 in the first alone, 6 in the second alone: Wilson, and McNemar's p."""
    rights = [(True, True)] * 74 + [(True, False)] * 14 + [(False, True)] * 6 + [(False, False)] * 6
    rows = [
        {"n": n, "want": "Paris", "a": "It is Paris." if one else "Oslo", "b": "Paris!" if two else "Oslo"}
        for n, (one, two) in enumerate(rights)
    ]
    folder = evaluate(write_table(tmp_path / "t.csv", rows), {"p:a": "a", "p:b": "b"}, output=tmp_path)
    score(folder, "contains")

    def printed() -> list[str]:
        with Reader.open(folder) as reader:
            found = score_overview(reader, overview(reader).models)
        assert found is not None
        return list(score_lines(found))

    assert printed() == [
        "contains      files  scored   mean           95 %",
        "p:a             100     100  0.880  0.802 – 0.930",
        "p:b             100     100  0.800  0.711 – 0.867",
        "p:a − p:b",
        "  +0.080 (-0.008 – +0.168), p = 0.115, 100 files: no difference seen (one of",
        "  ±0.12 would have been)",
        "",
        "best by contains: p:a",
        "as good, as far as can be told: p:b (at most 0.168 behind)",
        "best value: p:a",
    ]
    before = printed()
    assert score(folder, "contains").new == 0
    assert printed() == before


def test_without_its_threshold_a_function_says_again_itself_what_passes(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("def right(answer):\n    return 'Paris' in answer.text\n")

    def passed(**more: float) -> list[object]:
        table = {"type": "python", "value": "checks.py:right", **more}
        spec = ScoringSpec(scorers=(read_scorer("x", table, HERE),), bases={"x": tmp_path})
        Scoring(folder, spec, []).run()
        return [row[3] for row in stored(folder)]

    own = passed()
    assert set(own) == {True, False}
    assert set(passed(at_least=0.0)) == {True}
    assert passed() == own
