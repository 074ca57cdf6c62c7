"""Whatever changes between two runs: exactly the right calls are made, and none gets another's answer."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from provider import Provider, provider
from reliability.runs import finish, rows, start
from umwelten.simulate.faultserver.profile import Behaviour, Profile

NAMES = ("a", "b", "c", "d")
ECHO = Profile(default=Behaviour(text="{model} read: {tail}"))


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider(ECHO) as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in NAMES:
        write(tmp_path, name, f"words of {name}")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / "in" / f"{name}.txt").write_text(text)


def batch(
    root: Path, server: Provider, *more: str, models: str = "openai:m"
) -> tuple[int, str, Counter[str]]:
    """Exit status, stderr, and what was asked: `model: last words of the file`."""
    server.reset()
    with start(root, server.env(), "--max-concurrency", "4", *more, models=models) as process:
        code, err = finish(process)
    asked = Counter(f"{r.wire}:{r.model}: {_words(r.prompt)}" for r in server.idle().records)
    return code, err, asked


def _words(prompt: str) -> str:
    return prompt.partition("<content>")[2].partition("</content>")[0].strip()


def assert_true(root: Path, server: Provider, *more: str) -> None:
    """Every answer is about the bytes that the file has now, from the model that it is filed under."""
    found = rows(
        root,
        "SELECT m.name, i.path, a.text, c.output FROM calls c JOIN inputs i ON i.id = c.input_id"
        " JOIN models m ON m.id = c.model_id JOIN answers a ON a.call_id = c.id"
        " WHERE i.active AND m.active AND c.status = 1",
    )
    assert found
    for model, path, answer, output in found:
        assert answer.startswith(f"{model.partition(':')[2]} read: ")
        assert f"{(root / path).read_text()} </content>" in answer
        assert (root / "output" / "s" / output).read_text() == answer


class Change(NamedTuple):
    """What is done between two runs, and what the second must then ask: the words of the files."""

    do: Callable[[Path], object]
    asked: list[str]
    flags: tuple[str, ...] = ()


def _same_size_and_time(root: Path) -> None:
    path = root / "in" / "b.txt"
    before = path.stat()
    path.write_text("WORDS OF B")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def _swap(root: Path) -> None:
    a, b = (root / "in" / f"{name}.txt" for name in "ab")
    first, second = a.read_text(), b.read_text()
    a.write_text(second)
    b.write_text(first)


def _there_and_back(root: Path) -> None:
    write(root, "b", "something else")
    write(root, "b", "words of b")


CHANGES = {
    "nothing": Change(lambda root: None, []),
    "a file is touched": Change(lambda root: (root / "in" / "b.txt").touch(), []),
    "a file is changed": Change(lambda root: write(root, "b", "new words"), ["new words"]),
    "a file is changed, same size and time": Change(_same_size_and_time, ["WORDS OF B"]),
    "a file is changed and changed back": Change(_there_and_back, []),
    "a file is added": Change(lambda root: write(root, "e", "words of e"), ["words of e"]),
    "a file is added before all others": Change(lambda root: write(root, "0", "words of 0"), ["words of 0"]),
    "a file is removed": Change(lambda root: (root / "in" / "b.txt").unlink(), []),
    "a file is renamed": Change(
        lambda root: (root / "in" / "b.txt").rename(root / "in" / "x.txt"), ["words of b"]
    ),
    "a file is there twice": Change(lambda root: write(root, "b2", "words of b"), ["words of b"]),
    "two files change places": Change(_swap, ["words of a", "words of b"]),
    "all files are copied elsewhere and back": Change(
        lambda root: (
            shutil.copytree(root / "in", root / "in2"),
            shutil.copytree(root / "in2", root / "in", dirs_exist_ok=True),
        ),
        [],
    ),
    "more repeats": Change(lambda root: None, [f"words of {name}" for name in NAMES], ("--repeat", "2")),
    "another concurrency, time-out and order of flags": Change(
        lambda root: None, [], ("--timeout", "9s", "--retries", "2", "--no-stream")
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_after_a_change_exactly_the_right_calls_are_made(root, server, name):
    change = CHANGES[name]
    code, err, asked = batch(root, server)
    assert (code, sum(asked.values())) == (0, 4), err
    change.do(root)
    code, err, asked = batch(root, server, "--resume", *change.flags)
    assert code == 0, err
    assert asked == Counter(f"openai:m: {words}" for words in change.asked)
    assert_true(root, server)
    if asked:
        assert not batch(root, server, "--resume", *change.flags)[2], "a third run made calls again"


ALL_SET = {
    "temperature": ("-t", "0"),
    "system": ("-s", "Be brief."),
    "seed": ("--seed", "1"),
    "param k": ("--param", "k=1"),
    "schema": ("--schema", "a, b? int: 1-2"),
}
REFUSED = [
    # what the evaluation was made with, what it is resumed with, what the message names
    (False, {"temperature": ("-t", "0")}, "temperature: none → 0.0"),
    (False, {"system": ("-s", "Be brief.")}, "system"),
    (False, {"max": ("--max-tokens", "50")}, "max_tokens"),
    (False, {"top": ("--top-p", "0.5")}, "top_p"),
    (False, {"attach": ("--attach", "in/a.txt")}, "attachments"),
    (False, {"prompt": ("-p", "go on")}, "go on"),
    (False, {"schema": ("--schema", "title")}, "schema"),
    (False, {"pdf": ("--pdf", "text")}, "pdf"),
    (True, {"temperature": ()}, "temperature: 0.0 → none"),
    (True, {"temperature": ("-t", "1")}, "temperature"),
    (True, {"system": ()}, "system"),
    (True, {"system": ("-s", "Be brief!")}, "Be brief!"),
    (True, {"seed": ("--seed", "2")}, "seed: 1 → 2"),
    (True, {"param k": ("--param", "k=2")}, "param k: 1 → 2"),
    (True, {"schema": ()}, "schema"),
    (True, {"schema": ("--schema", "a, b? int: 1-3")}, "schema"),
]


@pytest.mark.parametrize("full", [False, True], ids=["nothing set", "all set"])
def test_a_changed_setting_is_an_error_that_names_it_and_makes_no_call(root, server, full):
    before = ALL_SET if full else {}
    assert batch(root, server, *_flags(before))[0] == 0
    stored = rows(root, "SELECT id, key FROM calls ORDER BY id")
    for made, changed, word in REFUSED:
        if made is full:
            code, err, asked = batch(root, server, "--resume", *_flags({**before, **changed}))
            assert (code, sum(asked.values())) == (2, 0), err
            assert word in err
    assert rows(root, "SELECT id, key FROM calls ORDER BY id") == stored
    code, err, asked = batch(root, server, "--resume", *_flags(before))
    assert (code, sum(asked.values())) == (0, 0), err


def _flags(settings: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(word for words in settings.values() for word in words)


def test_models_come_and_go_and_each_keeps_its_own_answers(root, server):
    assert sum(batch(root, server, models="openai:m")[2].values()) == 4
    asked = batch(root, server, "--resume", models="openai:n,openai:m")[2]
    assert asked == Counter(f"openai:n: words of {name}" for name in NAMES)
    assert not batch(root, server, "--resume", models="openai:m")[2]
    assert not batch(root, server, "--resume", models="openai:m,openai:n")[2]
    assert_true(root, server)


def test_the_same_model_at_two_providers_is_two_models(root, server):
    asked = batch(root, server, models="openai:m,ollama:m")[2]
    assert asked == Counter(f"{wire}:m: words of {name}" for wire in ("openai", "ollama") for name in NAMES)
    write(root, "a", "new words")
    asked = batch(root, server, "--resume", models="openai:m,ollama:m")[2]
    assert asked == Counter(f"{wire}:m: new words" for wire in ("openai", "ollama"))
    assert_true(root, server)
    keys = rows(root, "SELECT DISTINCT key FROM calls")
    assert len(keys) == 8


def test_the_same_bytes_under_two_names_are_two_calls(root, server):
    write(root, "b", "words of a")
    asked = batch(root, server)[2]
    assert asked["openai:m: words of a"] == 2
    assert rows(root, "SELECT count(*), count(DISTINCT key) FROM calls") == [(4, 3)]
    # One of the two changes: the other keeps its answer.
    write(root, "b", "words of b")
    assert batch(root, server, "--resume")[2] == Counter({"openai:m: words of b": 1})
    assert_true(root, server)


def test_a_file_that_changes_between_plan_and_send_is_noticed_and_answered_once(root, server):
    server.use(Profile(default=Behaviour(text="{model} read: {tail}", latency_s=0.3)))
    with start(root, server.env(), models="openai:m") as process:
        server.await_requests(1)
        write(root, "d", "words that came late")
        code, err = finish(process)
    assert code == 0, err
    assert "d.txt changed since the start" in err
    server.use(ECHO)
    assert not batch(root, server, "--resume")[2], "what was sent is what the file holds"
    assert_true(root, server)


def test_a_file_that_is_gone_when_its_turn_comes_is_a_failed_call(root, server):
    server.use(Profile(default=Behaviour(latency_s=0.3)))
    with start(root, server.env(), models="openai:m") as process:
        server.await_requests(1)
        (root / "in" / "d.txt").unlink()
        code, err = finish(process)
    assert code == 1, err
    assert server.idle().requests == 3
    assert rows(root, "SELECT error_kind FROM calls WHERE status = 2") == [("bad_request",)]
