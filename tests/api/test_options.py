"""The same options as the command line, with the same meaning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import pytest

import umwelten
from conftest import Cli
from provider import Provider
from umwelten.store.reader import Reader

ONLY_COMMANDS = {
    *("progress", "verbose", "debug", "detach", "on_end", "ui", "json", "dry_run", "estimate", "yes", "help"),
}
"""Flags that only a terminal has a use for, or that other functions are better at."""

ONLY_HERE = {"on_event", "grace_s", "inputs"}


@pytest.mark.parametrize("kind", ["run", "batch"])
def test_every_flag_is_an_argument(kind: str) -> None:
    from umwelten.cli.eval import group

    flags = {param.name for param in group.commands[kind].params}
    arguments = set(signature(getattr(umwelten, kind)).parameters)
    assert flags - ONLY_COMMANDS <= arguments
    assert arguments - ONLY_HERE <= flags


def bodies(server: Provider) -> list[Any]:
    """What was sent so far, as JSON, whatever the order."""
    sent = [msgspec.json.decode(record.body) for record in server.idle().records]
    server.reset()
    return sorted(sent, key=str)


SAME: Mapping[str, tuple[list[str], dict[str, Any]]] = {
    "prompt": ([], {}),
    "system": (["--system", "Be brief."], {"system": "Be brief."}),
    "parameters": (
        ["-t", "0", "--max-tokens", "9", "--top-p", "0.5", "--seed", "7", "--param", "logit_bias={}"],
        {"temperature": 0, "max_tokens": 9, "top_p": 0.5, "seed": 7, "params": {"logit_bias": {}}},
    ),
    "repeat": (["--repeat", "3"], {"repeat": 3}),
    "no stream": (["--no-stream"], {"stream": False}),
    "attach": (["--attach", "in/*.txt"], {"attach": "in/*.txt"}),
}


@pytest.mark.parametrize("options", SAME.values(), ids=SAME.keys())
def test_a_run_sends_what_the_command_line_sends(
    options: tuple[list[str], dict[str, Any]], server: Provider, tmp_path: Path, cli: Cli
) -> None:
    flags, arguments = options
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("attached")
    command = ("eval", "run", "-p", "hello", "-m", "openai:a,ollama:b", "-i", "c", *flags)
    assert cli(*command, env=server.env()).code == 0
    sent = bodies(server)
    umwelten.run("hello", ["openai:a", "ollama:b"], id="l", **arguments).wait()
    assert bodies(server) == sent
    assert sent


FILES: Mapping[str, tuple[list[str], dict[str, Any]]] = {
    "directory": (["--directory", "in"], {"directory": "in"}),
    "pattern": (
        ["--directory", "in", "--file-pattern", "*.md"],
        {"directory": Path("in"), "file_pattern": "*.md"},
    ),
    "recursive": (["--directory", "in", "--recursive"], {"directory": "in", "recursive": True}),
    "most": (["--directory", "in", "--max-files", "1"], {"directory": "in", "max_files": 1}),
    "files": (["--files", "in/a.txt,in/sub/*"], {"files": [Path("in/a.txt"), "in/sub/*"]}),
}


@pytest.mark.parametrize("options", FILES.values(), ids=FILES.keys())
def test_a_batch_sends_what_the_command_line_sends(
    options: tuple[list[str], dict[str, Any]], server: Provider, tmp_path: Path, cli: Cli
) -> None:
    flags, arguments = options
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.txt", "b.md", "sub/c.txt"):
        (tmp_path / "in" / name).write_text(f"this is {name}")
    command = ("eval", "batch", "-p", "Sum up", "-m", "openai:a", "-i", "c", *flags)
    assert cli(*command, env=server.env()).code == 0
    sent = bodies(server)
    results = umwelten.batch("Sum up", "openai:a", id="l", **arguments).wait()
    assert bodies(server) == sent
    assert [answer.file for answer in results] == [answer.file for answer in umwelten.open("c")]
    assert sent


def test_calls_in_flight_are_as_many_as_allowed(server: Provider) -> None:
    umwelten.run("hello", "openai:slow", id="three", repeat=6, max_concurrency=3).wait()
    assert server.idle().peak_in_flight == 3
    server.reset()
    umwelten.run("hello", "openai:slow", id="five", repeat=10, concurrent=True).wait()
    assert server.idle().peak_in_flight == 5
    server.reset()
    ceilings = {"openai": 1, "ollama": 2}
    umwelten.run("hello", "openai:slow,ollama:slow", id="mix", repeat=3, provider_concurrency=ceilings).wait()
    assert server.idle().peak_in_flight == 3


def test_a_known_rate_is_kept_from_the_first_call_on(server: Provider) -> None:
    began = time.monotonic()
    umwelten.run("hello", "openai:a", id="paced", repeat=9, max_concurrency=9, rate={"openai": "16/s"}).wait()
    assert time.monotonic() - began > 0.45
    assert server.idle().peak_in_flight < 9


def test_settings_come_from_files_and_the_environment_and_arguments_win(
    server: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "umwelten.toml").write_text('[defaults]\nmodels = "openai:a"\ntemperature = 0.25\nseed = 1\n')
    monkeypatch.setenv("UMWELTEN_SEED", "2")
    monkeypatch.setenv("UMWELTEN_OUTPUT_DIR", "elsewhere")
    results = umwelten.run("hello", id="set").wait()
    assert results.folder == Path("elsewhere/set")
    assert umwelten.open("set").folder == results.folder
    (body,) = bodies(server)
    assert (body["model"], body["temperature"], body["seed"]) == ("a", 0.25, 2)
    umwelten.run("hello", "openai:b", seed=3, id="set", output_dir="here").wait()
    (body,) = bodies(server)
    assert (body["model"], body["temperature"], body["seed"]) == ("b", 0.25, 3)


def test_a_profile_gives_the_arguments_that_are_left_out(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("text a")
    (tmp_path / "umwelten.toml").write_text(
        '[groups]\nfast = ["openai:a", "openai:b"]\n'
        '[profiles.nightly]\nmodels = "@fast"\nprompt = "Sum up"\ndirectory = "in"\nseed = 4\n'
    )
    results = umwelten.batch(profile="nightly", id="night", seed=5).wait()
    assert [(answer.file, answer.model) for answer in results] == [
        ("a.txt", "openai:a"),
        ("a.txt", "openai:b"),
    ]
    assert {body["seed"] for body in bodies(server)} == {5}
    with pytest.raises(umwelten.UsageError, match="nightly"):
        umwelten.batch("hello", profile="nightl", directory="in").wait()


def test_a_profile_gives_way_to_arguments_in_place_of_its_own(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("text a")
    (tmp_path / "table.csv").write_text("text\none\ntwo\n")
    (tmp_path / "umwelten.toml").write_text(
        '[profiles.q]\nprompt = "Sum up"\ndirectory = "in"\nmodels = "openai:a"\n'
        'file_pattern = "a*"\nresume = true\nid = "q"\n'
        '[profiles.r]\nprompt = "Sum up"\nrows = "table.csv"\nrow_name = "text"\nmodels = "openai:a"\n'
    )
    assert len(umwelten.batch(profile="q", rows="table.csv", id="rows").wait()) == 2
    assert [one.file for one in umwelten.batch(profile="r", directory="in", id="dir").wait()] == ["a.txt"]
    several = umwelten.batch(profile="q", prompts={"x": "One", "y": "Two"}, id="several").wait()
    assert [answer.prompt for answer in several] == ["x", "y"]
    server.reset()
    for _ in range(2):
        assert len(umwelten.batch(profile="q", overwrite=True).wait()) == 1
    assert server.idle().requests == 2
    umwelten.batch(profile="q").wait()
    assert server.idle().requests == 2
    # Two that were both given still exclude each other.
    with pytest.raises(umwelten.UsageError, match="exclude each other"):
        umwelten.batch(profile="q", resume=True, overwrite=True).wait()


def test_a_text_that_begins_with_at_is_a_text_and_a_path_is_read(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("from the file")
    umwelten.run("@prompt.txt", "openai:a", id="text").wait()
    umwelten.run(Path("prompt.txt"), "openai:a", id="path").wait()
    prompts = [body["messages"][-1]["content"] for body in bodies(server)]
    assert sorted(map(str, prompts)) == sorted(["@prompt.txt", "from the file"])


def test_a_timeout_is_in_seconds_however_long(server: Provider) -> None:
    results = umwelten.run("hello", "openai:a", id="long", timeout_s=1500).wait()
    with Reader.open(results.folder) as reader:
        (settings,) = reader.connection.execute("SELECT settings FROM runs").fetchone()
    assert msgspec.json.decode(settings)["timeout_s"] == 1500


def test_variants_are_given_by_name(server: Provider) -> None:
    variants = {"cool": {"temperature": 0, "params": {"k": 1}}, "plain": {"system": "@as it is"}}
    results = umwelten.run("hi", ["openai:a@cool", "openai:a@plain"], variants=variants, system="x").wait()
    assert [answer.model for answer in results] == ["openai:a@cool", "openai:a@plain"]
    found = [
        (body.get("temperature"), body.get("k"), body["messages"][0]["content"]) for body in bodies(server)
    ]
    assert sorted(found, key=str) == [(0.0, 1, "x"), (None, None, "@as it is")]
