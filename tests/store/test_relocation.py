"""Evaluations that are renamed, copied, removed and moved aside, with what belongs to them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from store.judged import evaluate, judge, judged
from store.making import A, query, spec, texts
from umwelten.errors import EvaluationBusy, EvaluationExists, StoreError, UsageError
from umwelten.store.copying import copy
from umwelten.store.database import evaluations
from umwelten.store.derived import derived_of, made_from, owner, stored_derived
from umwelten.store.folder_lock import lock
from umwelten.store.relocation import JOURNAL, rename
from umwelten.store.removal import remove, with_derived
from umwelten.store.scores.store import ScoreStore
from umwelten.store.scores.tables import SCORES
from umwelten.store.store import Store

ENDINGS = ("", ".polite", ".polite.fair", ".right")


def overwrite(folder: Path, _: Path) -> None:
    Store.overwrite(folder, spec(A)).close()


def delete(folder: Path, _: Path) -> None:
    remove(with_derived([folder] if (folder / "evaluation.db").exists() else []))


def there(output: Path) -> set[str]:
    return {folder.name for folder in evaluations(output)}


def files_of(output: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in output.rglob("*.txt")}


def check(folder: Path) -> None:
    """What is stored in and around a judged evaluation fits its name."""
    name = folder.name
    assert [other.name for other in derived_of(folder)] == [f"{name}{ending}" for ending in ENDINGS[1:]]
    for ending in ENDINGS:
        own = folder.with_name(f"{name}{ending}")
        assert query(own, "SELECT id FROM evaluation") == [(own.name,)]
        assert len([name for name in texts(own) if name.endswith(".txt")]) == 2
        assert not (own / JOURNAL).exists()
        if ending:
            of = folder.with_name(own.name.rpartition(".")[0])
            derived = stored_derived(own)
            assert derived is not None
            assert derived.of == of.name
            assert query(own, "SELECT DISTINCT path FROM inputs") == [(str(of / "evaluation.db"),)]
    with closing(sqlite3.connect(folder / "scores.db")) as connection:
        judges = connection.execute("SELECT judge FROM scorers ORDER BY id").fetchall()
        assert judges == [(f"{name}.polite",), (f"{name}.right",)]
        assert connection.execute("SELECT count(*) FROM scores").fetchone() == (4,)


def test_what_belongs_to_an_evaluation_is_renamed_with_it(tmp_path):
    assert rename(judged(tmp_path / "x"), tmp_path / "y") == ["y.polite", "y.polite.fair", "y.right"]
    check(tmp_path / "y")
    assert there(tmp_path) == {"x.other", *(f"y{ending}" for ending in ENDINGS)}
    rename(tmp_path / "y", tmp_path / "x")  # the names are free again
    check(tmp_path / "x")


def test_what_belongs_to_an_evaluation_is_copied_with_it_while_a_run_writes(tmp_path):
    folder = judged(tmp_path / "x")
    with Store.resume(folder, spec(A)) as store, ScoreStore.open(folder):
        store.start_run({})
        copy(folder, tmp_path / "y")
        store.end_run("complete", None, 1)
    check(folder)
    check(tmp_path / "y")
    assert query(tmp_path / "y", "SELECT status FROM runs") == [("complete",), ("interrupted",)]
    assert not list(tmp_path.glob(".*"))


def test_what_belongs_to_an_evaluation_is_moved_aside_with_it(tmp_path):
    overwrite(judged(tmp_path / "x"), tmp_path)
    assert derived_of(tmp_path / "x") == []
    (aside,) = (path for path in tmp_path.glob("x.replaced-*") if owner(path) is None)
    check(aside)
    assert there(tmp_path) == {"x", "x.other", *(f"{aside.name}{ending}" for ending in ENDINGS)}


def test_what_belongs_to_an_evaluation_is_removed_with_it_and_other_files_stay(tmp_path):
    folder = judged(tmp_path / "x")
    (folder / "sub" / "mine.md").write_text("notes")
    outside = tmp_path / "outside"
    (outside / "sub").mkdir(parents=True)
    (outside / "sub" / "b.txt").write_text("mine")
    shutil.rmtree(tmp_path / "x.right" / "sub", ignore_errors=True)
    (tmp_path / "x.right" / "sub").symlink_to(outside / "sub")
    gone = remove(with_derived([folder]))
    assert [(each.folder.name, each.left) for each in gone] == [
        ("x.right", ("sub",)),
        ("x.polite.fair", ()),
        ("x.polite", ()),
        ("x", ("sub",)),
    ]
    assert there(tmp_path) == {"x.other"}
    assert (folder / "sub" / "mine.md").read_text() == "notes"
    assert [path.name for path in (folder / "sub").iterdir()] == ["mine.md"]
    assert (outside / "sub" / "b.txt").read_text() == "mine"


@pytest.mark.parametrize("act", [rename, overwrite, delete])
@pytest.mark.parametrize("kind", ["evaluation", "scores"])
def test_nothing_changes_while_a_process_works_on_one_of_them(tmp_path, act, kind):
    folder = judged(tmp_path / "x")
    held = lock(tmp_path / "x.polite.fair") if kind == "evaluation" else lock(folder, SCORES)
    busy = r"x\.polite\.fair" if kind == "evaluation" else "scores evaluation 'x'"
    with pytest.raises(EvaluationBusy, match=busy):
        act(folder, tmp_path / "y")
    held.release()
    check(folder)


@pytest.mark.parametrize("act", [rename, copy])
@pytest.mark.parametrize("taken", ["y", "y.right"])
def test_a_name_that_is_taken_is_refused(tmp_path, act, taken):
    folder = judged(tmp_path / "x")
    (tmp_path / taken).mkdir()
    with pytest.raises(EvaluationExists, match=f"{taken!r}"):
        act(folder, tmp_path / "y")
    check(folder)


def test_an_error_in_between_takes_everything_back(tmp_path):
    folder = judged(tmp_path / "x")
    before = files_of(tmp_path)
    (tmp_path / "x.right" / "scores.db").write_bytes(b"not a database " * 100)
    with pytest.raises(StoreError, match=r"scores\.db is damaged"):
        rename(folder, tmp_path / "y")
    (tmp_path / "x.right" / "scores.db").unlink()
    assert files_of(tmp_path) == before
    check(folder)


@pytest.mark.parametrize(
    ("act", "step"),
    [(rename, 7), (copy, 19), (overwrite, 9), (delete, 13)],
)
def test_a_kill_at_any_moment_is_repaired_by_the_same_again(tmp_path, act, step):
    start = judged(tmp_path / "start" / "x").parent
    kills = 0
    for moment in range(step, 200, step):
        output = tmp_path / "output"
        shutil.copytree(start, output)
        for path in output.glob("x.*/evaluation.db"):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("UPDATE inputs SET path = replace(path, 'start', 'output')")
                connection.commit()
        killed = _killed(lambda: act(output / "x", output / "y"), moment)  # noqa: B023 - called at once
        if not killed:
            break
        kills += 1
        with suppress(EvaluationExists):  # it was just done
            act(output / "x", output / "y")
        _check_after(act, output)
        shutil.rmtree(output)
    assert kills > 1


def _check_after(act: Callable[..., object], output: Path) -> None:
    assert not list(output.glob(".*"))
    if act is delete:
        assert there(output) == {"x.other"}
        return
    if act is overwrite:
        assert derived_of(output / "x") == []
        (aside,) = (
            path
            for path in output.glob("x.replaced-*")
            if owner(path) is None and (path / "scores.db").exists()
        )
        (aside / JOURNAL).unlink(missing_ok=True)  # it says what is done, and nobody reads it there
        check(aside)
        return
    check(output / "y")
    if act is copy:
        check(output / "x")
    else:
        assert there(output) == {"x.other", *(f"y{ending}" for ending in ENDINGS)}


def _killed(act: Callable[[], object], moment: int) -> bool:
    """Do it in a process that ends before its so many-th change of a folder or database; was it that long?"""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, _: object) -> None:
            nonlocal seen
            if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect"):
                seen += 1
                if seen == moment:
                    os._exit(9)

        sys.addaudithook(count)
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_after_an_interrupted_renaming_only_the_same_goes_on(tmp_path):
    folder = judged(tmp_path / "x")
    moment = 4  # of about 40
    while not (folder / JOURNAL).exists():
        moment += 1
        _killed(lambda: rename(folder, tmp_path / "y"), moment)
    for act in (lambda: rename(folder, tmp_path / "z"), lambda: copy(folder, tmp_path / "z")):
        with pytest.raises(StoreError, match="umwelten eval rename x y"):
            act()
    with pytest.raises(StoreError, match="umwelten eval rename x y"):
        remove([folder])
    rename(folder, tmp_path / "y")
    check(tmp_path / "y")


def test_a_journal_leads_nowhere_else(tmp_path):
    evaluate(tmp_path / "output" / "x")
    (tmp_path / "output" / "x" / JOURNAL).write_text(
        '{"what": "rename", "source": "x", "target": "../y", "endings": []}'
    )
    with pytest.raises(StoreError, match="names that no evaluation has"):
        rename(tmp_path / "output" / "x", tmp_path / "output" / "y")


def test_what_a_judge_said_goes_where_its_evaluation_goes(tmp_path):
    folder = judged(tmp_path / "x")
    for act in (rename, copy):
        with pytest.raises(UsageError, match="umwelten eval rename x NEW"):
            act(tmp_path / "x.right", tmp_path / "y")
    remove(with_derived([tmp_path / "x.polite"]))
    assert [other.name for other in derived_of(folder)] == ["x.right"]


def test_whose_an_evaluation_is_after_moves_by_hand(tmp_path):
    judge_folder = judged(tmp_path / "x").with_name("x.right")
    shutil.copytree(judge_folder, tmp_path / "z.right")
    evaluate(tmp_path / "z")
    assert owner(tmp_path / "z.right") is None  # it is still about x, which is there
    (tmp_path / "x").rename(tmp_path / "y")
    judge_folder.rename(tmp_path / "y.right")
    assert owner(tmp_path / "y.right") == tmp_path / "y"


def test_steps_made_from_an_evaluation_are_known(tmp_path):
    folder = judged(tmp_path / "x")
    judge(folder, "step", at=tmp_path / "next")
    assert list(made_from(folder)) == ["next"]
