"""Attempts by workers come to what they come to in this process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from corpus import office, pdfs, pictures
from store.making import never, record, reply, spec
from umwelten.fleet import shipments
from umwelten.fleet.messages import Forget, Supply
from umwelten.inputs import scan
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.earlier_answers import answers
from umwelten.inputs.tables.rows import rows
from umwelten.schema import OutputSchema, compile_schema, load_schema
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule, ToolTurns
from umwelten.store.store import Store
from umwelten.tool_calls import OfferedTool, ToolDefinition, ToolResult, ToolResults, ToolSettings
from umwelten.types import (
    Call,
    Continue,
    Failure,
    ModelRef,
    Parameters,
    Problem,
    Prompt,
    Reply,
    RequestSettings,
    ToolStep,
    VariantSettings,
)
from workerkit import MODEL, Attempt, Case, call_about, pair, run

WORDS = RequestSettings(prompts=(Prompt(name="", text="Read this."),))
ALONE = Call(id=1, model=1, input=None)
SCHEMA = load_schema("title, year int").schema
GOOGLE = ModelRef("google", "gemini-3.5-flash")


def asked(text: str, **more: Any) -> RequestSettings:
    return RequestSettings(prompts=(Prompt(name="", text=text),), **more)


# --- inputs -----------------------------------------------------------------------------------


def of_every_kind(folder: Path, *, documents: bool = True) -> None:
    folder.mkdir()
    (folder / "a.txt").write_text("Some words.\n" * 100)
    if documents:  # a process that converts takes half a second to start
        (folder / "b.docx").write_bytes(office.docx())
        (folder / "c.pdf").write_bytes(pdfs.text(["One page."]))
    (folder / "d.png").write_bytes(pictures.saved(pictures.drawn(), "PNG"))
    (folder / "e.zip").write_bytes(b"PK\x03\x04")


@pytest.mark.parametrize("reads", ["the worker", "the coordinator"])
def test_files_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: str) -> None:
    of_every_kind(tmp_path / "files", documents=reads == "the coordinator")
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        folder = None if reads == "the worker" else tmp_path / "elsewhere"
        async with pair(tmp_path, Case(asked("{{file.path}}: {{content}}")), worker_folder=folder) as both:
            for number, found in enumerate(scan(Path("files")), start=1):
                await both.both(call_about(found, number))
            assert both.kept["workers"] == both.kept["here"]
            if folder is None:
                assert both.supplies() == []
                assert both.notes["workers"] == both.notes["here"]
            else:
                assert both.supplies() == ["file"] * 5
                told = f"worker 1 on node1 cannot read {tmp_path / 'files'}; its files are sent from here"
                assert both.notes["workers"].count(told) == 1

    run(main)


def test_after_the_first_files_all_go_along_without_being_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    for number in range(6):
        (tmp_path / "files" / f"{number}.txt").write_text(f"Words {number}.")
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        async with pair(tmp_path, Case(WORDS), worker_folder=tmp_path / "elsewhere") as both:
            for number, found in enumerate(scan(Path("files")), start=1):
                await both.both(call_about(found, number))
            assert both.wanted() == 3
            # Another model's call about the same input uses what is there.
            before = len(both.supplies())
            await both.both(call_about(found, number))
            assert len(both.supplies()) == before == 6

    run(main)


def test_a_worker_forgets_inputs_beyond_so_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    for number in range(3):
        (tmp_path / "files" / f"{number}.txt").write_text("Some words." * 100)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipments, "KEPT_BYTES", 2_500)

    async def main() -> None:
        async with pair(tmp_path, Case(WORDS), worker_folder=tmp_path / "elsewhere") as both:
            for number, found in enumerate(scan(Path("files")), start=1):
                await both.both(call_about(found, number))
            async with asyncio.timeout(5):
                while not any(isinstance(message, Forget) for message in both.carrier.sent):
                    await asyncio.sleep(0.02)
            (forget,) = (message for message in both.carrier.sent if isinstance(message, Forget))
            first = next(message for message in both.carrier.sent if isinstance(message, Supply))
            assert forget.keys == (first.key,), "the one that was unused for longest"

    run(main)


@pytest.mark.parametrize("now", ["changed", "gone", "folder"])
def test_a_file_that_is_no_longer_as_it_was_found(tmp_path: Path, now: str) -> None:
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / "a.txt"
    path.write_text("Some words.")
    (found,) = scan(tmp_path / "files")
    path.unlink()
    if now == "changed":
        path.write_text("Other words, and more.")
    elif now == "folder":
        path.mkdir()

    async def main() -> None:
        async with pair(tmp_path, Case(WORDS)) as both:
            result = await both.both(call_about(found))
            assert isinstance(result.outcome, Reply) is (now == "changed")
            assert both.notes["workers"] == both.notes["here"]
            if now == "gone":
                path.write_text("Some words again.")
                assert isinstance((await both.both(call_about(found))).outcome, Reply), "read anew"

    run(main)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_names_that_are_no_unicode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.fsencode(tmp_path) + b"/files"
    os.mkdir(folder)  # noqa: PTH102
    with open(folder + b"/a\xe9.txt", "wb") as file:  # noqa: PTH123
        file.write(b"Some words.")
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        for elsewhere in (None, tmp_path / "elsewhere"):
            case = Case(asked("{{file.path}}"))
            async with pair(tmp_path, case, worker_folder=elsewhere) as both:
                for found in scan(Path("files")):
                    await both.both(call_about(found))

    run(main)


def test_rows_are_sent_with_their_calls(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"title,body\nA,first\nB,{'second ' * 5_000}\n")

    async def main() -> None:
        async with pair(tmp_path, Case(asked("Is {{row.title}} good?", source="rows"))) as both:
            for number, found in enumerate(rows(table), start=1):
                result = await both.both(call_about(found, number))
                assert isinstance(result.outcome, Reply)
            assert both.supplies() == ["content", "content"]
            table.write_text("title,body\nC,third\nD,fourth\n")
            await both.both(call_about(found, 3))
            assert both.notes["workers"] == both.notes["here"] != []
            table.write_text("title,body\nC,third\n")
            await both.both(call_about(found, 4))

    run(main)


def test_answers_of_an_evaluation_with_what_they_were_asked_about(tmp_path: Path) -> None:
    of_every_kind(tmp_path / "files")
    found = [one for one in scan(tmp_path / "files") if one.name != "e.zip"]
    with Store.create(tmp_path / "x", spec(prompt="About {{file.name}}: {{content}}")) as store:
        store.set_inputs(found, read_hash=never)
        for call in store.lease(1, 100):
            assert call.input is not None
            content = Path(call.input.path).read_bytes()
            record(store, [(call, reply(f"It is {call.input.name}."))], content)

    async def main() -> None:
        case = Case(asked("{{prompt}} {{input}} {{answer}}", source="answers"))
        async with pair(tmp_path, case) as both:
            chained = answers(tmp_path / "x", chained=("prompt", "input"))
            for number, one in enumerate(chained, start=1):
                result = await both.both(call_about(one, number))
                assert isinstance(result.outcome, Reply), result.outcome
            assert both.kept["workers"] == both.kept["here"]

    run(main)


def shouted(values: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value if name == "content" else value.upper() for name, value in values.items()}


@pytest.mark.parametrize("framed", [dict, shouted])
def test_values_from_beside_the_inputs_stay_with_the_coordinator(tmp_path: Path, framed: Any) -> None:
    of_every_kind(tmp_path / "files", documents=False)

    def of(content: Content) -> Mapping[str, str]:
        return {"memory": f"known of {content.values['file.name']}"}

    added = AddedValues(names=("memory",), of=of, framed=framed, apart=True)
    case = Case(asked("{{memory}} {{file.name}} {{content}}"), added=added)

    async def main() -> None:
        async with pair(tmp_path, case) as both:
            for number, found in enumerate(scan(tmp_path / "files"), start=1):
                await both.both(call_about(found, number))
            assert both.kept["workers"] == both.kept["here"]

    run(main)


def test_attachments_and_uploads(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf").write_bytes(pdfs.text([f"Page {page}." for page in range(30)]))
    (tmp_path / "files" / "b.png").write_bytes(pictures.saved(pictures.drawn(), "PNG"))
    (tmp_path / "logo.png").write_bytes(pictures.saved(pictures.drawn(), "PNG"))
    (tmp_path / "notes.txt").write_text("Some notes.")

    def small(targets: dict[int, Any]) -> dict[int, Any]:
        takes = msgspec.structs.replace(targets[2].capabilities, inline_bytes=3_000, upload=True)
        return {**targets, 2: msgspec.structs.replace(targets[2], capabilities=takes)}

    case = Case(
        WORDS,
        models=(MODEL, GOOGLE),
        attach=(tmp_path / "logo.png", tmp_path / "notes.txt"),
        change_targets=small,
    )

    async def main() -> None:
        async with pair(tmp_path, case) as both:
            document, picture = scan(tmp_path / "files")
            for found, model in ((picture, 1), (document, 2)):
                result = await both.both(call_about(found, model=model))
                assert isinstance(result.outcome, Reply), result.outcome
            bodies = [record.body or "" for record in both.server.ledger.records]
            assert any("fileUri" in body or "file_uri" in body for body in bodies), "it was uploaded"
            assert both.kept["workers"] == both.kept["here"]

    run(main)


# --- requests and answers ---------------------------------------------------------------------


def test_prompts_variants_and_members_of_a_provider(tmp_path: Path) -> None:
    request = RequestSettings(
        prompts=(Prompt(name="a", text="Read this."), Prompt(name="b", text="One: {{x}}\\{{y}}")),
        system="Be brief.",
        parameters=Parameters(temperature=0.5, extra={"big": 2**80}),
        variants=(VariantSettings(name="cold", parameters=Parameters(temperature=0.0)),),
    )
    toml = """
