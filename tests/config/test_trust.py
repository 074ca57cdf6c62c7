"""What a project's files demand, and what is trusted: the rule as a table, and where trust is kept."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from umwelten.config.addresses import origins, reached_at
from umwelten.config.demands import all_demands
from umwelten.config.endpoints import endpoint, endpoints, vendors
from umwelten.config.overview import overview
from umwelten.config.settings import Settings, load
from umwelten.config.trust import Demand
from umwelten.config.trust_store import NAME, Grant, read_grants, write_grants
from umwelten.errors import ConfigError, Untrusted
from umwelten.schema import load_schema

OWN, GATEWAY, LOOPBACK = "https://eu.api.openai.com/v1", "https://gw.example/v1", "http://127.0.0.1:9/v1"


class World:
    """A user's folder, the folder of a project with one above, and the environment."""

    def __init__(self, root: Path) -> None:
        self.user, self.above = root / "user", root / "above"
        self.project = self.above / "project"
        self.user.mkdir()
        self.project.mkdir(parents=True)
        self.environ: dict[str, str] = {}

    def load(self) -> Settings:
        return load(self.project, self.environ, self.user)

    def endpoint(self, provider: str) -> str:
        found = self.load()
        return endpoint(vendors(found)[provider], found).base_url

    def demands(self) -> list[Demand]:
        return all_demands(self.load())

    def trust(self) -> None:
        grants: dict[str, dict[str, Grant]] = {}
        for demand in self.demands():
            grants.setdefault(demand.path, {})[demand.digest] = Grant(text=demand.text, day="2026-01-01")
        write_grants(self.user, grants)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- keys and addresses ----------------------------------------------------------------------

PLACES = ("environment", "user", "project", "above")
"""Where a key or an address may stand: `.env` and `umwelten.toml` of the project and of a folder above."""


class Case(NamedTuple):
    key_at: str
    address_at: str
    address: str
    named_at: str


def _build(world: World, case: Case) -> None:
    tomls: dict[str, list[str]] = {"user": [], "project": [], "above": []}
    variable = "OPENAI_API_KEY" if case.named_at == "vendor" else "OTHER_TOKEN"
    if case.address_at == "environment":
        world.environ["OPENAI_BASE_URL"] = case.address
    elif case.address_at != "vendor":
        tomls[case.address_at].append(f'base_url = "{case.address}"')
    if case.named_at != "vendor":
        tomls[case.named_at].append(f'api_key_env = "{variable}"')
    if case.key_at == "environment":
        world.environ[variable] = "sk-secret"
    else:
        (getattr(world, case.key_at) / ".env").write_text(f"{variable}=sk-secret\n")
    for name, lines in tomls.items():
        if lines:
            text = "[providers.openai]\n" + "\n".join(lines)
            (getattr(world, name) / "umwelten.toml").write_text(text)


def _is_free(case: Case) -> bool:
    """The rule in its own words."""
    if urlsplit(case.address).hostname == "127.0.0.1" and case.address_at != "vendor":
        return True
    at_home = case.address_at == "vendor" or case.address == OWN
    if at_home and case.named_at in ("vendor", "user"):
        return True  # the vendor's key, as the user named it, at the vendor's own address
    deciders = {case.address_at, case.named_at} & {"project", "above"}
    return deciders <= {case.key_at}


