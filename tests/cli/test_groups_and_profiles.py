"""Named groups of models and named sets of flags, as `umwelten.toml` gives them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.cli.flag_names import as_flag
from umwelten.config.endpoints import vendors
from umwelten.config.options import OPTIONS
from umwelten.config.settings import Settings, load, model_groups
from umwelten.errors import ConfigError, UsageError
from umwelten.providers.model_names import expand_groups, parse_models
from umwelten.providers.vendors import VENDORS


class Project:
    """A project folder with a subfolder, and a user's config folder."""

    def __init__(self, root: Path) -> None:
        self.root, self.user = root / "project", root / "user"
        self.sub = self.root / "sub"
        self.sub.mkdir(parents=True)
        self.user.mkdir()

    def toml(self, text: str) -> Path:
        path = self.root / "umwelten.toml"
        path.write_text(text)
        return path

    def users(self, text: str) -> Path:
        path = self.user / "umwelten.toml"
        path.write_text(text)
        return path

    def load(self, profile: str | None = None, *, cwd: Path | None = None, **environ: str) -> Settings:
        return load(cwd or self.root, environ, self.user, profile=profile)

    def models(self, text: str) -> list[str]:
        settings = self.load()
        return [str(model) for model in parse_models(text, vendors(settings), model_groups(settings))[0]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# --- groups ----------------------------------------------------------------------------------


def test_a_group_stands_for_its_models_in_their_order_and_groups_may_hold_groups(project: Project) -> None:
    project.toml(
        """
        [groups]
        fast = ["google:gemini-3.5-flash", "openai/gpt-4o-mini"]
        small = "local:smollm2, ollama:gemma3:12b"
        all = ["@fast", " @small ", "anthropic:claude-sonnet-4-5"]
        """
    )
    assert project.models("@fast,ollama:gemma3:12b") == [
        "google:gemini-3.5-flash",
        "openrouter:openai/gpt-4o-mini",
        "ollama:gemma3:12b",
    ]
    assert project.models(" @all ") == [
        "google:gemini-3.5-flash",
        "openrouter:openai/gpt-4o-mini",
        "local:smollm2",
        "ollama:gemma3:12b",
        "anthropic:claude-sonnet-4-5",
    ]


def test_a_model_that_two_groups_hold_is_asked_once_with_a_note(project: Project) -> None:
    groups = {"a": ("local:smollm2",), "b": ("local:smollm2", "ollama:x")}
    models, notes = parse_models("@a,@b", VENDORS, groups)
    assert [str(model) for model in models] == ["local:smollm2", "ollama:x"]
    assert len(notes) == 1
    assert "local:smollm2" in str(notes[0])


def test_a_group_of_the_project_replaces_the_users_and_others_stay(project: Project) -> None:
    users = project.users('[groups]\nfast = ["ollama:user"]\nmine = ["@fast"]')
    toml = project.toml('[groups]\nfast = ["ollama:project"]')
    assert project.models("@mine") == ["ollama:project"]
    groups = project.load().groups
    assert (groups["fast"].source, groups["mine"].source) == (str(toml), str(users))


def test_an_unknown_group_is_an_error_with_the_nearest_and_all_there_are(project: Project) -> None:
    project.toml('[groups]\nfast = ["ollama:a"]\nlarge = ["ollama:b"]')
    with pytest.raises(UsageError) as caught:
        project.models("@fsat")
    assert caught.value.message == "@fsat is not a group of models"
    assert caught.value.hint == "Did you mean @fast? Groups: @fast, @large."
    with pytest.raises(UsageError, match=r"No groups are defined: add \[groups\]"):
        parse_models("@fast", VENDORS)


def test_a_group_is_never_taken_for_a_file(project: Project) -> None:
    (project.root / "fast").write_text("ollama:from-a-file")
    with pytest.raises(UsageError, match="@fast is not a group"):
        project.models("@fast")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ('a = ["@a"]', "@a contains itself: @a → @a"),
        ('a = ["@b"]\nb = ["ollama:x", "@c"]\nc = ["@a"]', "@a contains itself: @a → @b → @c → @a"),
        ('a = ["@b"]\nb = ["@b"]', "@b contains itself: @b → @b"),
    ],
)
def test_a_circle_of_groups_is_an_error_that_names_the_way_round(
    project: Project, text: str, way: str
) -> None:
    path = project.toml(f"[groups]\n{text}")
    with pytest.raises(ConfigError) as caught:
        project.load()
    assert re.sub(", line [0-9]", "", caught.value.message) == f"{path}, [groups]: the group {way}"


