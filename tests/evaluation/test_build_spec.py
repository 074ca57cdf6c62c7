"""The command line and the library settle their options differently and ask for the same evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from umwelten.api.argument_names import as_argument
from umwelten.cli.flag_names import as_flag
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.errors import UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.phrases import Wording


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.md"):
        (tmp_path / "in" / name).write_text(name)
    (tmp_path / "system.txt").write_text("Be brief.")
    (tmp_path / "table.csv").write_text("title,year\nDune,1965\n")
    (tmp_path / "umwelten.toml").write_text('[defaults]\nseed = 7\nfile_pattern = "*.txt"\n')
    return load(tmp_path, {}, tmp_path / "none")


def built(settings: Settings, kind: Any, stdin: str | None = None) -> tuple[EvaluationSpec, list[Wording]]:
    notes: list[Wording] = []
    read = None if stdin is None else lambda: stdin
    return build_spec(kind, settings, vendors(settings), notes, stdin=read), notes


def comparable(spec: EvaluationSpec) -> dict[str, Any]:
    """All of a spec, with the inputs' names in place of the function that finds them."""
    inputs = spec.inputs
    found = None if inputs is None else ([one.name for one in inputs.files()], inputs.source, inputs.columns)
    schema = None if spec.output_schema is None else spec.output_schema.schema
    return {**msgspec.structs.asdict(spec), "inputs": found, "output_schema": schema}


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing more": ({}, {}),
    "texts": (
        {"system": "@system.txt", "attach": ("in/*.md",)},
        {"system": Path("system.txt"), "attach": Path("in/b.md")},
    ),
    "numbers": (
        {"temperature": "0.5", "max_tokens": "9", "params": ("top_k=4", 'stop=["x"]'), "repeat": "2"},
        {"temperature": 0.5, "max_tokens": 9, "params": {"top_k": 4, "stop": ["x"]}, "repeat": 2},
    ),
    "limits": (
        {"timeout_s": "2m", "provider_concurrency": ("openai=2", "ollama=1"), "max_bytes_in_flight": "1G"},
        {"timeout_s": 120, "provider_concurrency": {"openai": 2, "ollama": 1}, "max_bytes_in_flight": "1G"},
    ),
    "known rates": (
        {"rate": ("openai=0.5krpm", "openai=2M tokens/min", "openai:a=9/s", "openai=60/hour")},
        {"rate": {"openai": ["500/min", "2_000_000tpm", "60/h"], "openai:a": "9 requests per second"}},
    ),
    "a schema": (
        {"schema": "title, year? int", "coerce": True, "pdf": "text"},
        {"schema": "title, year? int", "coerce": True, "pdf": "text"},
    ),
    "where to": (
        {"id": "x", "resume": True, "output_dir": "out", "report": ("r.csv", "r.json")},
        {"id": "x", "resume": True, "output_dir": Path("out"), "report": ["r.csv", Path("r.json")]},
    ),
    "a directory": ({"directory": "in"}, {"directory": Path("in")}),
    "all of it": (
        {"directory": "in", "file_pattern": "*", "max_files": "1"},
        {"directory": "in", "file_pattern": "*", "max_files": 1},
    ),
    "files": ({"files": ("in/b.md,in/*.txt",)}, {"files": ["in/b.md", "in/*.txt"]}),
    "rows": ({"rows": Path("table.csv"), "row_name": "title"}, {"rows": "table.csv", "row_name": "title"}),
}


@pytest.mark.parametrize("given", SAME.values(), ids=SAME)
def test_flags_and_arguments_ask_for_the_same(
    given: tuple[dict[str, Any], dict[str, Any]], configured: Settings
) -> None:
    question = {"prompt": "Sum up", "models": "openai:a,ollama:b"}
    flags, arguments = ({**question, **one} for one in given)
    kind = "batch" if {"directory", "files", "rows"} & flags.keys() else "run"
    typed, _ = built(configured.with_flags(flags, as_flag), kind)
    called, _ = built(configured.with_flags(arguments, as_argument, arguments=True), kind)
    assert comparable(typed) == comparable(called)
    assert typed.request.parameters.seed == 7
    assert typed.stream is (kind == "run")


def test_only_a_front_end_with_a_stdin_reads_it(configured: Settings) -> None:
    settings = configured.with_flags({"prompt": "-", "models": "openai:a"}, as_flag)
    assert built(settings, "run", "from stdin")[0].request.prompt == "from stdin"
    assert built(settings, "run")[0].request.prompt == "-"


def test_a_text_of_a_program_is_never_a_file(configured: Settings) -> None:
    given = {"prompt": "@system.txt", "system": "-", "models": "openai:a"}
    spec, _ = built(configured.with_flags(given, as_argument, arguments=True), "run", "never")
    assert (spec.request.prompt, spec.request.system) == ("@system.txt", "-")


@pytest.mark.parametrize(
    ("given", "said", "argument"),
    [
        ({"models": None}, "no model is named", "models"),
        ({"prompt": None}, "the prompt is empty", "prompt"),
        ({"prompts": {"a": "b"}}, "prompt and prompts exclude each other", "prompts"),
        ({"prompt": None, "prompts": {}}, "prompts is empty", "prompts"),
        (
            {"prompt": None, "prompts": {"a/b": "c"}},
            "the name 'a/b' can't be part of a file's name",
            "prompts",
        ),
        ({"prompt": Path("gone.txt")}, "prompt: cannot read gone.txt", "prompt"),
        ({"id": "x", "resume": True, "overwrite": True}, "exclude each other", "overwrite"),
        ({"overwrite": True}, "need an id", "id"),
    ],
)
def test_what_cannot_be_asked_names_its_argument(
    given: dict[str, Any], said: str, argument: str, configured: Settings
) -> None:
    settings = configured.with_flags(
        {"prompt": "hello", "models": "openai:a", **given}, as_argument, arguments=True
    )
    with pytest.raises(UsageError) as caught:
        built(settings, "run")
    assert said in str(caught.value.spell(as_argument))
    assert caught.value.argument == argument
