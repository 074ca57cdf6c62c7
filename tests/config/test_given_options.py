"""What a run keeps of its options makes the same settings again, whatever they are."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from umwelten.cli.flag_names import as_flag
from umwelten.config.endpoints import vendors
from umwelten.config.given_options import GivenOption, GivenOptions, restored
from umwelten.config.options import OPTIONS, is_about_pace
from umwelten.config.own_mark import is_own, mark
from umwelten.config.settings import load
from umwelten.errors import StoreError, UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.given import _Marked

TEXT = some.text(some.characters(codec="utf-8", exclude_characters="{}\0"), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip()) and not text.startswith("@") and text != "-"
)
FLAGS = some.fixed_dictionaries(
    {"prompt": TEXT, "models": some.sampled_from([("openai:a",), ("openai:a", "google:b,ollama:c:1b")])},
    optional={
        "system": TEXT,
        "temperature": some.sampled_from(["0", "0.25", "2"]),
        "max_tokens": some.integers(1, 10_000).map(str),
        "seed": some.integers(-(2**63), 2**63 - 1).map(str),
        "stop": some.lists(TEXT, min_size=1, max_size=3).map(tuple),
        "params": some.sampled_from([("top_k=40",), ('x={"a": [1, 2.5, null, "z"]}', "y=true")]),
        "schema": some.sampled_from(["title, year? int, tags array", "a float"]),
        "repeat": some.integers(1, 5).map(str),
        "pdf": some.sampled_from(["text", "auto"]),
        "max_concurrency": some.sampled_from(["auto", "7"]),
        "concurrent": some.just(True),
        "provider_concurrency": some.sampled_from([("openai=3",), ("openai=3", "google=4")]),
        "rate": some.sampled_from([("openai=500/min",), ("openai=8/s", "openai=200ktokens/min")]),
        "timeout_s": some.sampled_from(["45", "1500ms", "2m"]),
        "max_wait_s": some.sampled_from(["2h", "30"]),
        "retries": some.integers(0, 9).map(str),
        "hedge": some.just("0.05"),
        "stream": some.booleans(),
        "remember_limits": some.booleans(),
        "max_cost": some.sampled_from(["0.5", "12"]),
        "max_errors": some.just("3"),
        "report": some.just(("a.html", "b.csv")),
        "max_files": some.integers(1, 9).map(str),
    },
)


@settings(max_examples=15)
@given(flags=FLAGS, files=some.booleans())
def test_the_same_spec_is_built_again(flags: dict[str, Any], files: bool) -> None:
    given_flags = {**flags, "id": "demo", **({"files": ("*.md",)} if files else {"directory": ("docs",)})}
    present = load(Path.cwd(), {})
    one = present.with_flags(dict.fromkeys(OPTIONS) | given_flags, as_flag)
    spec = build_spec("batch", one, vendors(one), [], stdin=str)
    assert spec.given is not None
    stored = msgspec.json.decode(spec.given(str), type=_Marked).options
    again = restored(msgspec.json.decode(stored, type=GivenOptions), present, Path("output/demo"))
    assert again.given == one.given - {"id"}
    other = build_spec("batch", again, vendors(again), [], stdin=str)
    assert other.output.mode == "resume"
    assert _plain(spec) == _plain(other)
    assert spec.inputs is not None and other.inputs is not None
    assert list(spec.inputs.files()) == list(other.inputs.files())


def _plain(spec: Any) -> Any:
    """The spec without what is a function, and how it begins."""
    output = msgspec.structs.replace(spec.output, mode="new")
    shape = None if spec.output_schema is None else spec.output_schema.schema
    return msgspec.structs.replace(spec, given=None, inputs=None, output=output, output_schema=shape)


def test_of_speed_what_was_not_given_is_what_holds_now() -> None:
    of_pace = {name for name, option in OPTIONS.items() if is_about_pace(option)}
    assert {"max_cost", "rate", "timeout_s", "retries", "progress", "yes", "report"} <= of_pace
    assert not of_pace & {
        "prompt",
        "models",
        "temperature",
        "schema",
        "directory",
        "repeat",
        "tools",
        "id",
    }


def test_a_mark_is_of_this_user_and_of_this_text_alone(tmp_path: Path) -> None:
    made = mark(b"text", tmp_path)
    assert is_own(b"text", made, tmp_path)
    assert not is_own(b"texts", made, tmp_path)
    assert not is_own(b"text", made, tmp_path / "other")
    assert not is_own(b"text", "", tmp_path)
    assert not is_own(b"text", "é", tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_key_that_others_could_have_written_marks_nothing(tmp_path: Path) -> None:
    made = mark(b"text", tmp_path)
    assert (tmp_path / "own.key").stat().st_mode & 0o077 == 0
    (tmp_path / "own.key").chmod(0o666)
    assert not is_own(b"text", made, tmp_path)


@pytest.mark.parametrize("form", ["text", "table", "list", "path", "number"])
@pytest.mark.parametrize(
    "name", sorted({*OPTIONS, "another"} - {"params", "variants", "prompts", "provider_concurrency", "rate"})
)
def test_a_stored_value_of_another_form_is_refused(name: str, form: str) -> None:
    """As a table, a list of commands would demand nothing, and its keys would be started."""
    forms: dict[str, Any] = {
        "text": {"text": "./evil"},
        "table": {"map": [["./evil", 1]]},
        "list": ["./evil", 1],
        "path": {"path": "./evil"},
        "number": 10**40,
    }
    stored = GivenOptions(
        kind="batch", folder="", umwelten="", options={name: GivenOption(value=forms[form], source="x")}
    )
    with suppress(StoreError):
        value = restored(stored, load(Path.cwd(), {}), Path("output/demo")).get(name)
        assert (form == "text" and name in ("prompt", "system")) or (
            form == "path" and value == Path("./evil") and OPTIONS[name].type.paths is not None
        ), name
        return
    assert not (form == "path" and name in ("rows", "scorers"))


@pytest.mark.parametrize(
    ("name", "given_as"),
    [
        ("on_end", "curl https://hooks.example.org/T0/sesame"),
        ("on_end", "API_TOKEN=sesame ./tell"),
        ("params", ('extra={"more": [{"api_key": "sesame"}]}',)),
    ],
)
def test_what_may_hold_a_key_is_asked_for_again(name: str, given_as: Any) -> None:
    present = load(Path.cwd(), {})
    flags = {"prompt": "hi", "models": ("openai:a",), "id": "demo", name: given_as}
    one = present.with_flags(dict.fromkeys(OPTIONS) | flags, as_flag)
    spec = build_spec("run", one, vendors(one), [], stdin=str)
    assert spec.given is not None
    text = spec.given(str)
    assert "sesame" not in text
    stored = msgspec.json.decode(msgspec.json.decode(text, type=_Marked).options, type=GivenOptions)
    with pytest.raises(UsageError, match="may hold a key"):
        restored(stored, present, Path("output/demo"))
    assert restored(stored, present, Path("output/demo"), {name}).get("id") == "demo"


@pytest.mark.parametrize("name", ["overwrite", "yes", "profile", "detach", "again"])
def test_what_no_run_keeps_is_not_restored(name: str) -> None:
    stored = GivenOptions(
        kind="batch", folder="", umwelten="", options={name: GivenOption(value=True, source="x")}
    )
    with pytest.raises(StoreError, match="not known here"):
        restored(stored, load(Path.cwd(), {}), Path("output/demo"))


def test_options_in_a_later_form_are_refused_with_the_version_that_reads_them() -> None:
    stored = GivenOptions(kind="run", folder="", umwelten="9.1", options={}, format=2)
    with pytest.raises(StoreError, match="not known here") as refused:
        restored(stored, load(Path.cwd(), {}), Path("output/demo"))
    assert "umwelten 9.1" in str(refused.value.hint)