def test_a_group_that_names_an_unknown_group_is_refused_before_it_is_used(project: Project) -> None:
    path = project.toml('[groups]\nfast = ["ollama:a"]\nall = ["@fst"]')
    with pytest.raises(ConfigError) as caught:
        project.load()
    assert (
        caught.value.message == f"{path}, line 3, [groups]: @fst, which @all names, is not a group of models"
    )
    assert "Did you mean @fast?" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast = []", "line 2, [groups]: fast must be a list of models"),
        ("fast = [1]", "line 2, [groups]: fast must be a list of models"),
        ("ok = ['ollama:x']\nfast = ' , '", "line 3, [groups]: fast must be a list of models"),
        ("'two words' = ['ollama:x']", "line 2, [groups]: a group's name is made of letters"),
    ],
)
def test_what_is_no_group_is_refused_with_its_line(project: Project, text: str, said: str) -> None:
    path = project.toml(f"[groups]\n{text}")
    with pytest.raises(ConfigError) as caught:
        project.load()
    assert caught.value.message.startswith(f"{path}, {said}")


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from(["x", "y", "@a", "@b", "@c"]), min_size=1)
    )
)
def test_expanding_ends_with_plain_names_or_a_usage_error(groups: dict[str, list[str]]) -> None:
    try:
        names = expand_groups("x,@a", groups)
    except UsageError as error:
        assert "contains itself" in error.message or "is not a group" in error.message
    else:
        assert names[0] == "x"
        assert not any(name.startswith("@") for name in names)


# --- profiles --------------------------------------------------------------------------------

NIGHTLY = """
[defaults]
retries = 2
seed = 7
[profiles.nightly]
retries = 3
max-tokens = 50
timeout = "2m"
concurrent = true
prompt = "Say hi"
directory = "texts"
attach = "a.png,b.png"
files = ["x.txt", "{a,b}.txt"]
resume = true
estimate = 4
"""


def test_a_profile_lies_between_the_files_defaults_and_the_environment(project: Project) -> None:
    toml = project.toml(NIGHTLY)

    def seen(profile: str | None, **environ: str) -> tuple[object, str]:
        settings = project.load(profile, **environ)
        return settings.get("retries"), settings.source("retries")

    assert seen(None) == (2, str(toml))
    assert seen("nightly") == (3, f"{toml}, [profiles.nightly]")
    (project.root / ".env").write_text("UMWELTEN_RETRIES=4")
    (project.root / ".env").chmod(0o600)
    assert seen("nightly")[0] == 4
    assert seen("nightly", UMWELTEN_RETRIES="5") == (5, "UMWELTEN_RETRIES (environment)")
    settings = project.load("nightly").with_flags({"retries": 6}, as_flag)
    assert (settings.get("retries"), settings.source("retries")) == (6, "--retries")
    assert settings.get("seed") == 7
    assert settings.get("max_tokens") == 50
    assert settings.get("timeout_s") == 120
    assert settings.get("max_concurrency") == 5


def test_flags_that_are_no_settings_come_out_of_the_profile_in_force_alone(project: Project) -> None:
    project.toml(NIGHTLY)
    assert project.load().flags == {}
    flags = project.load("nightly").flags
    assert {key: value.value for key, value in flags.items()} == {
        "prompt": "Say hi",
        "directory": Path("texts"),
        "attach": ["a.png,b.png"],
        "files": ["x.txt", "{a,b}.txt"],
        "resume": True,
        "estimate": 4,
    }


def test_a_profile_of_the_project_adds_to_the_users_key_by_key(project: Project) -> None:
    users = project.users('[profiles.p]\nretries = 1\nseed = 1\nprompt = "user"')
    toml = project.toml('[profiles.p]\nseed = 2\nid = "x"')
    settings = project.load("p")
    assert settings.source("retries") == f"{users}, [profiles.p]"
    assert (settings.get("seed"), settings.source("seed")) == (2, f"{toml}, [profiles.p]")
    assert settings.flags["prompt"].source == f"{users}, [profiles.p]"
    assert settings.flags["id"].value == "x"


def test_paths_in_a_projects_file_start_from_its_folder(project: Project) -> None:
    project.toml(
        """
        [defaults]
        system = "@system.txt"
        output_dir = "out"
        schema = "shapes/invoice.json"
        report = ["a.html", "/tmp/b.csv"]
        [profiles.p]
        prompt = "@prompt.txt"
        directory = "texts"
        files = ["one.txt,two/*.{jpg,png}"]
        attach = ["/abs/x.png"]
        rows = "data.csv"
        prompts = "many.toml"
        schema = "shape.py:Invoice"
        """
    )
    below, root = project.load("p", cwd=project.sub), project.root
    assert below.get("system") == f"@{root}/system.txt"
    assert below.get("output_dir") == root / "out"
    assert below.get("schema") == f"{root}/shape.py:Invoice"
    assert below.get("report") == (root / "a.html", Path("/tmp/b.csv"))
    assert {key: value.value for key, value in below.flags.items()} == {
        "prompt": f"@{root}/prompt.txt",
        "directory": root / "texts",
        "files": [f"{root}/one.txt,{root}/two/*.{{jpg,png}}"],
        "attach": ["/abs/x.png"],
        "rows": root / "data.csv",
        "prompts": root / "many.toml",
    }
    here = project.load("p")
    assert (here.get("system"), here.get("schema")) == ("@system.txt", "shape.py:Invoice")
    assert here.flags["files"].value == ["one.txt,two/*.{jpg,png}"]


