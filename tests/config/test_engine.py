"""Who makes the calls: where it can be said, what is refused, what a project's file may not decide alone."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import click
import pytest

from umwelten.cli.eval import group as evaluations
from umwelten.cli.options import TableOption
from umwelten.config.demands import all_demands
from umwelten.config.engine_types import ENGINE, split_engine
from umwelten.config.options import OPTIONS
from umwelten.config.settings import Settings, load
from umwelten.errors import ConfigError, UsageError
from umwelten.evaluation import engine_choice
from umwelten.evaluation.engine_choice import (
    check_workers,
    engine_settings,
    note_idle_engine,
    note_open_cluster,
    read_engine,
)
from umwelten.evaluation.spec import EngineChoice
from umwelten.fleet import ray_api
from umwelten.phrases import by_name
from umwelten.types import ModelRef

RAY = EngineChoice(kind="ray")


def settings_of(
    folder: Path, toml: str = "", environ: dict[str, str] | None = None, **flags: Any
) -> Settings:
    (folder / "umwelten.toml").write_text(toml)
    return load(folder, environ or {}, folder / "home").with_flags(flags)


@pytest.mark.parametrize(
    ("text", "kind", "address"),
    [
        ("local", "local", ""),
        ("ray", "ray", ""),
        ("ray:auto", "ray", "auto"),
        ("ray:head.example:6379", "ray", "head.example:6379"),
        ("ray:10.0.0.1:6379", "ray", "10.0.0.1:6379"),
        ("ray:[::1]:6379", "ray", "[::1]:6379"),
        (" ray ", "ray", ""),
    ],
)
def test_an_engine_is_read(text: str, kind: str, address: str) -> None:
    assert split_engine(ENGINE.read(text)) == (kind, address)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ray", "dask", "ray:", "ray:head", "ray:head:0", "ray:head:65536", "ray:head:x", "local:1:1"),
        *("ray:-x:6379", "ray:a b:6379", "ray:http://head:8265", True, 4),
    ],
)
def test_another_word_is_refused_with_what_is_allowed(text: object) -> None:
    with pytest.raises(ValueError, match=r"write local, ray .* ray:auto .* ray:HOST:PORT"):
        ENGINE.read(text)


@pytest.mark.parametrize("text", ["ray://head:10001", "ray:ray://head:10001"])
def test_the_address_of_a_ray_client_is_named_as_such(text: str) -> None:
    with pytest.raises(ValueError, match="ray job submit"):
        ENGINE.read(text)


def test_it_can_be_said_in_files_profiles_environment_and_flags(tmp_path: Path) -> None:
    toml = (
        '[defaults]\nengine = "ray"\nworkers = 3\n[profiles.big]\nengine = "ray:head:6379"\nray_env = "pip"\n'
    )
    of_file = read_engine(settings_of(tmp_path, toml))
    assert of_file == EngineChoice(kind="ray", workers=3, ship_keys=True)
    profile = load(tmp_path, {}, tmp_path / "home", profile="big").with_flags({})
    assert read_engine(profile) == EngineChoice(kind="ray", address="head:6379", workers=3, env="pip")
    environ = {"UMWELTEN_ENGINE": "ray:auto", "UMWELTEN_WORKERS": "9", "UMWELTEN_SHIP_KEYS": "1"}
    found = read_engine(settings_of(tmp_path, toml, environ))
    assert found == EngineChoice(kind="ray", address="auto", workers=9, ship_keys=True)
    assert read_engine(settings_of(tmp_path, toml, environ, engine="local")) == EngineChoice()
    with pytest.raises(ConfigError, match="dask"):
        settings_of(tmp_path, '[defaults]\nengine = "dask"')
    with pytest.raises(UsageError, match="1001"):
        settings_of(tmp_path, workers="1001")


def test_the_workers_of_an_own_cluster_are_no_more_than_cores_and_get_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "_cores", lambda: 2)
    assert read_engine(settings_of(tmp_path, engine="ray")) == EngineChoice(
        kind="ray", workers=2, ship_keys=True
    )
    assert read_engine(settings_of(tmp_path, engine="ray:auto")) == EngineChoice(
        kind="ray", address="auto", workers=4
    )
    assert not read_engine(settings_of(tmp_path, engine="ray", ship_keys=False)).ship_keys


def test_what_workers_cannot_do_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [ModelRef("local", "smollm2"), ModelRef("openai", "gpt-5.4-mini")]
    with pytest.raises(UsageError, match="local:smollm2") as caught:
        check_workers(RAY, models)
    assert "openai" not in caught.value.message and "Ollama" in (caught.value.hint or "")
    monkeypatch.setattr("importlib.metadata.distribution", _not_there)
    with pytest.raises(UsageError, match="not installed") as caught:
        check_workers(RAY, models[1:])
    assert "pip install 'umwelten[ray]'" in (caught.value.hint or "")
    check_workers(EngineChoice(), models)


def _not_there(name: str) -> Any:
    raise PackageNotFoundError(name)


def test_a_ray_that_knows_no_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    least = ".".join(map(str, ray_api.LEAST))
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert pyproject["project"]["optional-dependencies"]["ray"] == [f"ray>={least},<3"]
    for found in (f"{least}.0", "2.60.0", "2.100.1rc1", "3.0.0.dev0"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, found=found: found)
        check_workers(RAY, [])
    for found in ("2.51.2", "2.9.0", "1.13.0"):
        monkeypatch.setattr("importlib.metadata.version", lambda name, found=found: found)
        with pytest.raises(UsageError, match=f"Ray {least} or newer; {found} is installed"):
            check_workers(RAY, [])


def notes_of(settings: Settings) -> list[str]:
    notes: list[Any] = []
    note_idle_engine(read_engine(settings), settings, notes)
    note_open_cluster(read_engine(settings), notes)
    return [note if isinstance(note, str) else note.spell(by_name) for note in notes]


def test_options_of_workers_that_do_nothing_are_noted(tmp_path: Path) -> None:
    given = {"workers": 3, "ship_keys": True, "ray_env": "pip"}
    assert len(notes_of(settings_of(tmp_path, **given))) == 3
    assert notes_of(settings_of(tmp_path, engine="ray", **given)) == []
    toml = "[defaults]\nworkers = 3\nship_keys = true\n"
    assert notes_of(settings_of(tmp_path, toml)) == []  # ready for the runs that have workers


@pytest.mark.parametrize(
    ("engine", "mode", "warns"),
    [
        ("ray:head.example:6379", "", True),
        ("ray:head.example:6379", "token", False),
        ("ray:127.0.0.1:6379", "", False),
        ("ray:[::1]:6379", "", False),
        ("ray", "", False),
    ],
)
def test_keys_that_go_to_an_open_cluster_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, mode: str, warns: bool
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    notes = notes_of(settings_of(tmp_path, engine=engine, ship_keys=True))
    assert ["head.example" in note and "RAY_AUTH_MODE=token" in note for note in notes] == [True] * warns


def test_the_shell_completes_the_engines() -> None:
    items = TableOption(OPTIONS["engine"]).shell_complete(click.Context(evaluations.commands["run"]), "ray")
    assert [item.value for item in items] == ["ray", "ray:auto"]


@pytest.mark.parametrize("command", ["run", "batch", "score", "resume", "retry"])
def test_every_command_that_makes_calls_has_the_options(command: str) -> None:
    flags = {flag for param in evaluations.commands[command].params for flag in param.opts}
    assert {"--engine", "--workers", "--ship-keys", "--ray-env"} <= flags


# --- a project's file --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ('engine = "ray:evil.example:6379"', ["all that is sent, by the Ray cluster at evil.example:6379"]),
        ('engine = "ray:auto"', ["all that is sent, by the Ray cluster at auto"]),
        ('engine = "ray"', ["starts a Ray cluster, which listens on 127.0.0.1"]),
        ("ship_keys = true", ["sends API keys to the workers"]),
        ('engine = "local"', []),
        ("ship_keys = false", []),
        ("workers = 3", []),
        ("workers = 4", []),
        ("workers = 900", ["starts 900 processes that make the calls, where they are made by Ray (workers)"]),
        ('ray_env = "pip"', []),
    ],
)
@pytest.mark.parametrize("section", ["defaults", "profiles.big"])
def test_a_projects_file_is_asked_about(tmp_path: Path, section: str, line: str, texts: list[str]) -> None:
    found = [demand.text for demand in all_demands(settings_of(tmp_path, f"[{section}]\n{line}\n"))]
    assert len(found) == len(texts)
    assert all(part in text for part, text in zip(texts, found, strict=True))


def test_nothing_is_stored_of_a_run_of_one_process() -> None:
    assert engine_settings(EngineChoice()) == {}
    choice = EngineChoice(kind="ray", address="head:6379", workers=8)
    assert engine_settings(choice) == {"engine": "ray:head:6379", "workers": 8}
