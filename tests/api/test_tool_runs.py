"""Functions as tools of runs that a program starts."""

from __future__ import annotations

import asyncio
import json
import textwrap
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import umwelten
from provider import Provider, provider, run_python
from toolrunkit import ARGUMENTS
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns
from umwelten.tools import runner

MODEL = "openai:gpt-4o-mini"
PROFILE = Profile(
    default=Behaviour(tool_turns=ToolTurns(arguments=ARGUMENTS), text="{results}"), keep_bodies=True
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    with provider(PROFILE) as running:
        for name, value in running.env().items():
            monkeypatch.setenv(name, value)
        yield running


def look(city: str) -> str:
    """See a city."""
    return f"seen {city}"


async def listen(city: str) -> str:
    await asyncio.sleep(0)
    return f"heard {city}"


class Place:
    """Sees cities from somewhere."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __call__(self, city: str) -> str:
        return f"{city} from {self.where}"


def made(code: str) -> Any:
    """What a cell of a notebook defines: a function without a file."""
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code), names)
    return names["cell"]


def ask(*tools: Any, **options: Any) -> str:
    text: str = umwelten.run("Look", MODEL, tools=list(tools), **options).wait()[0].text
    return text


def test_functions_of_all_kinds_are_called(server: Provider) -> None:
    assert ask(look) == "seen Rome"
    assert ask(listen) == "heard Rome"
    assert ask(umwelten.tool(name="see")(Place("a hill"))) == "Rome from a hill"
    cell = made("def cell(city: str) -> str:\n    '''From a cell.'''\n    return city.upper()")
    assert ask(cell) == "ROME"
    assert not server.idle().verdicts


def test_a_cell_that_changed_is_another_tool(server: Provider) -> None:
    before, after = (made(f"def cell(city: str) -> str:\n    return '{word}'") for word in ("one", "two"))
    assert ask(before, id="s") == "one"
    with pytest.raises(umwelten.EvaluationChanged, match="tool cell: another code"):
        ask(after, id="s", resume=True)
    assert ask(before, id="s", resume=True) == "one"


def test_a_coroutine_that_blocks_or_stays_neither_stops_other_calls_nor_keeps_the_run_from_ending(
    server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_CANCEL_S", 0.05)
    let_go = threading.Event()

    async def stay(city: str) -> str:
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return city

    async def block(city: str) -> str:
        let_go.wait(30)
        return city

    for tool in (stay, block):
        assert ask(tool, tool_timeout_s=0.1) == "Error: no result after 0.1 s"
    let_go.set()


def test_a_loop_that_runs_already_may_ask(server: Provider) -> None:
    async def main() -> str:
        return await asyncio.to_thread(ask, listen)

    assert asyncio.run(main()) == "heard Rome"


def test_what_cannot_be_a_tool_is_said_before_anything_is_asked(server: Provider) -> None:
    def bare(city):  # type: ignore[no-untyped-def]
        return city

    for tools, said in (
        ([bare], "city"),
        ([lambda: 1], "lambda"),
        ([3], "3 is not a tool"),
        (["calculater"], "calculator"),
    ):
        with pytest.raises(umwelten.UsageError, match=said):
            umwelten.run("Look", MODEL, tools=tools).wait()
    assert server.idle().requests == 0


def test_a_model_that_takes_no_tools_is_said_in_the_words_of_the_library(server: Provider) -> None:
    server.use(Profile(no_tools=("old",)))
    with pytest.raises(umwelten.UsageError, match="ollama:old takes no tools") as refused:
        umwelten.run("Look", "ollama:old", tools=[look]).wait()
    assert "Ask another model, or ask without tools." in str(refused.value)


def test_a_script_calls_its_own_functions(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        textwrap.dedent("""
        import umwelten

        @umwelten.tool(once=True, timeout_s=5)
        def look(city: str, context: umwelten.ToolContext) -> dict[str, str]:
            return {"city": city, "input": context.input_name, "model": context.model}

        if __name__ == "__main__":
            files = ["a.txt", "b.txt"]
            for answer in umwelten.batch("Look", "openai:gpt-4o-mini", files=files, tools=[look]):
                print(answer.text)
        """)
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    done = run_python(["own.py"], cwd=tmp_path, env=server.env())
    assert done.code == 0, done.err
    found = sorted((json.loads(line) for line in done.out.splitlines()), key=lambda row: row["input"])
    assert found == [{"city": "Rome", "input": name, "model": MODEL} for name in ("a.txt", "b.txt")]


def test_an_input_that_changes_while_its_call_uses_tools_is_asked_about_anew(server: Provider) -> None:
    Path("in").mkdir()
    Path("in/a.txt").write_text("one")

    def rewrite(city: str) -> str:
        Path("in/a.txt").write_text("another")
        return city

    def ask_about() -> Any:
        return umwelten.batch("Look", MODEL, directory="in", tools=[rewrite], id="x", resume=True).wait()

    (failed,) = ask_about().failures
    assert "a.txt changed while its call used tools" in str(failed.error)
    assert server.idle().totals.requests == 1
    assert [answer.text for answer in ask_about()] == ["Rome"]
    assert server.idle().totals.requests == 3


def test_an_input_that_changes_after_a_conversation_went_on_in_a_later_run_is_asked_about_anew(
    server: Provider,
) -> None:
    Path("in").mkdir()
    Path("in/a.txt").write_text("one")

    def rewrite(city: str) -> str:
        if not Path("ran").exists():
            Path("ran").touch()
            threading.Event().wait(0.5)
        else:
            Path("in/a.txt").write_text("another")
        return city

    def begun() -> Any:
        return umwelten.batch("Look", MODEL, directory="in", tools=[rewrite], id="x", resume=True)

    first = begun()
    stopper = threading.Thread(target=lambda: (await_file(Path("ran")), first.stop(grace_s=0)))
    stopper.start()
    first.wait()
    stopper.join()
    (failed,) = begun().wait().failures
    assert "a.txt changed while its call used tools" in str(failed.error)
    assert server.idle().totals.requests == 1


def await_file(path: Path) -> None:
    while not path.exists():
        threading.Event().wait(0.01)
