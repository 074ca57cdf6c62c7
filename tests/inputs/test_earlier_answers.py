"""Answers of an earlier evaluation as inputs: which count, what they are called, what is sent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from store.making import BROKEN, A, B, answer_all, files, never, record, reply, spec
from umwelten.errors import InputError, UsageError
from umwelten.identity import content_hash
from umwelten.inputs.content import Content
from umwelten.inputs.earlier_answers import answers, read_answer
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS, call_id
from umwelten.types import FoundInput, ModelRef, Prompt, Text


def read(row: FoundInput) -> Content:
    return read_answer(row.path, name=row.name, part=row.part, stamp=row.stamp)


def words(content: Content) -> str:
    (part,) = content.parts
    assert isinstance(part, Text)
    return part.text


def names(folder: Path, where: str | None = None) -> list[str]:
    return [found.name for found in answers(folder, where=where)]


def evaluation(folder: Path, *inputs: str, **settings: object) -> Path:
    """One in which every call was answered."""
    models = settings.pop("models", (A,))
    with Store.create(folder, spec(*models, **settings)) as store:  # type: ignore[misc,arg-type]
        if settings.get("kind") == "run":
            store.set_no_inputs()
        else:
            store.set_inputs(files(*inputs), read_hash=never)
        answer_all(store)
    return folder


def with_answers(folder: Path, texts: dict[str, str], data: dict[str, str] | None = None) -> Path:
    """One with an answer of that text for each input, and the record in it."""
    with Store.create(folder, spec()) as store:
        store.set_inputs(files(*texts), read_hash=never)
        calls = store.lease(1, 1000)
        replies = {
            name: msgspec.structs.replace(reply(text), data=(data or {}).get(name))
            for name, text in texts.items()
        }
        record(store, [(call, replies[call.input.name]) for call in calls if call.input])
    return folder


def test_an_answer_is_sent_with_the_name_of_its_file(tmp_path: Path) -> None:
    (found,) = answers(with_answers(tmp_path / "x", {"sub/scan.jpg": "It shows é.\n"}))
    assert (found.name, found.path) == ("sub/scan.jpg", str(tmp_path / "x" / "evaluation.db"))
    assert found.size == len("It shows é.\n".encode())
    content = read(found)
    assert words(content) == "File: sub/scan.jpg\n<content>\nIt shows é.\n</content>"
    assert content.digest == content_hash("It shows é.\n".encode())
    assert dict(content.values) == {
        "answer": "It shows é.\n",
        "file.name": "sub/scan.jpg",
        "file.path": "/in/sub/scan.jpg",
    }
    assert not content.changed


def test_names_tell_models_and_repeats_apart(tmp_path: Path) -> None:
    assert names(evaluation(tmp_path / "one", "a.txt", "b.txt")) == ["a.txt", "b.txt"]
    assert names(evaluation(tmp_path / "two", "a.txt", models=(A, B))) == ["a.txt", "a.txt.ollama_gemma3-12b"]
    assert names(evaluation(tmp_path / "three", "a.txt", repeats=3)) == ["a.txt", "a.txt.r2", "a.txt.r3"]
    assert names(evaluation(tmp_path / "four", "a.r2", "a", repeats=2)) == ["a.r2_", "a.r2_.r2", "a", "a.r2"]


def again(folder: Path, *inputs: str, models: tuple[ModelRef, ...] = (A,), **settings: object) -> None:
    """The same with further inputs, models or repeats; every call is answered."""
    with Store.resume(folder, spec(*models, **settings)) as store:
        store.set_inputs(files(*inputs), read_hash=never)
        answer_all(store)


def test_what_is_added_later_renames_no_answer(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a", "b.r2")
    before = {(one.name, one.stamp, one.part) for one in answers(folder)}
    assert {name for name, _, _ in before} == {"a", "b.r2_"}
    again(folder, "a", "b.r2", models=(B, A), repeats=2)
    after = {(one.name, one.stamp, one.part) for one in answers(folder)}
    assert before < after
    slug = "ollama_gemma3-12b"
    assert {name for name, _, _ in after - before} == {
        *("a.r2", f"a.{slug}", f"a.{slug}.r2"),
        *("b.r2_.r2", f"b.r2.{slug}", f"b.r2.{slug}.r2"),
    }
    # The first model keeps the bare names, in the plan or not.
    again(folder, "a", "b.r2", models=(B,))
    assert names(folder) == [f"a.{slug}", f"b.r2.{slug}"]


def test_no_two_answers_have_one_name_though_a_file_is_called_like_anothers_answer(tmp_path: Path) -> None:
    slug = "ollama_gemma3-12b"
    given = ("a", f"a.{slug}", "b.r2", "b.r2_")
    folder = evaluation(tmp_path / "x", *given, models=(A, B), repeats=2)
    found = names(folder)
    assert len(set(found)) == len(found) == 16
    assert {"a", "a.r2", f"a.{slug}", f"a.{slug}.r2", f"a.{slug}.{slug}", "b.r2_"} <= set(found)
    assert names(folder) == found
    # Even where those names are names of files again, as they are in the next step.
    step = evaluation(tmp_path / "y", *found, models=(A, B), repeats=2)
    assert len(set(names(step))) == 64
    assert set(names(step)) >= {name for name in found if not name.endswith(".r2")}


def test_a_run_without_files_is_named_by_its_models(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", kind="run", models=(A, B))
    found = list(answers(folder))
    assert [one.name for one in found] == ["google_gemini", "ollama_gemma3-12b"]
    assert (read(found[0]).values["file.name"], read(found[0]).values["file.path"]) == ("", "")
    assert names(evaluation(tmp_path / "y", kind="run")) == ["google_gemini"]


def test_several_prompts_are_in_names_and_fields(tmp_path: Path) -> None:
    prompts = (Prompt(name="short", text="Be short."), Prompt(name="long", text="Be long."))
    folder = evaluation(tmp_path / "x", "a.txt", prompts=prompts)
    assert names(folder) == ["a.txt", "a.txt.long.google_gemini"]
    assert names(folder, "prompt = long") == ["a.txt.long.google_gemini"]
    assert names(evaluation(tmp_path / "y", "a.txt"), "prompt = null") == ["a.txt"]


def test_failed_pending_and_outdated_calls_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("good", "bad", "pending", "changed", "gone"), read_hash=never)
        calls = {call.input.name: call for call in store.lease(1, 10) if call.input}
        outcomes = {"good": reply(), "bad": BROKEN, "changed": reply(), "gone": reply()}
        record(store, [(calls[name], outcome) for name, outcome in outcomes.items()])
    with Store.resume(folder, spec()) as store:
        later = [*files("good", "bad", "pending"), *files("changed", stamp="2")]
        store.set_inputs(later, read_hash=lambda path, *_: b"other bytes")
    assert names(folder) == ["good"]


def test_answers_of_models_that_were_left_out_do_not_count(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a.txt", models=(A, B))
    with Store.resume(folder, spec(B)) as store:
        store.set_inputs(files("a.txt"), read_hash=never)
    (found,) = answers(folder)
    assert found.name == "a.txt.ollama_gemma3-12b"
    assert found.part == f"answer {call_id(1, 2, 1)}"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("status=succeeded and json.relevant=true", ["a", "c"]),
        ("json.relevant = true and json.year > 1900", ["a"]),
        ("json.tags ~ war", ["a"]),
        ("json.author.name = Austen", ["c"]),
        ("json.relevant != true", ["b", "d"]),
        ("answer ~ 'NO JSON'", ["d"]),
        ("length < 12", ["d"]),
        ("file in (a, d) and not file = a", ["d"]),
        ("provider = google and model = google:gemini", ["a", "b", "c", "d"]),
        ("repeat = 1 and attempts <= 1 and finish_reason = stop", ["a", "b", "c", "d"]),
        ("input_tokens >= 7 and output_tokens < 3 and response_s = 0.5", ["a", "b", "c", "d"]),
        ("cost_usd = 5e-9", ["a", "b", "c", "d"]),
    ],
)
def test_a_filter_sees_the_calls_fields_and_the_record(tmp_path: Path, where: str, found: list[str]) -> None:
    texts = {
        "a": 'Here: ```json {"relevant": true, ...',
        "b": '{"relevant": false, "year": 2000}',
        "c": '{"relevant": true, "year": "1815", "author": {"name": "Austen"}}',
        "d": "no json",
    }
    folder = with_answers(tmp_path / "x", texts, {"a": '{"relevant":true,"year":1984,"tags":["war"]}'})
    assert names(folder, where) == found


def test_no_more_answers_than_asked_for(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a", "b", "c")
    assert [[one.name for one in answers(folder, most=most)] for most in (0, 2, 5)] == [
        [],
        ["a", "b"],
        ["a", "b", "c"],
    ]


def test_many_answers_come_in_order_and_each_once(tmp_path: Path) -> None:
    given = [f"{n:04}" for n in range(1203)]
    assert names(evaluation(tmp_path / "x", *given)) == given


def test_the_stamp_is_that_of_the_text(tmp_path: Path) -> None:
    one, two, three = answers(with_answers(tmp_path / "x", {"a": "same", "b": "same", "c": "other"}))
    assert one.stamp == two.stamp != three.stamp


def test_an_answer_that_was_given_anew_is_sent_and_said_to_have_changed(tmp_path: Path) -> None:
    (found,) = answers(with_answers(tmp_path / "x", {"a": "old"}))
    with closing(sqlite3.connect(found.path)) as connection, connection:
        connection.execute("UPDATE answers SET text = 'new'")
    content = read(found)
    assert (content.changed, content.values["answer"]) == (True, "new")
    with closing(sqlite3.connect(found.path)) as connection, connection:
        connection.execute("DELETE FROM answers")
    with pytest.raises(InputError, match="'a' is no longer in"):
        read(found)


def test_a_run_that_is_at_work_is_not_held_up(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        first, second = store.lease(1, 2)
        record(store, [(first, reply())])
        reading = answers(folder)
        assert next(reading).name == "a"
        record(store, [(second, reply())])
    assert [found.name for found in reading] == ["b"]


def old_database(folder: Path, version: int) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute("PRAGMA application_id = 0x756D7774")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("INSERT INTO evaluation VALUES ('x','batch','p',NULL,'{}','[]',1,x'00',0,'0.5')")
        connection.execute("INSERT INTO models VALUES (1,'google:gemini','google','google_gemini',1)")
        connection.execute("INSERT INTO inputs VALUES (1,'a.txt','/in/a.txt',3,'1',1,'a.txt',1)")
        values = (call_id(1, 1, 1), 1, 1, 1, 1, "k", b"", 1, 1, 0.0, 0.5, None, 0.5, 1)
        connection.execute(f"INSERT INTO calls VALUES ({','.join('?' * 14)}{',NULL' * 10})", values)
        connection.execute("INSERT INTO answers VALUES (?, '{\"a\": 1}', NULL)", (call_id(1, 1, 1),))
        connection.commit()
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_evaluations_of_earlier_versions_are_read(tmp_path: Path, version: int) -> None:
    folder = old_database(tmp_path / "x", version)
    (found,) = answers(folder, where="json.a = 1 and prompt = null")
    assert (found.name, read(found).values["answer"]) == ("a.txt", '{"a": 1}')


def test_a_folder_that_cannot_be_written_to_is_read(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a")
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    try:
        assert names(folder) == ["a"]
    finally:
        folder.chmod(0o755)


def test_an_evaluation_that_is_not_there_is_an_error_at_once_with_the_nearest(tmp_path: Path) -> None:
    evaluation(tmp_path / "reviews", "a")
    with pytest.raises(InputError) as error:
        answers(tmp_path / "review")
    assert error.value.message == f"there is no evaluation 'review' in {tmp_path}"
    assert error.value.hint == "Did you mean 'reviews'?"
    with pytest.raises(InputError) as error:
        answers(tmp_path / "entirely else")
    assert error.value.hint == "umwelten eval list shows the evaluations."


@pytest.mark.parametrize("data", [b"", b"not a database at all, but text" * 40])
def test_what_is_no_evaluation_is_an_error_at_once(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "evaluation.db").write_bytes(data)
    with pytest.raises(InputError):
        answers(tmp_path)


def test_an_evaluation_of_a_newer_version_is_an_error_at_once(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a")
    (row,) = answers(folder)
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for reading in (lambda: answers(folder), lambda: read(row)):
        with pytest.raises(InputError, match="newer umwelten") as error:
            reading()
        assert error.value.hint == "upgrade umwelten"


def test_a_filter_that_nothing_fits_says_how_many_there_were(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", *map(str, range(1200)))
    with pytest.raises(
        InputError, match="none of the 1,200 answers of evaluation 'x' matches where='repeat = 2'"
    ):
        names(folder, "repeat = 2")
    with pytest.raises(InputError) as error:
        names(folder, "status = failed")
    assert error.value.hint == "Failed and pending calls have no answer, so only status=succeeded can match."


def test_an_evaluation_without_answers_is_an_error(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
    with pytest.raises(InputError, match="evaluation 'x' has no answers"):
        names(tmp_path / "x")


def test_a_broken_filter_is_an_error_at_once(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "x", "a")
    with pytest.raises(UsageError, match="there is no field 'stats'; did you mean 'status'"):
        answers(folder, where="stats = failed")


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("json.yaer = 1984", "The records have title, year; did you mean json.year?"),
        ("not json.zzz != 1", "The records have title, year."),
        ("model = gemini", "models of the answers: google:gemini"),
        ("model in (gemini, gpt)", "models of the answers: google:gemini"),
        ("json.year = 1 or model = x", "models of the answers: google:gemini"),
        ("json.year = 1", None),
        ("model = google:gemini and repeat = 7", None),
        ("model ~ zzz", None),
    ],
)
def test_a_filter_that_nothing_fits_says_what_its_fields_hold(
    tmp_path: Path, where: str, said: str | None
) -> None:
    folder = with_answers(tmp_path / "x", {"a": '{"title": "Emma", "year": 1815}', "b": '{"title": "N"}'})
    with pytest.raises(InputError) as error:
        list(answers(folder, where=where))
    assert error.value.hint == said


def test_a_filter_by_records_where_there_are_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        list(answers(with_answers(tmp_path / "x", {"a": "words"}), where="json.year > 1"))
    assert error.value.hint == "The answers are not JSON records, so they have no fields json.…."


def test_a_filter_that_compares_a_number_with_a_word_is_refused(tmp_path: Path) -> None:
    folder = with_answers(tmp_path / "x", {"a": "words"})
    with pytest.raises(UsageError, match="output_tokens is a number, but 'abc' is not"):
        answers(folder, where="output_tokens > abc")
