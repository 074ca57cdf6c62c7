"""Rankings beside the evaluations whose answers they compare: renamed, copied, removed."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from store.judged import evaluate, rank
from store.making import A, query, spec
from umwelten.errors import EvaluationBusy, EvaluationExists, StoreError, UsageError
from umwelten.records import Derived
from umwelten.report.queries.listing import list_evaluations, render_text
from umwelten.store.copying import copy
from umwelten.store.derived import derived_of, made_from, owner, rankings_of, stored_derived
from umwelten.store.folder_lock import lock
from umwelten.store.reader import Reader
from umwelten.store.relocation import JOURNAL, Relocation, rename, rewrite_names, write_journal
from umwelten.store.removal import remove, with_derived
from umwelten.store.scores.reader import ScoreReader
from umwelten.store.store import Store
from umwelten.store.stored_pairs import AnswerPlace, pair_calls


def ranked(output: Path) -> tuple[Path, Path]:
    """Two evaluations, each with a ranking that is called after it, and one of both called otherwise."""
    one, other = output / "x", output / "y_1"
    evaluate(one)
    evaluate(other)
    rank(one)
    rank(other, one)
    rank(one, other, at="board")
    return one, other


def said(folder: Path) -> dict[str, object]:
    """All that a ranking has of the names of evaluations."""
    derived = stored_derived(folder)
    assert derived is not None
    with ScoreReader.open(folder) as scores:
        ranking = scores.settings()["ranking"]
    return {
        "of": (derived.of, derived.definition["of"]),
        "paths": {Path(path).parent.name for (path,) in query(folder, "SELECT path FROM inputs")},
        "others": {
            part.split()[2].rpartition(":")[0] for (part,) in query(folder, "SELECT part FROM inputs")
        },
        "names": {part.split(" ", 4)[4] for (part,) in query(folder, "SELECT part FROM inputs")},
        "id": ranking["id"],
        "ranking": (ranking["of"], [line["contestant"]["evaluation"] for line in ranking["board"]]),
    }


def both(id: str, first: str, second: str) -> dict[str, object]:
    ids = [first, second]
    of = {"of": (first, ids), "paths": {first}, "others": {second}, "names": {"b c"}}
    return {**of, "id": id, "ranking": (ids, ids)}


def test_a_ranking_belongs_to_the_first_evaluation_whose_answers_it_compares(tmp_path: Path) -> None:
    one, other = ranked(tmp_path)
    assert owner(tmp_path / "x.rank") == one == owner(tmp_path / "board")
    assert owner(tmp_path / "y_1.rank") == other
    assert derived_of(one) == [tmp_path / "x.rank"]
    assert list(made_from(one)) == ["board", "y_1.rank"] == [each.name for each in rankings_of(one)]
    assert list(made_from(other)) == ["board"]
    out = io.StringIO()
    render_text(list_evaluations(tmp_path), out)
    lines = [line.split("  20")[0].rstrip() for line in out.getvalue().splitlines()[1:]]
    assert sorted(lines[:3]) == ["  board", "  x.rank", "x"]
    assert lines[3:] == ["y_1", "  y_1.rank"]


def test_rankings_that_belong_to_each_other_belong_to_nobody(tmp_path: Path) -> None:
    for name, of in (("a", "b"), ("b", "a"), ("c", "c")):
        derived = Derived(role="rank", of=of, scorer="rank")
        Store.create(tmp_path / name, msgspec.structs.replace(spec(A), id=name, derived=derived)).close()
    assert [owner(tmp_path / name) for name in "abc"] == [None, None, None]
    assert {row.id for row in list_evaluations(tmp_path)} == set("abc")


def test_every_ranking_says_the_new_name_of_an_evaluation(tmp_path: Path) -> None:
    one, other = ranked(tmp_path)
    assert rename(one, tmp_path / "z") == ["z.rank"]
    assert said(tmp_path / "z.rank")["of"] == ("z", ["z"])
    assert said(tmp_path / "z.rank")["id"] == "z.rank"
    assert said(tmp_path / "board") == both("board", "z", "y_1")
    assert said(tmp_path / "y_1.rank") == both("y_1.rank", "y_1", "z")
    rename(other, tmp_path / "w")
    assert said(tmp_path / "board") == both("board", "z", "w")
    assert said(tmp_path / "w.rank") == both("w.rank", "w", "z")
    rename(tmp_path / "board", tmp_path / "best")
    assert said(tmp_path / "best") == both("best", "z", "w")
    with Reader.open(tmp_path / "best") as reader:
        calls = list(pair_calls(reader))
    assert [call.second for call in calls] == [
        AnswerPlace(call=call.first.call, evaluation="w") for call in calls
    ]
    assert all(call.succeeded and call.text for call in calls)


def test_a_verdict_on_what_names_no_two_answers_counts_for_none(tmp_path: Path) -> None:
    evaluate(tmp_path / "x")
    ranking = rank(tmp_path / "x")
    with Reader.open(ranking) as reader:
        before = list(pair_calls(reader))
    with closing(sqlite3.connect(ranking / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE inputs SET part = 'pair 1' WHERE id = (SELECT max(id) FROM inputs)")
    with Reader.open(ranking) as reader:
        assert list(pair_calls(reader)) == before[:-1] != []


def test_nothing_changes_where_a_ranking_is_at_work_or_a_name_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = ranked(tmp_path)
    held = lock(tmp_path / "board")
    with pytest.raises(EvaluationBusy, match="board"):
        rename(one, tmp_path / "z")
    held.release()
    (tmp_path / "z.rank").mkdir()
    with pytest.raises(EvaluationExists, match="already"):
        rename(one, tmp_path / "z")
    (tmp_path / "z.rank").rmdir()

    def fail(path: Path, _: Path) -> None:
        raise OSError(f"{path} cannot be renamed")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match="cannot be renamed"):
        rename(one, tmp_path / "z")
    assert said(tmp_path / "board") == both("board", "x", "y_1")


def test_what_a_kill_left_half_renamed_is_finished(tmp_path: Path) -> None:
    one, other = ranked(tmp_path)
    for ranking in rankings_of(other):
        rewrite_names(ranking, tmp_path, {"y_1": "w", "y_1.rank": "w.rank"})
    write_journal(other, Relocation(what="rename", source="y_1", target="w", endings=("rank",)))
    with pytest.raises(StoreError, match="interrupted"):
        copy(other, tmp_path / "z")
    rename(other, tmp_path / "w")
    assert said(tmp_path / "board") == both("board", "x", "w")
    assert said(tmp_path / "w.rank") == both("w.rank", "w", "x")
    rename(one, tmp_path / "z")
    assert not list(tmp_path.rglob(JOURNAL))


def test_a_ranking_is_copied_and_removed_with_its_evaluation_and_others_stay(tmp_path: Path) -> None:
    _, other = ranked(tmp_path)
    copy(other, tmp_path / "z")
    assert said(tmp_path / "z.rank") == both("z.rank", "z", "x")
    assert said(other.with_name("y_1.rank")) == both("y_1.rank", "y_1", "x")
    with pytest.raises(UsageError, match="what judges said of 'z'"):
        copy(tmp_path / "z.rank", tmp_path / "best")
    remove(with_derived([tmp_path / "x"]))
    assert {row.id for row in list_evaluations(tmp_path)} == {"board", "y_1", "y_1.rank", "z", "z.rank"}
    assert owner(tmp_path / "board") is None
