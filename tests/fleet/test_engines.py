"""Evaluations whose calls are made by workers give what they give when this process makes them.

Workers are processes of this machine, over real sockets; tests of Ray itself are elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from corpus.making import make as make_corpus
from fleet.engines import ENGINE, both, differences, left, run, tables
from fleet.forked_workers import BLIND, COUNT
from provider import Provider, provider
from umwelten.simulate.faultserver import Behaviour, Profile, Rule, ToolTurns
from umwelten.simulate.profile import Fault

thorough = pytest.mark.skipif("UMWELTEN_TEST_THOROUGH" not in os.environ, reason="takes minutes")

BATCH = ("eval", "batch", "-p", "Say", "--directory", "in", "--id", "e")
MODEL = ("-m", "openai:gpt-5.4-mini")
MANY, ONE = ("--max-concurrency", "8"), ("--max-concurrency", "1")
SCHEMA = ("--schema", "title, year int")
REFUSED = json.dumps(
    {
        "error": {
            "message": "Unsupported value: 'temperature' does not support 0 with this model.",
            "type": "invalid_request_error",
            "param": "temperature",
            "code": "unsupported_value",
        }
    }
)
CLASS = """
from pydantic import BaseModel, field_validator
class Book(BaseModel):
    title: str
    year: int
    @field_validator("year")
    @classmethod
    def recent(cls, year):
        if year < 1000:
            raise ValueError("too long ago")
        return year
