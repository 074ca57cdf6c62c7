"""Lists of tools in `umwelten.toml`, and what a stranger's folder may have run by naming tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.config.demands import all_demands, used_demands
from umwelten.config.settings import Settings, load
from umwelten.config.tool_lists import trusted_lists
from umwelten.errors import ConfigError, Untrusted

LISTS = """
[tools]
office = ["calculator", "tools/rates.py:rate", "mcp:time", "@plain"]
plain = "now"
"""


CALLED = "whose functions models may call"


class World:
    """A user's own file and a project's, which names a file of Python."""

    def __init__(self, root: Path) -> None:
        self.user, self.project = root / "config", root / "project"
        for folder in (self.user, self.project / "tools", self.project / "below"):
            folder.mkdir(mode=0o700, parents=True)
        self.rates = self.project / "tools" / "rates.py"
        self.rates.write_text("def rate(currency: str) -> float:\n    return 0.9\n")

    def load(self, folder: Path | None = None, **environ: str) -> Settings:
        return load(folder or self.project, environ, self.user)

    def users(self, text: str) -> Settings:
        (self.user / "umwelten.toml").write_text(text)
        return self.load()

    def projects(self, text: str, **environ: str) -> Settings:
        (self.project / "umwelten.toml").write_text(text)
        return self.load(**environ)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.chdir(made.project)
    return made


def demanded(settings: Settings) -> list[str]:
    return [demand.text for demand in used_demands("run", settings, ())]


def test_a_list_of_the_users_own_is_used_unasked(world: World) -> None:
    lists = trusted_lists(["@office"], world.users(LISTS))
    assert lists == {
        "office": ("calculator", "tools/rates.py:rate", "mcp:time", "@plain"),
        "plain": ("now",),
    }


def test_what_a_projects_list_would_run_is_asked_about_when_it_is_used(world: World) -> None:
    settings = world.projects(LISTS)
    with pytest.raises(Untrusted) as caught:
        trusted_lists(["now", "@office"], settings)
    first, second = caught.value.message.splitlines()
    place, _, said = first.partition(": this project's file ")
    assert (place, said) == ("umwelten.toml:3", f"runs the Python file {world.rates}, {CALLED}")
    assert second == "umwelten.toml:3: this project's file lets models call mcp:time"
    assert trusted_lists(["calculator", "@plain"], settings)["plain"] == ("now",)
    assert trusted_lists(["@office"], world.projects(LISTS, UMWELTEN_TRUST="1"))
    assert len(all_demands(settings)) == 2


def test_a_list_that_uses_another_asks_for_both(world: World) -> None:
    settings = world.projects('[tools]\na = ["@b"]\nb = ["tools/rates.py"]\n')
    with pytest.raises(Untrusted, match=r"umwelten\.toml:3: this project's file runs"):
        trusted_lists(["@a"], settings)


def test_a_change_of_the_file_is_another_demand(world: World) -> None:
    settings = world.projects(LISTS)
    before = {demand.digest for demand in all_demands(settings)}
    world.rates.write_text("def rate(currency: str) -> float:\n    return 0.8\n")
    assert len(before - {demand.digest for demand in all_demands(settings)}) == 1


@pytest.mark.parametrize(
    ("tools", "texts"),
    [
        ('"calculator,now,randomNumber"', []),
        ('["calculator", "tools/rates.py"]', ["runs the Python file {}, " + CALLED]),
        ('"tools/rates.py:rate"', ["runs the Python file {}, " + CALLED]),
        ('"mcp:git.git_commit"', ["lets models call mcp:git.git_commit"]),
        ('"@office"', ["lets models call @office"]),
        (
            '"../elsewhere/none.py"',
            ["runs the Python file {}/elsewhere/none.py, whose functions models may call"],
        ),
    ],
)
def test_the_defaults_of_a_project_may_name_built_in_tools_alone(
    world: World, tools: str, texts: list[str]
) -> None:
    where = world.rates if "rates" in tools else world.project.parent
    expected = [text.format(where) for text in texts]
    assert demanded(world.projects(f"[defaults]\ntools = {tools}\n")) == expected
    assert demanded(world.projects("", UMWELTEN_TOOLS="tools/rates.py")) == []


def test_the_paths_of_a_projects_list_begin_at_its_file(world: World) -> None:
    world.projects(LISTS)
    settings = world.load(world.project / "below")
    assert settings.tool_lists["office"].entries[1] == f"{world.rates}:rate"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tools]\noffice = 3\n", ", line 2, [tools]: office must be a list of tools"),
        ("[tools]\noffice = []\n", ", line 2, [tools]: office must be a list of tools"),
        ("[tools]\noffice = ['']\n", ", line 2, [tools]: office must be a list of tools"),
        ("[tools]\n'a b' = ['now']\n", ", line 2, [tools]: the name of a list of tools is made of letters"),
        ("[tools]\noffice = ['calculater']\n", ", line 2, [tools]: tool 'calculater' is not known"),
        ("[tools]\noffice = ['@other']\n", ", [tools]: there is no list @other of tools"),
        ("[tools]\na = ['@b']\nb = ['@a']\n", ", [tools]: the list @a of tools contains itself: a > b > a"),
        ("tools = ['now']\n", ", line 1: tools must be a section"),
    ],
)
def test_a_list_that_cannot_be_meant_is_an_error_by_its_line(world: World, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        world.projects(text)
    assert caught.value.message.startswith(f"{world.project / 'umwelten.toml'}{said}")
