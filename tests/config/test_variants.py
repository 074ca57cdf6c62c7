"""Named settings of models: where they may stand, what counts, what is wrong with them, what they demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from umwelten.api.argument_names import as_argument
from umwelten.cli.config_view import lines
from umwelten.cli.flag_names import as_flag
from umwelten.config.demands import all_demands, used_demands
from umwelten.config.overview import overview
from umwelten.config.settings import Settings, load
from umwelten.errors import ConfigError, UsageError


class Project:
    def __init__(self, root: Path) -> None:
        self.root, self.user = root / "project", root / "user"
        self.root.mkdir()
        self.user.mkdir()

    def load(self, text: str, users: str = "", profile: str | None = None) -> Settings:
        (self.root / "umwelten.toml").write_text(text)
        (self.user / "umwelten.toml").write_text(users)
        return load(self.root, {}, self.user, profile=profile)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def values(settings: Settings) -> dict[str, dict[str, Any]]:
    return {
        name: {option: row.value for option, row in rows.items()} for name, rows in settings.variants.items()
    }


def test_files_profile_and_flags_give_variants_and_the_last_counts_key_by_key(project: Project) -> None:
    settings = project.load(
        """
        [variants.cool]
        temperature = 0
        max-tokens = 5
        param = { reasoning_effort = "low" }
        [profiles.p.variants.cool]
        max_tokens = 7
        [profiles.p.variants.own]
        """,
        users="[variants.cool]\nseed = 3\ntemperature = 2\n[variants.users]\nstop = ['END']\n",
        profile="p",
    )
    flags = ("cool.temperature=0.5", "cool.param.top_k=4", "f.stop=a", "f.stop=b", "f.system=x=y")
    assert values(settings.with_flags({"variants": flags}, as_flag)) == {
        "cool": {"temperature": 0.5, "max_tokens": 7, "params": {"top_k": 4}, "seed": 3},
        "users": {"stop": ("END",)},
        "own": {},
        "f": {"stop": ("a", "b"), "system": "x=y"},
    }
    assert values(project.load("[variants.cool]\ntemperature = 0\n")) == {"cool": {"temperature": 0.0}}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[variants.cool]\ntemprature = 0", "line 2, [variants.cool]: 'temprature' is not", "'temperature'"),
        ("[variants.cool]\nbase_url = 'http://x'", "line 2, [variants.cool]: 'base_url' is not", "Known are"),
        ("[variants.cool]\nschema = 'a'", "line 2, [variants.cool]: 'schema' is not known", ""),
        ("[variants.cool]\n\ntemperature = 3", "line 3, [variants.cool]: temperature: 3 is not", "0 to 2"),
        ('[variants."a.b"]\nseed = 1', "line 1, [variants.", ""),
        ("[variants]\ncool = 3", "line 2, [variants.cool] must be a section", ""),
        ("[variant.cool]\nseed = 1", "line 1: 'variant' is not known", "'variants'"),
        ("[profiles.p.variants.x]\nsead = 1", "line 2, [profiles.p.variants.x]: 'sead' is not", "'seed'"),
        ("[profiles.p]\nvariants = 3", "[profiles.p.variants] must be a section", ""),
        ("[groups]\nfast = ['ollama:a', '@slow@cool']", "[groups]: @slow, which @fast names,", ""),
    ],
)
def test_a_broken_variant_is_told_by_file_line_and_nearest_name(
    project: Project, text: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        project.load(text)
    assert message in str(caught.value).replace(str(project.root / "umwelten.toml, "), "")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (("cool",), "--variants: 'cool' is not allowed", "VARIANT.SETTING=VALUE"),
        (("cool.temprature=1",), "'temprature' of 'cool' is not a setting", "temperature"),
        (("cool.temperature=9",), "'9' is not allowed for temperature of 'cool'", "from 0 to 2"),
        (("cool.seed=1", "cool.seed=2"), "is not allowed", "once"),
        (("a b.seed=1",), "is not allowed", "VARIANT.SETTING=VALUE"),
    ],
)
def test_a_broken_flag_is_told(project: Project, given: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        project.load("").with_flags({"variants": given}, as_flag)
    error = caught.value.spell(as_flag)
    assert message in str(error.message)
    assert hint in str(error.hint)


@pytest.mark.parametrize("given", [{"cool": 3}, {3: {}}, {"a.b": {}}, ["cool"], {"cool": {"temprature": 0}}])
def test_a_broken_argument_is_told(project: Project, given: Any) -> None:
    with pytest.raises(UsageError) as caught:
        project.load("").with_flags({"variants": given}, as_argument, arguments=True)
    assert str(caught.value.spell(as_argument).message).startswith("variants: ")


def test_a_project_may_not_smuggle_files_into_a_system_prompt(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    secret = project.root.parent / "secret.txt"
    secret.write_text("s")
    (project.root / "own.txt").write_text("o")
    text = f'[variants.bad]\nsystem = "@{secret}"\n[variants.good]\nsystem = "@own.txt"\n'
    settings = project.load(f"{text}[profiles.p.variants.worse]\nsystem = '@{secret}'\n")
    # The profile's is the same demand, and told once.
    assert [demand.text for demand in all_demands(settings)] == [
        f"reads {secret}, to send it (system); it is outside of the project's folder"
    ]
    assert used_demands("run", settings, [], ["good"]) == []
    (demand,) = used_demands("run", settings, [], ["bad"])
    assert str(demand).startswith("umwelten.toml:2: this project's file reads")
    assert len(all_demands(project.load(f"[profiles.p.variants.worse]\nsystem = '@{secret}'\n"))) == 1


def test_variants_are_shown_with_their_sources(project: Project) -> None:
    found = overview(
        project.load("[variants.cool]\ntemperature = 0\nparam = { api_key = 'x' }\n[variants.e]\n")
    )
    text = "\n".join(lines(found))
    assert "@cool  temperature  0.0" in text
    assert '@cool  param        {"api_key": "(hidden)"}' in text
    assert [row.name for row in found.variants] == ["cool", "e"]