def test_a_schema_that_is_written_out_is_left_alone(project: Project) -> None:
    project.toml("[defaults]\nschema = 'title, confidence int: 1-10'")
    assert project.load(cwd=project.sub).get("schema") == "title, confidence int: 1-10"


def test_an_unknown_profile_is_an_error_with_the_nearest_and_all_there_are(project: Project) -> None:
    with pytest.raises(UsageError, match=r"profile: 'x' is not known\nThere are none"):
        project.load("x")
    project.toml("[profiles.nightly]\nseed = 1\n[profiles.weekly]\nseed = 2")
    with pytest.raises(UsageError) as caught:
        project.load("nigthly")
    assert caught.value.hint == "Did you mean nightly? Profiles: nightly, weekly."


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[profiles.p]\nseed = 1\nretrys = 2", "line 3, [profiles.p]: 'retrys' is not known", "'retries'"),
        ("[profiles.p]\nprofile = 'q'", "line 2, [profiles.p]: 'profile' is not known", "Did you mean"),
        (
            "[profiles.p]\n\n# note\nseed = 'x'",
            "line 4, [profiles.p]: seed: 'x' is not allowed",
            "whole number",
        ),
        ("[profiles.p]\nmax-tokens = 0", "line 2, [profiles.p]: max_tokens: 0 is not allowed", "from 1 to"),
        ("[profiles.p]\nprompt = ''", "line 2, [profiles.p]: prompt: '' is not allowed", "text in quotes"),
        ("[profiles.p]\nestimate = 0", "line 2, [profiles.p]: estimate: 0 is not allowed", "from 1 to"),
        ("[profiles.p]\nfiles = [1]", "line 2, [profiles.p]: files: [1] is not allowed", "list of such"),
        ("[profiles]\np = 1", "line 2, [profiles.p] must be a section", ""),
        ("[profiles.'a b']\nseed = 1", 'line 1, [profiles."a b"]: a profile\'s name is made of', ""),
        ("profiles = 1", "line 1: profiles must be a section", "[profiles]"),
        ("[profile.p]\nseed = 1", "line 1: 'profile' is not known", "'profiles'"),
        (
            "[profiles.p]\nmax_tokens = 1\nmax-tokens = 2",
            "line 3, [profiles.p]: max_tokens is there twice",
            "",
        ),
        ("[defaults]\nseed = 1\n\nprompt = 'x'", "line 4, [defaults]: 'prompt' is not known", ""),
        ("[defaults]\n'retry' = 1", "line 2, [defaults]: 'retry' is not known", "'retries'"),
        ("defaults.seed = 'x'", "line 1, [defaults]: seed: 'x' is not allowed", ""),
        ("defaults = { seed = 'x' }", "[defaults]: seed: 'x' is not allowed", ""),
        (
            '[providers."my-own"]\nwire = "openai"\nbase = "x"',
            "line 3, [providers.my-own]: 'base' is not known",
            "'base_url'",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_file_and_line(
    project: Project, text: str, said: str, hint: str
) -> None:
    path = project.toml(text)
    with pytest.raises(ConfigError) as caught:
        project.load()
    assert caught.value.message.startswith(str(path))
    assert said in caught.value.message
    assert hint in str(caught.value.hint)


def test_every_name_in_the_tables_is_there_once() -> None:
    names = [option.key for option in OPTIONS.values()]
    assert len(names) == len(set(names))


def test_a_note_on_a_profiles_value_is_made_only_where_the_profile_is_used(project: Project) -> None:
    project.toml("[profiles.p]\ntimeout = 5000")
    assert project.load().notes == ()
    assert len(project.load("p").notes) == 1


def test_new_settings_are_read_from_files_and_variables(project: Project) -> None:
    project.toml("[defaults]\npdf = 'images'\nreport = 'a.csv'\nschema = 'title'")
    settings = project.load(UMWELTEN_COERCE="yes")
    assert settings.get("pdf") == "images"
    assert settings.get("report") == (Path("a.csv"),)
    assert settings.get("schema") == "title"
    assert settings.get("coerce") is True
    project.toml("[defaults]\npdf = 'pictures'")
    with pytest.raises(ConfigError, match=r"pdf: 'pictures' is not allowed\nChoose one of auto, native"):
        project.load()