[providers.mine]
wire = "openai"
base_urls = ["http://127.0.0.1:PORT/v1", "http://localhost:PORT/v1"]
keys = ["KEY_A", "KEY_B"]
"""
    mine = (ModelRef("mine", "m"), ModelRef("mine", "m", "cold"))
    environ = {"KEY_A": "test-key-a-0123456789", "KEY_B": "test-key-b-0123456789"}

    async def main() -> None:
        async with pair(tmp_path, Case(request, models=mine, toml=toml, environ=environ)) as both:
            lanes = list(both.targets[1].by_lane)
            assert len(lanes) == 4
            for model in both.targets:
                for lane in lanes:
                    await both.both(Call(id=model, model=model, input=None), lane=lane)
            assert set(both.connected) == {lanes[0], lanes[2]}, "the first lanes at the two addresses"

    run(main)


def whole(text: str) -> tuple[Problem, ...]:
    return () if '"A"' in text else (Problem(message="another title", path=("title",)),)


@pytest.mark.parametrize("checked", ["by the worker", "here"])
def test_a_record_that_does_not_fit_is_corrected(tmp_path: Path, checked: str) -> None:
    schema = compile_schema(SCHEMA) if checked == "by the worker" else OutputSchema(SCHEMA, check=whole)
    rules = (
        Rule(first=1, behaviour=Behaviour(shaped="ignore", text='{"title": "B", "year": "?"}')),
        Rule(n=2, behaviour=Behaviour(shaped="ignore", text="x" * 30_000)),
        Rule(n=2, behaviour=Behaviour(shaped="ignore", text='{"title": "A"', finish="length")),
    )
    default = Behaviour(shaped="ignore", text='{"title": "A", "year": 7}')
    case = Case(asked("Hi.", schema=SCHEMA), schema=schema, profile=Profile(default=default, rules=rules))

    async def steps(attempt: Attempt) -> list[Any]:
        first = await attempt(ALONE)
        assert isinstance(first.outcome, Continue)
        return [first, await attempt(ALONE, first.outcome.turns), await attempt(ALONE), await attempt(ALONE)]

    async def main() -> None:
        async with pair(tmp_path, case) as both:
            *_, second, _, cut = await both.compare(steps)
            assert isinstance(second.outcome, Reply)
            assert second.outcome.marks == ("asked again",)
            assert isinstance(cut.outcome, Continue)
            assert "--max-tokens" in cut.outcome.failure.message, "as the command line calls it"

    run(main)


def test_a_conversation_with_tools_that_goes_on_about_the_same_input(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / "a.txt"
    path.write_text("Some words.")
    definition = ToolDefinition(name="look", description="Looks.", parameters={"type": "object"})
    tools = ToolSettings(tools=(OfferedTool(name="look", definition=definition, fingerprint="1"),))
    default = Behaviour(tool_turns=ToolTurns())
    (found,) = scan(tmp_path / "files")

    async def steps(attempt: Attempt) -> list[Any]:
        path.write_text("Some words.")
        call = call_about(found)
        first = await attempt(call)
        assert isinstance(first.outcome, ToolStep), first.outcome
        turns = first.outcome.turns
        results = ToolResults(results=(ToolResult(call=turns[-1].calls[0], text="seen"),))
        second = await attempt(call, (*turns, results))
        path.write_text("Other words.")
        return [first, second, await attempt(call), await attempt(call, (*turns, results))]

    async def main() -> None:
        case = Case(asked("Hi.", tools=tools), profile=Profile(default=default))
        async with pair(tmp_path, case) as both:
            _, second, *_ = await both.compare(steps)
            assert isinstance(second.outcome, Reply)

    run(main)


def test_a_field_that_a_model_refuses_is_left_out_by_all_workers(tmp_path: Path) -> None:
    error = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
    refusing = Rule(behaviour=Behaviour(fault=400, body=json.dumps(error)), first=1)
    case = Case(
        asked("Hi.", parameters=Parameters(temperature=0.5, top_p=0.9)), profile=Profile(rules=(refusing,))
    )

    async def steps(attempt: Attempt) -> list[Any]:
        return [await attempt(ALONE), *await asyncio.gather(*(attempt(ALONE) for _ in range(6)))]

    async def main() -> None:
        async with pair(tmp_path, case, workers=3) as both:
            first, *others = await both.compare(steps)
            assert isinstance(first.outcome, Failure)
            assert all(isinstance(other.outcome, Reply) for other in others)
            assert {other.worker for other in others} == {1, 2, 3}
            assert both.notes["workers"] == both.notes["here"] != []

    run(main)


def test_streamed_text_arrives_in_pieces(tmp_path: Path) -> None:
    async def main() -> None:
        default = Behaviour(text="one two three four", chunks=4, chunk_gap_s=0.06)
        async with pair(tmp_path, Case(WORDS, stream=True, profile=Profile(default=default))) as both:
            await both.both(ALONE)
            assert "".join(both.pieces["workers"]) == "one two three four"
            assert len(both.pieces["workers"]) > 1

    run(main)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(fault=429, retry_after_s=2.0),
        Behaviour(fault=500, message="down"),
        Behaviour(fault=401, message="wrong key test-key-openai-7f3a46c8e1"),
        Behaviour(fault="empty"),
        Behaviour(text="half \ud83d an emoji, test-key-openai-7f3a46c8e1"),
        Behaviour(text="x", input_tokens=0, output_tokens=0),
        Behaviour(text="x", input_tokens=200, output_tokens=3),
    ],
    ids=["429", "500", "401", "empty", "odd text", "uncounted", "cut input"],
)
def test_errors_and_odd_answers_about_a_file_that_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("many different words follow here " * 500)
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        case = Case(WORDS, profile=Profile(default=behaviour))
        async with pair(tmp_path, case, worker_folder=tmp_path / "elsewhere") as both:
            (found,) = scan(Path("files"))
            result = await both.both(call_about(found))
            assert "test-key" not in repr(result)
            assert both.notes["workers"][1:] == both.notes["here"], "after where the file comes from"
            assert both.supplies() == ["file"]

    run(main)


def test_a_server_that_nobody_reaches(tmp_path: Path) -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}

    async def main() -> None:
        async with pair(tmp_path, Case(WORDS, environ=environ)) as both:
            result = await both.both(ALONE)
            assert isinstance(result.outcome, Failure)
            assert (result.outcome.code, result.cost_nusd) == ("refused", 0)

    run(main)