"""
TOOLS = '''
import umwelten
def look(city: str) -> str:
    """See a city."""
    return f"seen {city}"
def boom(city: str) -> str:
    raise ValueError("it broke")
@umwelten.tool(once=True)
def book(city: str, context: umwelten.ToolContext) -> str:
    with open("booked", "a") as file:
        file.write(f"{context.input_name}\\n")
    return "booked"
'''


class Case(NamedTuple):
    """A command, what it finds in its folder, and how its provider behaves; `blind` workers find no file."""

    arguments: tuple[str, ...]
    make: Callable[[Path], None]
    profile: Profile = Profile()
    code: int = 0
    blind: bool = False


def texts(folder: Path, count: int = 6) -> None:
    (folder / "in").mkdir(exist_ok=True)
    for number in range(count):
        (folder / "in" / f"{number}.txt").write_text(f"text {number} mark:m{number}")


def odd_files(folder: Path) -> None:
    texts(folder, 2)
    inside = folder / "in"
    (inside / "empty.txt").write_text("")
    Path(os.fsdecode(os.fsencode(inside) + b"/no\xffutf8.txt")).write_text("bad name")
    (inside / "archive.zip").write_bytes(b"PK\x03\x04xx")
    (inside / "ünïcode name.md").write_text("# Hé")
    (inside / "latin.txt").write_bytes("é".encode("latin-1"))
    (inside / "large.txt").write_text("word " * 60_000)
    (inside / "page.html").write_text("<p>Hello <b>there</b></p>")
    (inside / "page").mkdir()


def corpus(folder: Path) -> None:
    (folder / "in").mkdir()
    make_corpus(folder / "in")


def prompts(folder: Path) -> None:
    texts(folder, 3)
    (folder / "p.txt").write_text("One {{file.path}}\n---\nTwo {{content}} end\n")
    (folder / "data.csv").write_text("a,b\n1,2\n")


def rows(folder: Path) -> None:
    (folder / "r.csv").write_text(f'id,title,text\n1,A,alpha\n2,B,{"long " * 5_000}\n3,,\n4,D,"a\nb"\n')
    lines = [json.dumps({"id": i, "x": {"y": i * 1.5}, "t": "té"}) for i in range(6)]
    (folder / "r.jsonl").write_text("\n".join(lines))


def with_file(name: str, text: str, folder: Path) -> None:
    texts(folder)
    (folder / name).write_text(text)


def videos(folder: Path) -> None:
    (folder / "in").mkdir()
    for number in range(2):
        head = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
        (folder / "in" / f"{number}.mp4").write_bytes(head + bytes([number]) * 21_000_000)


def first_is(shaped: str) -> Profile:
    return Profile(rules=(Rule(first=1, counting="mark", behaviour=Behaviour(shaped=shaped)),))  # type: ignore[arg-type]


def fault(kind: Fault) -> Profile:
    return Profile(rules=(Rule(prompt="text 0", behaviour=Behaviour(fault=kind)),))


FAILURES = Profile(
    rules=(
        Rule(prompt="text 2", behaviour=Behaviour(fault="reset_body")),
        Rule(prompt="text 3", behaviour=Behaviour(fault=400)),
        Rule(first=1, counting="mark", prompt="text 4", behaviour=Behaviour(fault=429, retry_after_s=0.05)),
    )
)
VISITS = ToolTurns(turns=2, calls=3, tools=("look", "boom", "book"), arguments=({"city": "Rome"},))
REQUESTS = (
    *(
        "eval",
        "batch",
        "--prompts",
        "p.txt",
        "--directory",
        "in",
        "--id",
        "e",
        "--attach",
        "data.csv,in/1.txt",
    ),
    *("--repeat", "2", "-m", "openai:gpt-5.4-mini,anthropic:claude-sonnet-5-5,openai:gpt-5.4-mini@cool"),
    *("--variants", "cool.temperature=0.1", "--variants", "cool.system=Be {{file.name}}", *MANY),
)
BY_ROW = (
    "eval",
    "batch",
    "-p",
    "Tell {{row.title}} {{file.name}} {{row.text}}",
    "--rows",
    "r.csv",
    "--id",
    "e",
)

CASES = {
    "odd files": Case((*BATCH, *MODEL, *MANY), odd_files, code=1),
    "requests": Case(REQUESTS, prompts, blind=True),
    "rows": Case((*BY_ROW, *MODEL, *MANY), rows),
    "failures": Case((*BATCH, *MODEL, *MANY, "--retries", "1"), texts, FAILURES, code=1),
    "class": Case(
        (*BATCH, *MODEL, *MANY, "--schema", "s.py:Book"), partial(with_file, "s.py", CLASS), code=1
    ),
    "tools": Case(
        (*BATCH, *MODEL, *MANY, "--tools", "t.py"),
        partial(with_file, "t.py", TOOLS),
        Profile(default=Behaviour(tool_turns=VISITS)),
    ),
}
MORE = {
    "odd files of others": Case((*BATCH, *MODEL, *MANY), odd_files, code=1, blind=True),
    "requests near": Case(REQUESTS, prompts),
    "corpus of others": Case((*BATCH, *MODEL, *MANY), corpus, code=1, blind=True),
    "corpus": Case((*BATCH, *MODEL, *MANY), corpus, code=1),
    "corpus of google": Case(
        (*BATCH, "-m", "google:gemini-3.5-flash", "--pdf", "text", *MANY), corpus, code=1
    ),
    "corpus of ollama": Case(
        (*BATCH, "-m", "ollama:gemma3:12b", "--stream", "--texts", "off", *MANY), corpus, code=1
    ),
    "jsonl": Case(
        (*BY_ROW[:2], "-p", "Tell {{row.t}} {{content}}", "--rows", "r.jsonl", "--id", "e", *MODEL, *MANY),
        rows,
    ),
    "run": Case(
        ("eval", "run", "-p", "Hello", "--id", "e", *MODEL[:1], f"{MODEL[1]},google:gemini-3.5-flash"), texts
    ),
    "always invalid": Case(
        (*BATCH, *MODEL, *SCHEMA, *MANY), texts, Profile(default=Behaviour(shaped="invalid")), code=1
    ),
    "coerce": Case(
        (*BATCH, *MODEL, *SCHEMA, *MANY, "--coerce"), texts, Profile(default=Behaviour(shaped="slipped"))
    ),
    "key refused": Case(
        (*BATCH, "-m", "openai:gpt-5.4-mini,anthropic:claude-sonnet-5-5", *ONE),
        partial(texts, count=20),
        Profile(rules=(Rule(wire="openai", behaviour=Behaviour(fault=401)),)),
        code=3,
    ),
    "dropped field": Case(
        (*BATCH, *MODEL, "-t", "0", *ONE),
        texts,
        Profile(rules=(Rule(first=1, behaviour=Behaviour(fault=400, body=REFUSED)),)),
    ),
    "max errors": Case(
        (*BATCH, *MODEL, *ONE, "--max-errors", "3"),
        partial(texts, count=30),
        Profile(default=Behaviour(fault=400)),
        code=3,
    ),
    "max cost": Case(
        (*BATCH, *MODEL, *ONE, "--max-cost", "0.0005", "--max-tokens", "20"), partial(texts, count=30), code=3
    ),
    "nothing kept": Case((*BATCH, *MODEL, *MANY, "--keep-inputs", "off", "--texts", "off"), texts),
    "time-out": Case(
        (*BATCH, *MODEL, *MANY, "--timeout", "1s", "--retries", "0"),
        texts,
        Profile(rules=(Rule(prompt="text 2", behaviour=Behaviour(latency_s=3.0)),)),
        code=1,
    ),
    "uploads": Case((*BATCH, "-m", "google:gemini-3.5-flash", "--repeat", "3", *MANY), videos),
    "tools in a stream": Case(
        (*BATCH, *MODEL, *MANY, "--tools", "t.py", "--stream", *SCHEMA),
        partial(with_file, "t.py", TOOLS),
        Profile(default=Behaviour(shaped="fenced", tool_turns=VISITS)),
    ),
    "tools of others": Case(
        (*BATCH, "-m", "anthropic:claude-sonnet-5-5,google:gemini-3.5-flash", *MANY, "--tools", "t.py"),
        partial(with_file, "t.py", TOOLS),
        Profile(default=Behaviour(tool_turns=VISITS)),
    ),
    **{
        f"first {shaped}": Case((*BATCH, *MODEL, *SCHEMA, *MANY), texts, first_is(shaped))
        for shaped in ("fenced", "slipped", "invalid", "ignore")
    },
    **{
        f"{kind}{' in a stream' if stream else ''}": Case(
            (*BATCH, *MODEL, *ONE, "--retries", "0", *stream), partial(texts, count=2), fault(kind), code=1
        )
        for kind in ("garbage", "no_choices", "no_text", "empty", "reset_body")
        for stream in ((), ("--stream",))
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with provider() as server:
        yield server


def check(tmp_path: Path, server: Provider, case: Case) -> None:
    env = {BLIND: "1"} if case.blind else {}
    here, away = both(tmp_path, server, case.arguments, make=case.make, profile=case.profile, env=env)
    assert here.ran.code == case.code, here.ran.err
    assert not differences(here, away)
    assert not any("Traceback" in ran.err for ran in (here.ran, away.ran))
    assert "worker" in away.ran.err


@pytest.mark.parametrize("name", CASES)
def test_workers_leave_what_one_process_leaves(tmp_path, server, name):
    check(tmp_path, server, CASES[name])
    if name == "tools":
        booked = [sorted((tmp_path / each / "booked").read_text().split()) for each in ("here", "away")]
        assert booked[0] == booked[1]


@thorough
@pytest.mark.parametrize("name", MORE)
def test_workers_leave_what_one_process_leaves_in_more_ways(tmp_path, server, name):
    check(tmp_path, server, MORE[name])


def test_chains_and_runs_that_go_on_may_change_the_engine(tmp_path, server):
    env = server.env()
    command = (*BATCH, *MODEL, *SCHEMA, *MANY)
    assert not differences(*both(tmp_path, server, command, make=texts))
    question = "Was {{input}} to {{prompt}} {{answer}}, {{json.title}}?"
    chain = (
        "eval",
        "batch",
        "--from",
        "e",
        "-p",
        question,
        "--where",
        "json.year = 1",
        "--id",
        "f",
        *MODEL,
        *MANY,
    )
    here, away = both(tmp_path, server, chain, id="f")
    assert len(here.tables["calls"]) == 6
    assert not differences(here, away)
    server.reset()
    for name, engine in (("here", ENGINE), ("away", ())):
        folder = tmp_path / name
        for each in (command, chain):
            code, _, err = run(folder, (*each, "--resume", *engine), env=env)
            assert code == 0, err
        (folder / "in" / "3.txt").write_text("other words")
        (folder / "in" / "4.txt").unlink()
        code, _, err = run(folder, (*command, "--resume", *engine), env=env)
        assert code == 0, err
    assert server.idle().requests == 2
    ends = [tables(tmp_path / name / "output/e/evaluation.db", tmp_path / name) for name in ("here", "away")]
    assert ends[0]["calls"] == ends[1]["calls"]


def test_what_is_recalled_and_learnt_is_the_same(tmp_path, server):
    facts = '{"scope": "ann", "text": "Ann likes tea"}\n'

    def make(folder: Path) -> None:
        (folder / "r.csv").write_text("user,q\nann,alpha\nbob,beta\n")
        (folder / "facts.jsonl").write_text(facts)
        assert run(folder, ("memory", "import", "m", "facts.jsonl"), env=server.env()).code == 0

    question = ("eval", "batch", "-p", "Do {{row.q}}", "--rows", "r.csv", "--id", "e", *MODEL, *MANY)
    command = (*question, "--memory", "m", "--scope", "{{row.user}}")
    here, away = both(tmp_path, server, command, make=make, env={COUNT: "4"})
    assert here.ran.code == 0, here.ran.err
    assert not differences(here, away)
    learnt = [
        tables(next((tmp_path / name / "output").glob("m.learn-*")) / "evaluation.db", tmp_path / name)
        for name in ("here", "away")
    ]
    assert learnt[0] == learnt[1]


def change(server: Provider, folder: Path) -> None:
    """Delete and change files that were found, once the first calls were made."""
    server.await_requests(3)
    (folder / "in" / "12.txt").unlink()
    (folder / "in" / "13.txt").write_text("changed")
    (folder / "in" / "14.txt").unlink()
    (folder / "in" / "14.txt").mkdir()


@thorough
def test_files_that_change_meanwhile_end_alike(tmp_path, server):
    found = []
    for name, engine, env in (("here", (), {}), ("away", ENGINE, {}), ("blind", ENGINE, {BLIND: "1"})):
        folder = tmp_path / name
        folder.mkdir()
        texts(folder, 20)
        server.use(Profile(default=Behaviour(latency_s=0.2)))
        server.reset()
        thread = threading.Thread(target=change, args=(server, folder))
        thread.start()
        ran = run(folder, (*BATCH, *MODEL, *ONE, *engine), env={**server.env(), **env})
        thread.join()
        found.append(left(folder, ran))
    assert not differences(found[0], found[1])
    assert not differences(found[0], found[2])


@thorough
def test_judges_say_the_same(tmp_path, server):
    def make(folder: Path) -> None:
        texts(folder)
        (folder / "s.py").write_text("def long(answer):\n    return len(answer.text) > 3\n")

    both(tmp_path, server, (*BATCH, *MODEL, *MANY), make=make)
    score = (
        *(
            "eval",
            "score",
            "e",
            "--scorer",
            "polite=judge:Is it polite?",
            "--scorer",
            "long=python:s.py:long",
        ),
        *("--judge", "anthropic:claude-sonnet-5-5,openai:gpt-5.4-mini", "--samples", "2", *MANY),
    )
    here, away = (
        left(tmp_path / name, run(tmp_path / name, (*score, *engine), env=server.env()), "e.polite")
        for name, engine in (("here", ()), ("away", ENGINE))
    )
    assert len(here.tables["calls"]) == 24
    assert not differences(here, away)
    assert here.ran.out == away.ran.out
    shutil.rmtree(tmp_path / "away")