@given(
    case=st.builds(
        Case,
        key_at=st.sampled_from(("environment", "project", "above")),
        address_at=st.sampled_from(("vendor", *PLACES)),
        address=st.sampled_from((OWN, GATEWAY, LOOPBACK)),
        named_at=st.sampled_from(("vendor", "user", "project", "above")),
    ).filter(
        # One nearest umwelten.toml is read.
        lambda case: {case.address_at, case.named_at} & {"project", "above"} != {"project", "above"}
    )
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_key_goes_where_whoever_gave_it_says(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    world = World(tmp_path_factory.mktemp("world"))
    _build(world, case)
    free = _is_free(case)
    if free:
        world.endpoint("openai")
        return
    with pytest.raises(Untrusted) as caught:
        world.endpoint("openai")
    assert "sk-secret" not in str(caught.value) and "umwelten.toml:" in caught.value.message
    world.trust()
    world.endpoint("openai")
    if case.address_at in ("project", "above") and case.address == GATEWAY:
        toml = getattr(world, case.address_at) / "umwelten.toml"
        toml.write_text(toml.read_text().replace("gw.example", "gw2.example"))
        with pytest.raises(Untrusted):
            world.endpoint("openai")


@pytest.mark.parametrize(
    ("dotenv", "asks"),
    [
        ("OPENAI_API_KEY=${AWS_SECRET}", True),
        ("A=x${AWS_SECRET}\nOPENAI_API_KEY=${A}", True),
        ("OPENAI_API_KEY=${OPENAI_API_KEY}", False),
        ("OPENAI_API_KEY=${NOT_SET:-sk-own}", False),
        ("A=sk-own\nOPENAI_API_KEY=${A}", False),
        ("OPENAI_API_KEY=sk-own\nOPENAI_BASE_URL=https://gw.example/v1", False),
        ("OPENAI_API_KEY=sk-own\nOPENAI_BASE_URL=https://gw.example/${AWS_SECRET}", True),
        ("OPENAI_API_KEY=${AWS_SECRET}\nOPENAI_BASE_URL=http://127.0.0.1:9/v1", False),
        ("OPENAI_BASE_URL=https://api.openai.com.evil.example/v1", True),
        ("OPENAI_BASE_URL=https://127.0.0.1.evil.example/v1", True),
        ("OPENAI_BASE_URL=https://localhost.evil.example/v1", True),
        ("OPENAI_BASE_URL=http://127.1/v1", True),
        ("OPENAI_BASE_URL=https://127.0.0.1%2eevil.example/v1", True),
        ("OPENAI_BASE_URL=https://[::1%25.evil.example]/v1", True),
        ("OPENAI_BASE_URL=https://evil.example%23.api.openai.com/v1", True),
        ("OPENAI_BASE_URL=https://evil.example;.api.openai.com/v1", True),
        ("OPENAI_BASE_URL=https://\u0430pi.openai.com/v1", True),
        ("OPENAI_BASE_URL=http://[::1]:9/v1", False),
        ("OPENAI_BASE_URL=http://10.0.0.8:8000/v1", True),
    ],
)
def test_a_dotenv_sends_only_what_is_in_it(world: World, dotenv: str, asks: bool) -> None:
    world.environ["AWS_SECRET"] = "do-not-send"
    if "OPENAI_API_KEY" not in dotenv or "${OPENAI_API_KEY}" in dotenv:
        world.environ["OPENAI_API_KEY"] = "sk-of-the-shell"
    (world.project / ".env").write_text(dotenv)
    if not asks:
        world.endpoint("openai")
        return
    with pytest.raises(Untrusted, match=r"\.env:\d: this project's file sends") as caught:
        world.endpoint("openai")
    assert "do-not-send" not in str(caught.value) and str(caught.value).isascii()
    found = world.load()
    assert "do-not-send" not in reached_at(vendors(found)["openai"], found).base_url


def test_a_variable_goes_out_in_no_name_of_a_host(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even by a look-up, and also where there is no key."""

    def look_up(host: str, *arguments: object, **named: object) -> list[object]:
        raise AssertionError(f"{host} was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    world.environ["AWS_SECRET"] = "do-not-send"
    (world.project / "umwelten.toml").write_text("[providers.ollama]\nallow_insecure = true")
    for address in ("http://${AWS_SECRET}.local", "https://${AWS_SECRET}.evil.example"):
        (world.project / ".env").write_text(f"OLLAMA_HOST={address}")
        with pytest.raises(Untrusted, match=r"sends AWS_SECRET to http"):
            world.endpoint("ollama")
        assert "do-not-send" not in repr(overview(world.load()).untrusted)


def test_a_key_of_another_file_is_not_the_projects_own(world: World, tmp_path: Path) -> None:
    """Neither through a link, nor where another user put the file beside it."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-of-the-user")
    (world.project / ".env").symlink_to(tmp_path / ".env")
    (world.project / "umwelten.toml").write_text(f'[providers.openai]\nbase_url = "{GATEWAY}"')
    with pytest.raises(Untrusted):
        world.endpoint("openai")
    (world.project / ".env").unlink()
    (world.project / ".env").write_text("OPENAI_API_KEY=sk-of-the-project")
    assert world.endpoint("openai") == GATEWAY
    if os.geteuid() == 0:
        os.chown(world.project / "umwelten.toml", 1234, 1234)
        with pytest.raises(Untrusted):
            world.endpoint("openai")


def test_a_section_decides_by_what_it_is_like_too(world: World) -> None:
    """The user's section with the user's key; the project says that it is like another vendor."""
    (world.user / "umwelten.toml").write_text('[providers.team]\nlike = "groq"\napi_key_env = "TEAM_KEY"')
    world.environ["TEAM_KEY"] = "k-123456"
    assert "groq" in world.endpoint("team")
    (world.project / "umwelten.toml").write_text('[providers.team]\nlike = "deepseek"')
    with pytest.raises(Untrusted, match=r"TEAM_KEY to https://api\.deepseek\.com"):
        world.endpoint("team")


def test_the_users_own_file_needs_no_trust_wherever_it_is_found(world: World) -> None:
    world.environ["OPENAI_API_KEY"] = "sk"
    text = f'[defaults]\nsystem = "@/etc/passwd"\n[providers.openai]\nbase_url = "{GATEWAY}"'
    (world.user / "umwelten.toml").write_text(text)
    assert world.endpoint("openai") == GATEWAY and not world.demands()
    (world.project / "umwelten.toml").symlink_to(world.user / "umwelten.toml")
    assert world.endpoint("openai") == GATEWAY and not world.demands()


def test_what_an_insecure_setting_of_the_project_allows_is_asked(world: World) -> None:
    world.environ |= {"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": "http://8.8.8.8/v1"}
    (world.project / "umwelten.toml").write_text("[providers.openai]\nallow_insecure = true")
    with pytest.raises(Untrusted, match=r"umwelten.toml:2: .*8\.8\.8\.8/v1 unencrypted"):
        world.endpoint("openai")
    world.trust()
    assert world.endpoint("openai") == "http://8.8.8.8/v1"


def test_a_missing_key_is_asked_for_with_where_it_would_go(world: World) -> None:
    (world.project / "umwelten.toml").write_text(f'[providers.openai]\nbase_url = "{GATEWAY}"')
    with pytest.raises(ConfigError, match=r"it would go to https://gw.example/v1 \(./umwelten.toml\)"):
        world.endpoint("openai")


def test_the_file_that_sets_an_address_is_named_whatever_else_another_says(world: World) -> None:
    users, project = world.user / "umwelten.toml", world.project / "umwelten.toml"
    users.write_text(
        f'[providers.openai]\nbase_url = "{GATEWAY}"\n[providers.mine]\nbase_url = "http://"\nlike = "openai"'
    )
    project.write_text("[providers.openai]\nfree = true\n[providers.mine]\nfree = true")
    with pytest.raises(ConfigError, match=str(users)):
        vendors(world.load())
    users.write_text(f'[providers.openai]\nbase_url = "{GATEWAY}"')
    project.write_text("[providers.openai]\nfree = true")
    found = world.load()
    vendor = vendors(found)["openai"]
    assert reached_at(vendor, found).source == str(users) == origins(vendor, found).base_url
    project.write_text(f'[providers.openai]\nfree = true\nbase_url = "{GATEWAY}"')
    found = world.load()
    assert reached_at(vendor, found).source == "./umwelten.toml"
    assert origins(vendor, found).base_url == str(project)


def test_a_value_that_a_dotenv_takes_from_the_environment_is_concealed(world: World) -> None:
    world.environ |= {"A_TOKEN": "Aa.(b)\\1Token", "N": "345", "BLANK": " "}
    (world.project / ".env").write_text("X=${A_TOKEN}${N}${BLANK}")
    conceal = world.load().conceal
    assert conceal("at aa.(b)\\1token:345 for ABToken") == "at ${A_TOKEN}:345 for ABToken"
    assert conceal("") == ""


def test_a_key_that_is_set_later_was_asked_about(world: World) -> None:
    (world.project / ".env").write_text(f"GOOGLE_BASE_URL={GATEWAY}")
    world.trust()
    world.environ["GEMINI_API_KEY"] = "k-123456"
    assert world.endpoint("google") == GATEWAY
    (demand,) = world.demands()
    assert "sends GEMINI_API_KEY or GOOGLE_GENERATIVE_AI_API_KEY or GOOGLE_API_KEY to" in str(demand)


def test_the_users_gateway_gets_no_other_key(world: World) -> None:
    """The project names the vendor's own variable, where the user had named another for the gateway."""
    users = f'[providers.openai]\nbase_url = "{GATEWAY}"\napi_key_env = "GW_KEY"'
    (world.user / "umwelten.toml").write_text(users)
    world.environ |= {"OPENAI_API_KEY": "sk-123456", "GW_KEY": "k-123456"}
    assert world.endpoint("openai") == GATEWAY
    (world.project / "umwelten.toml").write_text('[providers.openai]\napi_key_env = "OPENAI_API_KEY"')
    with pytest.raises(Untrusted, match="OPENAI_API_KEY to https://gw"):
        world.endpoint("openai")


def test_a_message_has_a_line_for_each_demand_whatever_it_names(world: World) -> None:
    (world.project / "umwelten.toml").write_text('[defaults]\nsystem = "@/x\\n.env:1: fine\\u001b[2J"')
    with pytest.raises(Untrusted) as caught:
        world.load().trust.require(world.demands())
    assert len(caught.value.message.splitlines()) == 1 and caught.value.message.isprintable()


# --- files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        'system = "@../secret"',
        'system = "@~/secret"',
        'system = "@link"',
        'system = "@folder/secret"',
        'system = "@.env"',
        'system = "@hidden"',
        'system = "@pipe"',
        'file_pattern = ".e*"',
        'file_pattern = "{x,.env}"',
        'file_pattern = "{a,}.env"',
        'file_pattern = "sub/{.,a}env"',
        'file_pattern = "{a,{b,c}}"',
        'file_pattern = "a{x,/.}env"',
        '[profiles.p]\nfiles = "texts/.*"',
        '[profiles.p]\nfiles = "{.env,x}"',
        '[profiles.p]\nfiles = "{a,}.env"',
        '[profiles.p]\nfiles = "a.txt, {,a}.git/config"',
        '[profiles.p]\nattach = ["x*/{b,.}env"]',
        '[profiles.p]\nattach = ".git/config"',
        '[profiles.p]\ndirectory = ".git"',
        'schema = "@../secret"',
        'schema = "../s.json"',
        'schema = "folder/s.json"',
        'schema = "s.py:A"',
        'output_dir = ".."',
        'output_dir = "folder/out"',
        'report = ["in.md", "../r.md"]',
        '[profiles.p]\nprompt = "@../secret"',
        '[profiles.p]\nprompts = "../p.txt"',
        '[profiles.p]\nrows = "../r.csv"',
        '[profiles.p]\ndirectory = ["texts", "folder"]',
        '[profiles.p]\nfiles = "texts/*.txt, folder/*.txt"',
        '[profiles.p]\nfiles = ["{a,b}"]',
        '[profiles.p]\nattach = "../*"',
        '[profiles.p]\nattach = "/etc/passwd"',
        '[profiles.p]\nfrom = "../../other/output/x"',
    ],
)
def test_files_that_lie_elsewhere_and_code_are_asked_about(
    world: World, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(world.project)
    (world.above / "secret").write_text("s")
    (world.project / "link").symlink_to(world.above / "secret")
    (world.project / "{a,b}").symlink_to(world.above / "secret")
    (world.project / "folder").symlink_to(world.above)
    (world.project / ".env").write_text("OPENAI_API_KEY=sk-own")
    (world.project / "hidden").symlink_to(".env")
    os.mkfifo(world.project / "pipe")
    (world.project / "s.py").write_text("A = 1")
    (world.project / "umwelten.toml").write_text(f"[defaults]\n{line}")
    (demand,) = world.demands()
    assert str(demand).startswith("umwelten.toml:")
    world.trust()
    found = world.load()
    assert not found.trust.lacking(all_demands(found))
    (world.project / "s.py").write_text("A = 2")
    (world.project / "sub").mkdir()
    monkeypatch.chdir(world.project / "sub")
    below = load(world.project / "sub", {}, world.user)
    assert bool(below.trust.lacking(all_demands(below))) == ("s.py" in line)


@pytest.mark.parametrize(
    "line",
    [
        'system = "@prompts/a.txt"\nschema = "s.json"\noutput_dir = "größe/out"\nreport = "ä.md"',
        'system = "no @ in front"\nschema = "title, year int"\nfile_pattern = "**/*.{jpg,png}"',
        '[profiles.p]\nfiles = "*.txt,[.]env,?env"\ndirectory = "texts"\nattach = ["b/*.png"]\nfrom = "x"',
    ],
)
def test_what_stays_in_the_folder_is_not_asked_about(
    world: World, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(world.project)
    (world.project / "umwelten.toml").write_text(f"[defaults]\n{line}")
    assert not world.demands()


@pytest.mark.skipif(os.geteuid() != 0, reason="files of another user can be made by root alone")
def test_another_users_file_has_only_that_users_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in /tmp, where anybody may leave an umwelten.toml above the folders of others."""
    monkeypatch.chdir(world.project)
    toml, text = world.above / "umwelten.toml", world.project / "mine.txt"
    toml.write_text('[defaults]\nsystem = "@project/mine.txt"')
    text.write_text("private")
    assert not world.demands()
    os.chown(toml, 1234, 1234)
    assert [demand.kind for demand in world.demands()] == ["read"]
    os.chown(text, 1234, 1234)
    assert not world.demands()


def test_a_variable_that_a_dotenv_puts_into_a_setting_is_asked_about(world: World) -> None:
    world.environ |= {"AWS_SECRET": "do-not-send", "N": "3"}
    (world.project / ".env").write_text("UMWELTEN_SYSTEM=${AWS_SECRET}\nUMWELTEN_RETRIES=${N}\n")
    (demand,) = world.demands()
    assert str(demand) == ".env:1: this project's file puts the variable AWS_SECRET into the setting system"


def test_a_python_file_is_run_as_it_was_read(tmp_path: Path) -> None:
    """Neither a later content nor what lies in __pycache__ is run."""
    pytest.importorskip("pydantic")
    path = tmp_path / "s.py"
    path.write_text("raise SystemExit('changed')")
    code = b"from pydantic import BaseModel\nclass A(BaseModel):\n    x: int\n"
    assert load_schema(f"{path}:A", code=code).schema.name == "A"
    assert not (tmp_path / "__pycache__").exists()


# --- what is kept ----------------------------------------------------------------------------


def test_trust_is_kept_for_one_user_and_read_from_no_other(world: World, tmp_path: Path) -> None:
    grants = {"/p/.env": {"00": Grant(text="sends", day="2026-01-01")}}
    write_grants(world.user, grants)
    path = world.user / NAME
    assert path.stat().st_mode & 0o777 == 0o600 and read_grants(world.user) == grants
    assert [entry.name for entry in world.user.iterdir()] == [NAME]
    path.chmod(0o622)
    _is_refused(world, "others could have written it")
    path.chmod(0o600)
    target = path.rename(tmp_path / "elsewhere")
    path.symlink_to(target)
    _is_refused(world, "cannot read")
    write_grants(world.user, {})
    assert not path.is_symlink() and "00" in target.read_text()
    path.write_text("{")
    _is_refused(world, "damaged")


def _is_refused(world: World, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        read_grants(world.user)
    assert str(world.user / NAME) in str(caught.value)


def test_only_the_environment_can_trust_everything(world: World) -> None:
    world.environ["OPENAI_API_KEY"] = "sk"
    (world.project / ".env").write_text(f"UMWELTEN_TRUST=1\nOPENAI_BASE_URL={GATEWAY}")
    with pytest.raises(Untrusted):
        world.endpoint("openai")
    assert any("UMWELTEN_TRUST counts in the environment alone" in note for note in world.load().notes)
    for word, is_yes in {"1": True, "true": True, "0": False, "no": False, " ": False}.items():
        world.environ["UMWELTEN_TRUST"] = word
        assert world.load().trust.everything is is_yes
    world.environ["UMWELTEN_TRUST"] = "perhaps"
    with pytest.raises(ConfigError, match="UMWELTEN_TRUST=perhaps is not allowed"):
        world.load()


# --- several keys and addresses ----------------------------------------------------------------


def _members(world: World, provider: str) -> list[str]:
    found = world.load()
    return [place.base_url for place in endpoints(vendors(found)[provider], found)]


@pytest.mark.parametrize(
    ("user", "project", "asks"),
    [
        ("", f'base_urls = ["{OWN}", "{GATEWAY}"]', ["OPENAI_API_KEY", "gw.example"]),
        ("", f'base_urls = ["{LOOPBACK}", "{OWN}"]', []),
        (f'base_url = "{OWN}"', f'base_urls = ["{GATEWAY}"]', ["OPENAI_API_KEY", "gw.example"]),
        (f'base_urls = ["{OWN}"]', f'base_url = "{GATEWAY}"', ["OPENAI_API_KEY", "gw.example"]),
        (f'base_urls = ["{GATEWAY}"]', "", []),
        ("", 'keys = ["OPENAI_API_KEY", "OTHER_TOKEN"]', ["OTHER_TOKEN"]),
        ('api_key_env = "OPENAI_API_KEY"', 'keys = ["OPENAI_API_KEY", "OTHER_TOKEN"]', ["OTHER_TOKEN"]),
        ('keys = ["OPENAI_API_KEY", "OTHER_TOKEN"]', "", []),
    ],
)
def test_each_member_needs_the_trust_that_one_alone_would(
    world: World, user: str, project: str, asks: list[str]
) -> None:
    world.environ = {"OPENAI_API_KEY": "sk-secret-1", "OTHER_TOKEN": "sk-secret-2"}
    for folder, lines in ((world.user, user), (world.project, project)):
        if lines:
            (folder / "umwelten.toml").write_text(f"[providers.openai]\n{lines}\n")
    if not asks:
        assert _members(world, "openai")
        return
    with pytest.raises(Untrusted) as caught:
        _members(world, "openai")
    assert all(word in caught.value.message for word in asks), caught.value.message
    world.trust()
    assert _members(world, "openai")
    (world.project / "umwelten.toml").write_text(
        f'[providers.openai]\nbase_urls = ["{OWN}", "https://gw3.example/v1"]\n'
    )
    with pytest.raises(Untrusted):
        _members(world, "openai")
