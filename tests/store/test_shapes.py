"""Answers of a given shape: their records in the database and in files beside the texts."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from store.making import A, B, files, never, query, record, records, repair, reply, spec, texts
from umwelten.errors import EvaluationChanged
from umwelten.identity import content_hash, settings_hash
from umwelten.records import StoredSpec
from umwelten.store.grid import Counts
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.text_file_names import flat_name
from umwelten.types import Failure, FailureKind, Parameters, Reply, RequestSettings, Schema, Usage

FIELDS = {"type": "object", "properties": {"zeta": {"type": "string"}, "alpha": {"type": "integer"}}}
SHAPE = Schema(json=FIELDS, name="answer", source="zeta, alpha int")
WRONG = Failure(
    kind=FailureKind.SCHEMA,
    message="alpha: 11 is more than 10",
    code="alpha",
    partial='{"zeta": "x", "alpha": 11}',
    usage=Usage(input_tokens=3, output_tokens=9),
)


def shaped(**more: object) -> StoredSpec:
    return spec(A, schema=SHAPE, **more)


def holding(data: str, *, text: str = "Here it is: …", marks: tuple[str, ...] = ()) -> Reply:
    return msgspec.structs.replace(reply(text), data=data, marks=marks)


def test_what_shapes_answers_is_kept_with_the_settings(tmp_path: Path) -> None:
    full = spec(A, schema=SHAPE, coerce=True, pdf="images", source="rows")
    Store.create(tmp_path, full).close()
    with Reader.open(tmp_path) as reader:
        assert reader.spec() == full
        stored = reader.spec().request.schema
        assert stored is not None
        assert list(stored.json["properties"]) == ["zeta", "alpha"]


def test_the_identity_of_evaluations_without_any_of_it_is_as_ever() -> None:
    def digest(**more: object) -> str:
        return settings_hash(RequestSettings(prompts=(), **more), "p").hex()  # type: ignore[arg-type]

    assert digest() == digest(pdf="auto", source="files") == "3bc97a5078efa8a2e4cf534bad83ab2513403da8"
    others = [digest(schema=SHAPE), digest(pdf="text"), digest(source="rows"), digest(source="answers")]
    assert len({digest(), *others}) == 5


def test_coercing_may_be_switched_on_later(tmp_path: Path) -> None:
    Store.create(tmp_path, shaped()).close()
    Store.resume(tmp_path, shaped(coerce=True)).close()
    with Reader.open(tmp_path) as reader:
        assert reader.spec().coerce


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"schema": None}, "→ none"),
        (
            {"schema": Schema(json={"type": "object"}, source="title")},
            "schema: zeta, alpha int → title",
        ),
        ({"schema": Schema(json={"type": "object"}, source="zeta, alpha int")}, 'schema: {"properties":'),
        ({"pdf": "text"}, 'pdf: "auto" → "text"'),
        ({"source": "rows"}, 'source: "files" → "rows"'),
    ],
)
def test_another_shape_would_mix_answers(tmp_path: Path, other: dict[str, object], said: str) -> None:
    Store.create(tmp_path, shaped()).close()
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(tmp_path, spec(A, **({"schema": SHAPE} | other)))
    assert said in str(caught.value)
    # How it was written down does not matter, nor in what order.
    same = Schema(json=dict(reversed(FIELDS.items())), source="shape.json")
    Store.resume(tmp_path, spec(A, schema=same)).close()


def test_a_record_is_a_row_and_a_file_beside_the_text(tmp_path: Path) -> None:
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files("sub/a", "b"), read_hash=never)
        one, two = store.lease(1, 9)
        data = '{"zeta":"é\\u0000","alpha":7}'
        record(store, [(one, holding(data, marks=("fenced", "mended"))), (two, reply("no record"))])
    assert query(tmp_path, "SELECT data, marks FROM answers") == [(data, "fenced,mended"), (None, None)]
    assert texts(tmp_path) == {"sub/a.txt", "sub/a.json", "b.txt"}
    written = (tmp_path / "sub/a.json").read_text()
    assert written == '{\n  "zeta": "é\\u0000",\n  "alpha": 7\n}\n'
    assert (tmp_path / "sub/a.txt").read_text() == "Here it is: …"


def test_an_answer_in_the_wrong_shape_is_a_failed_call_whose_text_is_kept(tmp_path: Path) -> None:
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        record(store, [(call, WRONG)])
        assert store.counts() == Counts(total=1, succeeded=0, failed=1, pending=0)
        assert store.spent_nusd() == 5
    kept = (WRONG.kind.value, WRONG.message, WRONG.code, WRONG.partial, 3, 9, 5)
    columns = "error_kind, error_message, error_code, partial, input_tokens, output_tokens, cost_nusd"
    assert query(tmp_path, f"SELECT {columns} FROM attempts") == [kept]
    assert query(tmp_path, "SELECT status, error_kind, cost_nusd FROM calls") == [(2, "schema", 5)]
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(0,)]
    assert texts(tmp_path) == set()


def test_a_record_that_is_out_of_date_goes_with_its_text(tmp_path: Path) -> None:
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        record(store, [(call, holding('{"zeta":"old"}')) for call in store.lease(1, 9)])
    with Store.resume(tmp_path, shaped()) as store:
        store.set_inputs(files("a", "b", stamp="2"), read_hash=lambda path, *_: content_hash(b"new"))
        one, two = store.lease(1, 9)
        record(store, [(one, WRONG), (two, holding('{"zeta":"new"}'))])
    assert texts(tmp_path) == {"b.txt", "b.json"}
    assert json.loads((tmp_path / "b.json").read_text()) == {"zeta": "new"}


def test_without_a_shape_nobody_elses_json_is_touched(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(files("a"), read_hash=never)
        record(store, [(call, reply()) for call in store.lease(1, 9)])
        (tmp_path / "a.json").write_text("mine")
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(files("a", stamp="2"), read_hash=lambda path, *_: content_hash(b"new"))
        record(store, [(call, WRONG) for call in store.lease(1, 9)])
    assert texts(tmp_path) == {"a.json"}


@pytest.mark.parametrize("damage", ["text", "record", "both", "empty"])
def test_a_text_or_record_that_is_missing_is_written_again(tmp_path: Path, damage: str) -> None:
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        one, two = store.lease(1, 9)
        record(store, [(one, holding('{"alpha":1}')), (two, reply("no record"))])
        if damage in ("text", "both"):
            (tmp_path / "a.txt").unlink()
        if damage in ("record", "both"):
            (tmp_path / "a.json").unlink()
        if damage == "empty":
            (tmp_path / "a.json").write_text("")
        assert repair(store) == 1
        assert repair(store) == 0
    assert texts(tmp_path) == {"a.txt", "a.json", "b.txt"}
    assert json.loads((tmp_path / "a.json").read_text()) == {"alpha": 1}


def test_text_and_record_stay_together_where_one_of_them_is_blocked(tmp_path: Path) -> None:
    names = ["a", "a.json/b", "c.json/d", "c", "e.txt/f", "e"]
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files(*names), read_hash=never)
        record(store, [(call, holding(f'{{"alpha":{call.id}}}')) for call in store.lease(1, 9)])
        assert not store.missing_texts.count
        assert repair(store) == 0
    rows = query(tmp_path, "SELECT id, output FROM calls")
    assert len(texts(tmp_path)) == 2 * len(names) == 2 * len({output for _, output in rows})
    for call, output in rows:
        beside = (tmp_path / str(output)).with_suffix(".json")
        assert json.loads(beside.read_text()) == {"alpha": call}


def test_a_record_that_cannot_be_written_is_kept_in_the_database_and_told(tmp_path: Path) -> None:
    with Store.create(tmp_path, shaped()) as store:
        store.set_inputs(files("a"), read_hash=never)
        blocks = [tmp_path / "a.json", tmp_path / flat_name("a.json")]
        for block in blocks:
            block.mkdir()
        store.start_run({})
        for value in records(store.lease(1, 1)[0], holding('{"alpha":1}')):
            store.submit(value)
        store.end_run("complete", None, 1)
        assert (store.missing_texts.count, store.missing_texts.example) == (1, "a.txt: Is a directory")
        for block in blocks:
            block.rmdir()
        assert repair(store) == 1
    assert texts(tmp_path) == {"a.txt", "a.json"}


def test_the_shape_does_not_part_models(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B, schema=SHAPE)) as store:
        store.set_inputs(files("a"), read_hash=never)
        for model in store.models:
            record(store, [(call, holding("{}")) for call in store.lease(model, 9)])
    names = ("google_gemini", "ollama_gemma3-12b")
    assert texts(tmp_path) == {f"a.{name}.{ending}" for name in names for ending in ("txt", "json")}


def test_a_setting_that_is_added_later_changes_only_the_identity_of_those_that_use_it() -> None:
    class LaterParameters(Parameters):
        stop: tuple[str, ...] | None = None

    class LaterSettings(RequestSettings):
        style: str = "plain"

    def digest(settings: RequestSettings) -> str:
        return settings_hash(settings, "p").hex()

    before = digest(RequestSettings(prompts=()))
    assert digest(LaterSettings(prompts=(), parameters=LaterParameters())) == before
    others = {
        digest(LaterSettings(prompts=(), style="ornate")),
        digest(RequestSettings(prompts=(), parameters=LaterParameters(stop=("a",)))),
        digest(RequestSettings(prompts=(), parameters=LaterParameters(stop=("a", "b")))),
    }
    assert len({before, *others}) == 4
