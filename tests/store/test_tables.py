"""Evaluations that earlier versions made: they are gone on with, and read as they are."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.making import A, B, answer_all, files, never, query, spec, texts
from umwelten.errors import EvaluationChanged
from umwelten.identity import content_hash
from umwelten.store.database import APPLICATION_ID
from umwelten.store.grid import Counts
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS, call_id
from umwelten.types import Prompt, Schema

OLD = f"""
    INSERT INTO evaluation VALUES ('x', 'batch', 'Describe it.', NULL, '{{"temperature":null}}', '[]', 1,
      x'00', 1.0, '0.2');
    INSERT INTO models VALUES (1, 'google:gemini', 'google', 'google_gemini', 1);
    INSERT INTO models VALUES (2, 'ollama:gemma3:12b', 'ollama', 'ollama_gemma3-12b', 1);
    INSERT INTO inputs VALUES (1, 'a', '/in/a', 3, '1', 1, 'a', 1);
    INSERT INTO inputs VALUES (2, 'b', '/in/b', 3, '1', 1, 'b', 1);
    INSERT INTO calls (id, input_id, model_id, repeat, input_version, key, content, status, run_id,
      started_at, response_s, time_s, attempts, output)
      VALUES ({call_id(1, 2, 1)}, 1, 2, 1, 1, 'u1:0', x'{content_hash(b"").hex()}', 1, 1, 1.0, 1.0, 1.0, 1,
      'a.ollama_gemma3-12b.txt');
    INSERT INTO answers VALUES ({call_id(1, 2, 1)}, 'an old answer', NULL);
"""


def made_by_version(folder: Path, version: int) -> None:
    """A database as it was after so many migrations, with one of four calls answered."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "evaluation.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for migration in MIGRATIONS[:version]:
            connection.executescript(migration)
        connection.executescript(OLD)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("version", [1, 2])
def test_an_evaluation_of_an_earlier_version_goes_on(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "x"
    made_by_version(folder, version)
    with Store.resume(folder, spec(A, B)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        assert store.models == {1: A, 2: B}
        assert store.prompts == {1: "", 2: ""}
        assert store.counts() == Counts(total=4, succeeded=1, failed=0, pending=3)
        assert sorted(call.id for call in answer_all(store)) == [
            call_id(1, 1, 1),
            call_id(2, 1, 1),
            call_id(2, 2, 1),
        ]
    assert query(folder, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    models = "google_gemini", "ollama_gemma3-12b"
    assert texts(folder) == {f"{name}.{model}.txt" for name in "ab" for model in models}
    assert (folder / "a.ollama_gemma3-12b.txt").read_text() == "an old answer"


@pytest.mark.parametrize("version", [1, 2])
def test_an_evaluation_of_an_earlier_version_is_read_and_left_as_it_is(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "x"
    made_by_version(folder, version)
    before = (folder / "evaluation.db").read_bytes()
    with Reader.open(folder) as reader:
        assert reader.spec() == spec(A, B)
        rows = reader.connection.execute(
            "SELECT i.name, i.part, m.name, m.prompt_id, a.text, a.data, a.marks FROM answers a"
            " JOIN calls c ON c.id = a.call_id JOIN inputs i ON i.id = c.input_id"
            " JOIN models m ON m.id = c.model_id"
        ).fetchall()
        assert [tuple(row) for row in rows] == [("a", "", str(B), 0, "an old answer", None, None)]
        for table in ("prompts", "attributions"):
            assert reader.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    assert (folder / "evaluation.db").read_bytes() == before
    assert query(folder, "PRAGMA user_version") == [(version,)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"schema": Schema(json={"type": "object"}, source="title")}, "schema: none"),
        ({"pdf": "text"}, 'pdf: "auto" → "text"'),
        ({"prompts": (Prompt(name="p", text="t"),)}, "prompts: none → p"),
    ],
)
def test_what_an_earlier_version_did_not_have_would_mix_answers(
    tmp_path: Path, more: dict[str, object], said: str
) -> None:
    folder = tmp_path / "x"
    made_by_version(folder, 2)
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(folder, spec(A, B, **more))
    assert said in str(caught.value)
    Store.resume(folder, spec(A, B)).close()
