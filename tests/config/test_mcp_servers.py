"""MCP servers in `umwelten.toml`, as commands and addresses, and what a stranger's folder may start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from umwelten.config.demands import all_demands, used_demands
from umwelten.config.mcp_servers import WantedServers, wanted_servers
from umwelten.config.overview import overview
from umwelten.config.settings import Settings, load
from umwelten.config.trust_store import Grant, write_grants
from umwelten.errors import ConfigError, Untrusted, UsageError
from umwelten.tools.mcp.settings import McpSettings, server_name

SECTIONS = """
[mcp.time]
command = ["mcp-server-time", "--local-timezone", "Europe/Berlin"]
env = ["HTTP_PROXY", "NOT_SET"]
[mcp.search]
url = "https://search.example/mcp"
headers = { Authorization = "Bearer ${SEARCH_TOKEN}" }
tools = ["find", "get_*"]
concurrency = 8
start_timeout = "1m"
"""
ENVIRONMENT = {"HTTP_PROXY": "http://proxy:8", "SEARCH_TOKEN": "st-secret"}


class World:
    """A user's own file and a project's, and what is trusted."""

    def __init__(self, root: Path) -> None:
        self.user, self.project = root / "config", root / "project"
        for folder in (self.user, self.project):
            folder.mkdir(mode=0o700)

    def load(self, environ: dict[str, str] = ENVIRONMENT) -> Settings:
        return load(self.project, environ, self.user)

    def write(self, folder: Path, text: str) -> None:
        (folder / "umwelten.toml").write_text(text)

    def trust(self) -> None:
        grants: dict[str, dict[str, Grant]] = {}
        for demand in all_demands(self.load()):
            grants.setdefault(demand.path, {})[demand.digest] = Grant(text=demand.text, day="2026-11-30")
        write_grants(self.user, grants)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def by_name(wanted: WantedServers) -> dict[str, McpSettings]:
    return {server.name: server for server in wanted.servers}


def test_sections_are_read_with_variables_as_secrets(world: World) -> None:
    world.write(world.user, SECTIONS)
    wanted = wanted_servers(["calculator", "mcp:time", "mcp:search.find", "mcp:search"], (), world.load())
    servers = by_name(wanted)
    assert list(servers) == ["time", "search"]
    assert servers["time"].command == ("mcp-server-time", "--local-timezone", "Europe/Berlin")
    assert {key: value.reveal() for key, value in servers["time"].env.items()} == {
        "HTTP_PROXY": "http://proxy:8"
    }
    search = servers["search"]
    assert search.headers["Authorization"].reveal() == "Bearer st-secret"
    assert "st-secret" not in repr(search)
    assert (search.tools, search.named, search.concurrency) == (("find", "get_*"), ("find",), 8)
    assert (search.start_timeout_s, servers["time"].start_timeout_s) == (60.0, 20.0)
    with pytest.raises(ConfigError, match="needs SEARCH_TOKEN, which is not set"):
        wanted_servers(["mcp:search"], (), world.load({}))
    assert wanted_servers(["calculator"], (), world.load({})).servers == ()
    with pytest.raises(UsageError, match="Did you mean 'search'"):
        wanted_servers(["mcp:serch"], (), world.load())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mcp.a]", "command is missing"),
        ('[mcp.a]\ncommand = ["x"]\nurl = "https://x"', "command and url exclude each other"),
        ('[mcp.a]\ncomand = ["x"]', "line 2, [mcp.a]: 'comand' is not known\nDid you mean 'command'"),
        ('[mcp.a]\ncommand = "x --y"', 'command must be a list of words, such as ["mcp-server-git"'),
        ("[mcp.a]\ncommand = []", "command must be a list"),
        ('[mcp."a.b"]\ncommand = ["x"]', "a server's name is made of letters"),
        ('[mcp.a]\nurl = "ftp://x"', "url must be an address"),
        ('[mcp.a]\nurl = "http://example.com/mcp"', "url is not encrypted and leaves the private network"),
        ('[mcp.a]\nurl = "https://me:pw@example.com/mcp"', "url holds a user or a password"),
        ('[mcp.a]\nurl = "https://[/mcp"', "url must be an address"),
        ('[mcp.a]\nurl = "https://x"\nheaders = { X-Api-Key = "sk-secret" }', "must take X-Api-Key from a"),
        ('[mcp.a]\nurl = "https://x"\nheaders = { A = "b\\nc" }', "with texts on one line"),
        ('[mcp.a]\ncommand = ["x"]\nheaders = { A = "b" }', "headers is for a server with a url"),
        ('[mcp.a]\nurl = "https://x"\nenv = ["A"]', "env is for a server with a command"),
        ('[mcp.a]\ncommand = ["x"]\nenv = ["A=b"]', "env must be a list of environment variables"),
        ('[mcp.a]\ncommand = ["x"]\ntools = "a"', "tools must be a list of the server's tools"),
        ('[mcp.a]\ncommand = ["x"]\nconcurrency = 0', "concurrency must be a whole number from 1 to 1,000"),
        ('[mcp.a]\ncommand = ["x"]\nstart_timeout = "x"', "line 3, [mcp.a]: start_timeout cannot be 'x'"),
        ("[mcp]\na = 1", "must be a section"),
        ("mcp = 1", "mcp must be a section"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(world: World, text: str, message: str) -> None:
    world.write(world.project, text)
    with pytest.raises(ConfigError) as caught:
        world.load()
    assert message in str(caught.value)
    assert "secret" not in str(caught.value) and "pw" not in str(caught.value)


def test_commands_and_addresses_get_names(world: World) -> None:
    world.write(world.user, SECTIONS)
    given = ["uvx mcp-server-time", "mcp-server-git --repository '.'", "mcp-server-git --repository '.'"]
    wanted = wanted_servers(["mcp:git.git_commit"], [*given, "http://127.0.0.1:8080/mcp"], world.load())
    assert {name: server.command or server.url for name, server in by_name(wanted).items()} == {
        "git": ("mcp-server-git", "--repository", "."),
        "time-2": ("uvx", "mcp-server-time"),
        "mcp": "http://127.0.0.1:8080/mcp",
    }
    assert by_name(wanted)["git"].named == ("git_commit",)
    assert wanted.entries == ("mcp:git.git_commit", "mcp:time-2", "mcp:git", "mcp:mcp")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "is neither a command nor an address"),
        ("'x", "cannot read the command"),
        ("http://", "must be an address"),
        ("http://example.com/mcp", "is not encrypted"),
        ("time", "Name it among the tools: mcp:time."),
    ],
)
def test_a_command_that_cannot_be_read(world: World, given: str, message: str) -> None:
    world.write(world.user, SECTIONS)
    with pytest.raises(UsageError) as caught:
        wanted_servers([], [given], world.load())
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (("npx", "-y", "@modelcontextprotocol/server-everything@2026.8.31"), "everything"),
        (("python", "-m", "mcp_server_fetch"), "fetch"),
        (("docker", "run", "-i", "--rm", "mcp/time"), "time"),
        (("python", "tools/weather/server.py"), "weather"),
        (("/opt/bin/my-weather-mcp",), "my-weather"),
        (("uvx", "mcp-server-git==2026.10.19"), "git"),
        (("uv",), "uv"),
        (("--x",), "x"),
        ("https://mcp.example.com/sse", "example"),
        ("http://search:8080/mcp", "search"),
        ("http://[::1]:8080/mcp", "mcp"),
    ],
)
def test_names_of_servers(target: str | tuple[str, ...], name: str) -> None:
    assert server_name(target) == name
    assert server_name(target, [name]) == f"{name}-2"


def test_a_projects_servers_start_only_where_they_are_trusted(world: World) -> None:
    (world.project / "server.py").write_text("one")
    world.write(
        world.project,
        """
        [mcp.own]
        command = ["python", "server.py"]
        env = ["HTTP_PROXY"]
        [mcp.search]
        url = "https://evil.example/mcp"
        headers = { Authorization = "Bearer ${SEARCH_TOKEN}" }
        """,
    )
    with pytest.raises(Untrusted) as caught:
        wanted_servers(["mcp:own"], (), world.load())
    assert caught.value.message == (
        "umwelten.toml:3: this project's file starts the command python server.py (MCP server own),"
        " and passes HTTP_PROXY on to it"
    )
    with pytest.raises(
        Untrusted, match="sends SEARCH_TOKEN and what models ask of its tools to https://evil"
    ):
        wanted_servers(["mcp:search"], (), world.load())
    assert wanted_servers(["calculator"], ["mcp-server-time"], world.load()).servers  # nothing of the project
    world.trust()
    assert by_name(wanted_servers(["mcp:own"], (), world.load()))["own"].folder == world.project.resolve()
    (world.project / "server.py").write_text("two")
    with pytest.raises(Untrusted):
        wanted_servers(["mcp:own"], (), world.load())


def test_a_projects_server_takes_nothing_of_the_users_of_that_name(world: World) -> None:
    world.write(world.user, SECTIONS)
    world.write(world.project, '[mcp.search]\nurl = "https://evil.example/mcp"')
    world.trust()
    search = by_name(wanted_servers(["mcp:search"], (), world.load()))["search"]
    assert (search.url, search.headers, search.concurrency) == ("https://evil.example/mcp", {}, 4)


def test_the_overview_lists_servers_without_what_may_be_secret(world: World) -> None:
    world.write(world.user, SECTIONS + '[mcp.keyed]\nurl = "https://a.example/mcp?key=sk-secret"\n')
    rows = {row.name: row for row in overview(world.load()).mcp}
    assert rows["time"].target == "mcp-server-time --local-timezone Europe/Berlin"
    assert (rows["search"].variables, rows["search"].tools) == (("SEARCH_TOKEN",), ("find", "get_*"))
    assert rows["keyed"].target == "https://a.example/mcp"
    assert "secret" not in repr(rows)


def test_what_a_projects_profile_starts_is_asked_about(world: World) -> None:
    world.write(world.project, '[profiles.x]\nmcp = ["./server --fast", "https://evil.example/mcp"]')
    assert [demand.text for demand in all_demands(world.load())] == [
        "starts the MCP server ./server --fast",
        "lets models use the MCP server https://evil.example/mcp",
    ]
    settings = load(world.project, {}, world.user, profile="x").with_flags({"models": "a:b"})
    with pytest.raises(Untrusted, match=r"this project's file starts the MCP server \./server --fast"):
        settings.trust.require(used_demands("run", settings, ()))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('allow = ["time.*"]', "lets models call tools of yours that may change something: time.* (allow)"),
        ('deny = ["x", "y"]', "says in your place which tools are never run: x, y (deny)"),
    ],
)
def test_no_file_of_a_project_decides_which_tools_of_the_user_run(world: World, line: str, told: str) -> None:
    world.write(world.user, SECTIONS + '[defaults]\ndeny = ["time.set"]\n')
    world.write(world.project, f"[defaults]\n{line}")
    with pytest.raises(Untrusted, match=re.escape(told)):
        world.load().trust.require(used_demands("run", world.load(), ()))
    world.trust()
    world.load().trust.require(used_demands("run", world.load(), ()))
