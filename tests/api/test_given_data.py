"""Rows, texts and bytes that a program gives."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pydantic
import pytest

import umwelten
from provider import Profile, Provider
from umwelten.errors import StoreError
from umwelten.inputs.given.kept_rows import RowFile, latest
from umwelten.inputs.given.texts import GivenTexts
from umwelten.inputs.given.walk import GivenData
from umwelten.simulate.faultserver.profile import Behaviour

PROMPT = "Say {{row.a}}"
SOURCES = [
    "list",
    "generator",
    "dataclass",
    "msgspec",
    "pydantic",
    "tuple",
    "pandas",
    "polars",
    "arrow",
    "async",
]


def sent(server: Provider) -> list[str]:
    """The questions since the last look."""
    bodies = [json.loads(record.body) for record in server.idle().records]
    server.reset()
    return sorted(body["messages"][-1]["content"] for body in bodies)


@dataclasses.dataclass
class Point:
    a: int


class Struct(msgspec.Struct):
    a: int


class Model(pydantic.BaseModel):
    a: int


class Named(NamedTuple):
    a: int


class Colour(Enum):
    RED = "red"


def pandas_frame() -> Any:
    import pandas

    return pandas.DataFrame({"a": [1, 2]})


def polars_frame() -> Any:
    import polars

    return polars.DataFrame({"a": [1, 2]})


def arrow_table() -> Any:
    import pyarrow

    return pyarrow.table({"a": [1, 2]})


async def asynchronous() -> AsyncIterator[dict[str, int]]:
    for number in (1, 2):
        await asyncio.sleep(0)
        yield {"a": number}


@pytest.mark.parametrize(
    "make",
    [
        lambda: [{"a": 1}, {"a": 2}],
        lambda: ({"a": number} for number in (1, 2)),
        lambda: (Point(1), Point(2)),
        lambda: [Struct(1), Struct(2)],
        lambda: [Model(a=1), Model(a=2)],
        lambda: [Named(1), Named(2)],
        pandas_frame,
        polars_frame,
        arrow_table,
        asynchronous,
    ],
    ids=SOURCES,
)
def test_whatever_gives_rows_is_a_table(server: Provider, make: Callable[[], Any]) -> None:
    results = umwelten.batch(PROMPT, "openai:a", rows=make()).wait()
    assert [answer.file for answer in results] == ["row-1", "row-2"]
    assert sent(server) == ["Say 1", "Say 2"]


def test_an_async_iterator_is_asked_in_the_loop_of_who_awaits(server: Provider) -> None:
    async def main() -> None:
        here = asyncio.get_running_loop()

        async def rows() -> AsyncIterator[dict[str, int]]:
            assert asyncio.get_running_loop() is here
            yield {"a": 1}

        assert len(await umwelten.batch(PROMPT, "openai:a", rows=rows())) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (1.5, "1.5"),
        (Decimal("1.10"), "1.10"),
        (True, "true"),
        (datetime.date(2024, 1, 2), "2024-01-02"),
        (datetime.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"),
        (Colour.RED, "red"),
        ([1, {"b": Point(2)}], '[1,{"b":{"a":2}}]'),
    ],
)
def test_values_are_put_into_the_prompt(server: Provider, value: object, text: str) -> None:
    umwelten.batch("Say [{{row.a}}]", "openai:a", rows=[{"a": value}]).wait()
    assert sent(server) == [f"Say [{text}]"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rows": {"a": 1}}, "a single value of type dict"),
        ({"rows": 5}, "rows cannot be a value of type int"),
        ({"rows": []}, "rows is empty"),
        ({"rows": [1]}, "row 1 is a value of type int"),
        ({"rows": [{"a": 1}, {"a": b"x"}]}, "row 2, column 'a': bytes"),
        ({"rows": [{"a": {"b": {1}}}]}, "row 1, column 'a.b': a set"),
        ({"rows": [{"a": float("inf")}]}, "row 1, column 'a': infinity"),
        ({"rows": [{"a": object()}]}, "row 1, column 'a': a value of type object"),
        ({"rows": [{"a": "\ud800"}]}, "row 1: it contains a lone surrogate"),
        ({"rows": [{"a": 1}], "row_name": "b"}, "rows have no column 'b'"),
        ({"rows": [{"b": 1}]}, "did you mean {{row.b}}"),
        ({"rows": [{"a": 1}], "inputs": ["x"]}, "rows and inputs exclude each other"),
        ({"rows": [{"a": 1}], "directory": "x"}, "directory and rows exclude each other"),
        ({"inputs": ["x", 1]}, "number 2 is a value of type int"),
        ({"inputs": ["x"], "row_name": "a"}, "row_name goes with rows, not with inputs"),
    ],
)
def test_what_cannot_be_sent_is_told_before_anything_starts(
    server: Provider, arguments: dict[str, Any], words: str
) -> None:
    prompt = "Sum up." if "inputs" in arguments and "rows" not in arguments else PROMPT
    with pytest.raises(umwelten.UsageError) as raised:
        umwelten.batch(prompt, "openai:a", **arguments).wait()
    assert words in str(raised.value)
    assert (sent(server), list(Path.cwd().glob("output/*"))) == ([], [])


def test_texts_bytes_and_files_are_inputs_with_names(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("gamma")
    results = umwelten.batch(
        "{{content}}!", "openai:a", inputs=["alpha", ("name/me", "beta"), tmp_path / "c.txt", b"delta"]
    ).wait()
    assert [answer.file for answer in results] == ["text-1", "name-me", "c.txt", "file-4"]
    assert sent(server) == ["alpha!", "beta!", "delta!", "gamma!"]
    assert [a.file for a in umwelten.batch("{{content}}", "openai:a", inputs={"n": "one"}).wait()] == ["n"]


def test_a_repeated_call_asks_only_about_what_is_new(server: Provider) -> None:
    def ask(*values: object) -> int:
        rows = ({"name": f"n{n}", "a": value} for n, value in enumerate(values))
        return len(umwelten.batch(PROMPT, "openai:a", id="x", rows=rows, row_name="name", resume=True).wait())

    assert (ask(1, 2, 3), sent(server)) == (3, ["Say 1", "Say 2", "Say 3"])
    assert (ask(1, 2, 3, 4), sent(server)) == (4, ["Say 4"])
    assert (ask(1, 5, 3, 4), sent(server)) == (4, ["Say 5"])
    assert (ask(1, 5), sent(server)) == (2, [])
    table = latest(Path("output/x"))
    assert table is not None
    assert [json.loads(line)["a"] for line in table.read_text().splitlines()] == [1, 5]


def test_the_command_line_goes_on_with_what_was_written(server: Provider) -> None:
    def broken() -> Iterator[dict[str, int]]:
        yield from ({"a": number} for number in (1, 2, 3))
        raise RuntimeError("the database is gone")

    job = umwelten.batch(PROMPT, "openai:a", id="x", rows=broken())
    with pytest.raises(umwelten.InputError, match=r"after 3 of them.*: the database is gone") as raised:
        job.wait()
    assert isinstance(raised.value.__cause__, RuntimeError)
    before = sent(server)
    assert umwelten.open("x").status == "stopped"
    command = [sys.executable, "-m", "umwelten", "eval", "batch", "--id", "x", "--resume", "-p", PROMPT]
    ran = subprocess.run([*command, "-m", "openai:a"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert sorted(before + sent(server)) == ["Say 1", "Say 2", "Say 3"]
    # What was asked about is no answer: a step that takes the folder does not take it.
    step = umwelten.batch(
        "Sum up.", "openai:a", directory="output/x", recursive=True, file_pattern="*", output_dir="other"
    ).wait()
    assert [answer.file for answer in step] == ["row-1.txt", "row-2.txt", "row-3.txt"]


def test_a_copy_has_its_own_inputs(server: Provider) -> None:
    from umwelten.store.copying import copy
    from umwelten.store.removal import remove

    umwelten.batch("{{content}}", "openai:a", id="x", inputs=["one"]).wait()
    copy(Path("output/x"), Path("output/y"))
    assert not remove([Path("output/x")])[0].left
    sent(server)
    umwelten.batch("{{content}}", "openai:a", id="y", repeat=2, resume=True).wait()
    assert sent(server) == ["one"]


def test_a_copy_made_during_a_run_has_all_inputs_that_it_names(
    server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from umwelten.store import copying
    from umwelten.store.plan import planned_inputs

    umwelten.batch("{{content}}", "openai:a", id="x", inputs=["one"]).wait()
    copy_database = copying._copy_database

    def after_another_input(*args: Any) -> None:
        umwelten.batch("{{content}}", "openai:a", id="x", inputs=["one", "two"], resume=True).wait()
        copy_database(*args)

    monkeypatch.setattr(copying, "_copy_database", after_another_input)
    copying.copy(Path("output/x"), Path("output/y"))
    named = [Path(found.path) for found in planned_inputs(Path("output/y").absolute())]
    assert [path.read_text() for path in named] == ["one", "two"]
    assert all(path.is_relative_to(Path("output/y").absolute()) for path in named)


def test_calls_start_while_a_slow_iterator_goes_on(server: Provider) -> None:
    answered = threading.Event()

    def slow() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        assert answered.wait(10), "the first call waits for the second row"
        yield {"a": 2}

    job = umwelten.batch(PROMPT, "openai:a", rows=slow())
    for _ in job:
        answered.set()
    assert sent(server) == ["Say 1", "Say 2"]


def test_a_job_stops_while_its_iterator_is_stuck(server: Provider) -> None:
    free = threading.Event()

    def stuck() -> Iterator[dict[str, int]]:
        free.wait(20)
        yield {"a": 1}

    job = umwelten.batch(PROMPT, "openai:a", rows=stuck())
    threading.Timer(0.2, job.stop).start()
    with pytest.raises(umwelten.InputError, match="stopped"):
        job.wait()
    free.set()


def test_half_a_line_that_a_kill_left_is_written_again(tmp_path: Path) -> None:
    first = RowFile(tmp_path)
    for record in (b'{"a":1}', b'{"a":2}'):
        first.add(record)
    first.close()
    with first.path.open("r+b") as file:
        file.truncate(12)
    again = RowFile(tmp_path)
    assert [again.add(record) for record in (b'{"a":1}', b'{"a":2}', b'{"a":3}')] == [0, 8, 16]
    again.end()
    again.close()
    assert again.path == first.path
    assert first.path.read_bytes() == b'{"a":1}\n{"a":2}\n{"a":3}\n'


def test_a_killed_program_loses_nothing(server: Provider) -> None:
    program = (
        "import itertools, umwelten\n"
        "rows = ({'a': n} for n in itertools.count(1))\n"
        "umwelten.batch('Say {{row.a}}', 'openai:a', rows=rows, id='k').wait()"
    )
    server.use(Profile(default=Behaviour(latency_s=0.005), keep_bodies=True))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        server.await_requests(5)
        child.kill()
    asked = set(sent(server))
    results = umwelten.batch(
        PROMPT, "openai:a", id="k", rows=({"a": n} for n in range(1, 21)), resume=True, max_files=20
    ).wait()
    assert (results.summary.succeeded, results.status) == (20, "complete")
    assert asked | set(sent(server)) == {f"Say {n}" for n in range(1, 21)} | asked


def test_facts_are_learnt_from_files_alone(server: Provider) -> None:
    with pytest.raises(umwelten.UsageError, match="rows cannot be a value of type list"):
        umwelten.memory("m").learn("openai:a", rows=[{"a": 1}], scope="{{row.a}}")


def test_rows_are_references_and_inputs_of_further_steps(server: Provider) -> None:
    results = umwelten.batch("Say {{row.a}}", "openai:a", rows=[{"a": "x", "b": "y"}], id="one").wait()
    assert results.score(right=umwelten.Contains("{{row.a}}")).wait()["right"]["openai:a"].mean == 1.0
    sent(server)
    umwelten.batch("{{answer}} {{row.b}}", "openai:a", from_=results).wait()
    assert sent(server) == [f"{results.text} y"]


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("inside", ["", "/{}"])
def test_nothing_is_kept_by_way_of_a_link(tmp_path: Path, inside: str) -> None:
    """Of somebody else's evaluation, this folder may lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "evaluation"
    folder.mkdir()
    name = blake2b(b"text", digest_size=16).hexdigest()[:2]
    link = folder / f"evaluation.inputs{inside.format(name)}"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")
    texts = GivenTexts(GivenData("inputs", ["text"]), most=None)
    with pytest.raises(StoreError, match="is a link"):
        list(texts.keep(folder))
    if not inside:
        with pytest.raises(StoreError, match="is a link"):
            RowFile(folder).add(b"{}")
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_kept_rows_are_no_link_to_what_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "evaluation.inputs").mkdir()
    (tmp_path / "evaluation.inputs" / "rows.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(StoreError, match="not a regular file"):
        latest(tmp_path)
