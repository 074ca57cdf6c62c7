"""Creating, resuming, overwriting, and the lock."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

import umwelten
from store.making import A, B, C, answer_all, files, never, query, record, reply, spec, texts
from umwelten.errors import EvaluationBusy, EvaluationChanged, EvaluationExists, StoreError, UsageError
from umwelten.identity import content_hash
from umwelten.store.database import (
    EVALUATION,
    evaluations,
    open_database,
    remove_own_files,
    store_errors,
)
from umwelten.store.grid import Counts
from umwelten.store.reader import Reader
from umwelten.store.relocation import set_aside
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS, call_id
from umwelten.types import ModelRef, Parameters

CHILD = Path(__file__).with_name("child.py")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_evaluation_holds_its_settings(tmp_path: Path) -> None:
    full = spec(
        A,
        B,
        system="Be short.",
        parameters=Parameters(temperature=0, seed=3, extra={"top_k": 4, "stop": ["a"]}),
        attachments=(("a.pdf", content_hash(b"a")),),
        repeats=2,
    )
    with Store.create(tmp_path / "deep" / "x", full) as store:
        assert store.models == {1: A, 2: B}
        with Reader.open(tmp_path / "deep" / "x") as reader:
            assert reader.spec() == full
    settings = "SELECT journal_mode FROM pragma_journal_mode"
    assert query(tmp_path / "deep" / "x", settings) == [("wal",)]
    assert query(tmp_path / "deep" / "x", "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert query(tmp_path / "deep" / "x", "PRAGMA application_id") != [(0,)]


def test_an_id_that_is_taken_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    Store.create(folder, spec()).close()
    before = snapshot(folder)
    with pytest.raises(EvaluationExists, match="'x' exists") as caught:
        Store.create(folder, spec(prompt="another"))
    assert "resume continues" in str(caught.value)
    assert "overwrite starts over" in str(caught.value)
    assert snapshot(folder) == before


def test_resume_makes_what_is_not_there(tmp_path: Path) -> None:
    with Store.resume(tmp_path / "x", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        assert store.counts() == Counts(total=1, succeeded=0, failed=0, pending=1)


def test_resume_finishes_a_creation_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "evaluation.db").touch()
    with pytest.raises(StoreError, match="never started"):
        Reader.open(tmp_path)
    with Store.resume(tmp_path, spec()) as store:
        assert store.models == {1: A}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"prompt": "Describe them."}, 'prompt: "Describe it." → "Describe them."'),
        ({"system": "s"}, 'system: none → "s"'),
        ({"kind": "run"}, 'kind: "batch" → "run"'),
        ({"parameters": Parameters(temperature=1)}, "temperature: 0.0 → 1.0"),
        ({"parameters": Parameters()}, "temperature: 0.0 → none"),
        ({"parameters": Parameters(temperature=0, extra={"top_k": None})}, "param top_k: none → null"),
        ({"parameters": Parameters(temperature=0, extra={"seed": 1}, seed=1)}, "param seed: none → 1"),
        ({"attachments": (("a", b"\2" * 20),)}, "attachments: a (01010101) → a (02020202)"),
        ({"attachments": ()}, "attachments: a (01010101) → none"),
    ],
)
def test_resume_with_other_settings_names_the_change(
    tmp_path: Path, other: dict[str, object], said: str
) -> None:
    same: dict[str, object] = {"parameters": Parameters(temperature=0), "attachments": (("a", b"\1" * 20),)}
    Store.create(tmp_path / "x", spec(**same)).close()
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(tmp_path / "x", spec(**(same | other)))
    assert said in str(caught.value)
    assert "or overwrite" in str(caught.value)
    # The one that was refused has left no trace, not even a lock.
    Store.resume(tmp_path / "x", spec(**same)).close()


def test_long_prompts_are_shown_where_they_differ(tmp_path: Path) -> None:
    Store.create(tmp_path / "x", spec(prompt="x" * 500 + "OLD" + "y" * 500)).close()
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(tmp_path / "x", spec(prompt="x" * 500 + "NEW" + "y" * 500))
    line = next(line for line in str(caught.value).splitlines() if "prompt" in line)
    assert "OLD" in line.split("→")[0]
    assert "NEW" in line.split("→")[1]
    assert len(line) < 150


def test_models_may_be_added_and_left_out(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A, B)) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path / "x", spec(C, B)) as store:
        store.set_inputs(files("a"), read_hash=never)
        assert store.models == {2: B, 3: C}
        assert store.counts() == Counts(total=2, succeeded=1, failed=0, pending=1)
        assert store.lease(2, 9) == []
        assert [call.id for call in store.lease(3, 9)] == [call_id(1, 3, 1)]


def test_a_second_model_leaves_the_names_that_were_given(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with Store.create(folder, spec(A)) as store:
        store.set_inputs(files("sub/a.jpg"), read_hash=never)
        answer_all(store)
    with Store.resume(folder, spec(A, B)) as store:
        store.set_inputs(files("sub/a.jpg", "b.jpg"), read_hash=never)
        answer_all(store)
    assert texts(folder) == {
        "sub/a.jpg.txt",
        "sub/a.jpg.ollama_gemma3-12b.txt",
        "b.jpg.google_gemini.txt",
        "b.jpg.ollama_gemma3-12b.txt",
    }
    # And one model alone keeps naming itself from then on.
    with Store.resume(folder, spec(A)) as store:
        store.set_inputs(files("c"), read_hash=never)
        answer_all(store)
    assert "c.google_gemini.txt" in texts(folder)


def test_repeats_may_grow(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path / "x", spec(A, repeats=3)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        assert store.counts() == Counts(total=6, succeeded=2, failed=0, pending=4)
        calls = store.lease(1, 9)
        assert [(call.input and call.input.name, call.repeat) for call in calls] == [
            ("a", 2),
            ("a", 3),
            ("b", 2),
            ("b", 3),
        ]
        record(store, [(call, reply()) for call in calls])
    assert texts(tmp_path / "x") == {"a.txt", "a.r2.txt", "a.r3.txt", "b.txt", "b.r2.txt", "b.r3.txt"}


def test_overwrite_moves_the_old_one_aside(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    for prompt in ("one", "two", "three"):
        with Store.overwrite(folder, spec(prompt=prompt)) as store:
            store.set_inputs(files(prompt), read_hash=never)
            answer_all(store)
    assert texts(folder) == {"three.txt"}
    aside = sorted(path for path in tmp_path.iterdir() if path != folder)
    assert all(path.name.startswith("x.replaced-2") for path in aside)
    assert sorted(name for path in aside for name in texts(path)) == ["one.txt", "two.txt"]
    assert list(evaluations(tmp_path)) == [folder, *aside]


def test_folders_moved_aside_in_one_second_have_names_of_their_own(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / f"{number}.txt").touch()
        set_aside(tmp_path / "x")
    assert sorted(path.name for path in tmp_path.glob("x.replaced-*/*.txt")) == [f"{n}.txt" for n in range(4)]


def test_overwrite_does_without_an_old_one(tmp_path: Path) -> None:
    Store.overwrite(tmp_path / "x", spec()).close()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_overwrite_takes_a_damaged_one(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "evaluation.db").write_bytes(b"not a database" * 1000)
    Store.overwrite(folder, spec()).close()
    with Reader.open(folder) as reader:
        assert reader.spec() == spec()


def test_a_second_store_is_refused_at_once_and_told_who_works(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with subprocess.Popen(
        [sys.executable, CHILD, "hold", folder], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        for refused in (Store.resume, Store.overwrite):
            with pytest.raises(EvaluationBusy, match=f"process {child.pid} works"):
                refused(folder, spec())
        with Reader.open(folder) as reader:
            assert reader.spec().request == spec().request
        child.kill()
    with Store.resume(folder, spec()) as store:
        assert store.models == {1: A}
        # In the same process too, and no dead process is blamed.
        with pytest.raises(EvaluationBusy, match="another process"):
            Store.resume(folder, spec())


def test_only_a_run_that_goes_on_is_said_to_hold_the_evaluation(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
        with pytest.raises(EvaluationBusy, match="another process works"):
            Store.resume(tmp_path, spec())
        store.start_run({})
        with pytest.raises(EvaluationBusy, match=f"process {os.getpid()} works"):
            Store.resume(tmp_path, spec())


def test_a_store_closed_in_another_thread_gives_its_lock_back(tmp_path: Path) -> None:
    store = Store.create(tmp_path, spec())
    closing_thread = threading.Thread(target=store.close)
    closing_thread.start()
    closing_thread.join()
    Store.resume(tmp_path, spec()).close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    Store.create(tmp_path, spec()).close()
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for opening in (lambda: Store.resume(tmp_path, spec()), lambda: Reader.open(tmp_path)):
        with pytest.raises(StoreError, match="newer umwelten"):
            opening()


def test_a_database_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    before = (tmp_path / "evaluation.db").read_bytes()
    with pytest.raises(StoreError, match="not a database of umwelten"):
        Store.resume(tmp_path, spec())
    assert (tmp_path / "evaluation.db").read_bytes() == before


def test_a_damaged_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "evaluation.db").write_bytes(b"not a database" * 1000)
    for opening in (lambda: Store.resume(tmp_path, spec()), lambda: Reader.open(tmp_path)):
        with pytest.raises(StoreError, match="damaged"):
            opening()


def test_damage_deep_in_the_database_is_a_store_error(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files(*(f"file {n}" for n in range(3000))), read_hash=never)
    path = tmp_path / "evaluation.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: 4096 * 30] + b"\xff" * (len(whole) - 4096 * 30))
    with pytest.raises(StoreError, match="damaged"), Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files(*(f"file {n}" for n in range(3000))), read_hash=never)
        store.lease(1, 5000)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("parameters", "{"),
        ("parameters", '{"temperature": "warm"}'),
        ("attachments", '[["a.txt", "no hex"]]'),
        ("attachments", '["a.txt"]'),
        ("schema", "[]"),
        ("options", "7"),
        ("repeats", 0),
        ("repeats", 10**15),
    ],
)
def test_settings_that_cannot_be_read_are_a_store_error(tmp_path: Path, column: str, value: object) -> None:
    Store.create(tmp_path, spec()).close()
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE evaluation SET {column} = ?", (value,))
    with pytest.raises(StoreError, match="the settings of evaluation 'x' cannot be read"):
        Store.resume(tmp_path, spec())


def test_what_was_just_begun_is_taken_back_and_what_others_put_there_stays(tmp_path: Path) -> None:
    for kept in (set(), {"notes.txt"}):
        Store.create(tmp_path / "x", spec()).close()
        for name in kept:
            (tmp_path / "x" / name).touch()
        remove_own_files(tmp_path / "x")
        assert {path.name for path in tmp_path.rglob("*")} == kept | ({"x"} if kept else set())


def test_json_that_cannot_be_read_is_damage_and_a_fault_of_ours_is_not(tmp_path: Path) -> None:
    Store.create(tmp_path, spec()).close()
    truncated = r"evaluation\.db is damaged: Input data was truncated"
    with pytest.raises(StoreError, match=truncated), store_errors(tmp_path):
        msgspec.json.decode(b"[")
    with pytest.raises(TypeError, match="ours"), store_errors(tmp_path):
        raise TypeError("ours")


def test_a_migration_that_fails_names_the_database_and_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    dump = "SELECT name, sql, (SELECT user_version FROM pragma_user_version) FROM sqlite_schema"
    before = query(tmp_path, dump)
    half = "CREATE TABLE half (a); DELETE FROM answers; DELETE FROM nowhere"
    with monkeypatch.context() as newer:
        kind = EVALUATION._replace(migrations=(*MIGRATIONS, half))
        newer.setattr("umwelten.store.store.open_database", partial(open_database, kind=kind))
        with pytest.raises(StoreError, match="no such table: nowhere") as caught:
            Store.resume(tmp_path, spec())
    assert str(tmp_path / "evaluation.db") in str(caught.value)
    assert query(tmp_path, dump) == before
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(1,)]
    Store.resume(tmp_path, spec()).close()  # and its lock is free again


def test_an_evaluation_is_made_where_the_version_of_umwelten_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As from a copy of the sources that is not installed.
    Store.create(tmp_path / "installed", spec()).close()
    with monkeypatch.context() as alone:
        alone.setattr(sys, "path", [str(Path(umwelten.__file__).parents[1])])
        Store.create(tmp_path / "copied", spec()).close()
    made_by = "SELECT umwelten FROM evaluation"
    assert query(tmp_path / "installed", made_by) == [(version("umwelten"),)]
    assert query(tmp_path / "copied", made_by) == [("unknown",)]


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "x"):
        for opening in (Store.create, Store.resume, Store.overwrite):
            with pytest.raises(StoreError, match="cannot be used"):
                opening(folder, spec())


def test_a_grid_that_ids_cannot_number_is_refused(tmp_path: Path) -> None:
    many = [ModelRef("p", f"m{n}") for n in range(4096)]
    for refused in (spec(*many), spec(repeats=65536), spec(repeats=0)):
        with pytest.raises(UsageError):
            Store.create(tmp_path / "x", refused)
