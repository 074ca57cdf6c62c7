"""`umwelten config`, and `--profile` on the real command line."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from provider import provider
from umwelten.config.options import SETTINGS
from umwelten.providers.vendors import VENDORS

KEY = "sk-do-not-show-me-0123456789"


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "umwelten.toml"
    path.write_text(text)
    return path


# --- show ------------------------------------------------------------------------------------


def test_show_tells_each_value_with_its_source(cli, tmp_path: Path) -> None:
    users = write(tmp_path / "cfg" / "umwelten", "[defaults]\nretries = 1\nseed = 2\n")
    toml = write(
        tmp_path,
        '[defaults]\nseed = 3\n[profiles.p]\ntop_p = 0.5\nprompt = "hi"\n[groups]\ng = ["local:smollm2"]',
    )
    dotenv = tmp_path / ".env"
    dotenv.write_text("UMWELTEN_MAX_TOKENS=7\n")
    dotenv.chmod(0o600)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "cfg"), "UMWELTEN_PROGRESS": "none"}
    code, out, err = cli("config", "show", "--json", "--profile", "p", env=env)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["files"] == [str(users), str(toml), str(dotenv)]
    rows = {row["name"]: (row["value"], row["source"]) for row in found["settings"]}
    assert rows["retries"] == (1, str(users))
    assert rows["seed"] == (3, str(toml))
    assert rows["max_tokens"] == (7, f"UMWELTEN_MAX_TOKENS ({dotenv})")
    assert rows["progress"] == ("none", "UMWELTEN_PROGRESS (environment)")
    assert rows["top_p"] == (0.5, f"{toml}, [profiles.p]")
    assert rows["prompt"] == ("hi", f"{toml}, [profiles.p]")
    assert rows["timeout"] == (120.0, "default")
    assert set(SETTINGS) <= set(rows)
    assert found["groups"] == [
        {"name": "g", "models": ["local:smollm2"], "expanded": ["local:smollm2"], "source": str(toml)}
    ]
    assert [row["name"] for row in found["profiles"]] == ["p"]
    assert {row["name"] for row in found["providers"]} == set(VENDORS)
    assert found["problems"] == []


def test_show_for_a_person_names_what_the_json_holds(cli, tmp_path: Path) -> None:
    toml = write(
        tmp_path,
        '[defaults]\nseed = 3\n[groups]\ng = ["local:smollm2"]\n[profiles.p]\ntop_p = 0.5\n'
        '[prices."openai:x"]\ninput = 1\noutput = 2.5\n',
    )
    code, out, err = cli("config", "show", env={"GEMINI_API_KEY": KEY, "UMWELTEN_MAX_WAIT": "1234567s"})
    assert (code, err) == (0, "")
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    for expected in (
        [str(toml)],
        ["seed", "3", str(toml)],
        ["temperature", "none", "default"],
        ["timeout", "2m", "default"],
        ["max_wait", "1234567s", "UMWELTEN_MAX_WAIT (environment)"],
        ["max_bytes_in_flight", "512 MB", "default"],
        ["tag", "none", "default"],
        ["google", "key from GEMINI_API_KEY (environment)", "https://generativelanguage.googleapis.com"],
        ["openai", "no key: OPENAI_API_KEY is not set", "https://api.openai.com/v1"],
        ["ollama", "needs no key", "http://127.0.0.1:11434"],
        ["@g", "local:smollm2", str(toml)],
        ["profile p"],
        ["openai:x", "1 in, 2.5 out", str(toml)],
    ):
        assert expected in lines


def test_no_key_is_ever_shown(cli, tmp_path: Path) -> None:
    write(
        tmp_path,
        '[defaults]\nparam = { api_key = "' + KEY + '", nested = { Authorization = "' + KEY + '" }, '
        "max_thinking_tokens = 5 }\n"
        '[providers.mine]\nwire = "openai"\nbase_url = "https://x.example/v1"\napi_key_env = "MY_KEY"\n',
    )
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nGROQ_API_KEY={KEY} broken\n")
    env = {"MY_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    for arguments in (("config", "show"), ("config", "show", "--json")):
        code, out, err = cli(*arguments, env=env)
        assert code == 2  # the key of groq is no key
        assert "GROQ_API_KEY holds a blank" in err
        assert KEY not in out + err
        assert "MY_KEY" in out
        assert "max_thinking_tokens" in out
    rows = {row["name"]: row for row in json.loads(out)["providers"]}
    assert (rows["openai"]["key_set"], rows["openai"]["key_source"]) == (True, str(tmp_path / ".env"))
    assert (rows["xai"]["key_set"], rows["xai"]["key"]) == (False, "XAI_API_KEY")
    assert (rows["mine"]["key_set"], rows["mine"]["key"]) == (True, "MY_KEY")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[groups]\ng = ["gpt-4o"]', "[groups] g: 'gpt-4o' is not a model name"),
        ('[groups]\ng = ["opnai:x"]', "'opnai' in 'opnai:x' is not a known provider"),
        ('[prices."opnai:x"]\ninput = 1\noutput = 1', "'opnai' is not known"),
        ("[providers.mine]\nwire = 'openai'", "base_url is missing"),
        ("[providers.vllm]\nbase_url = 'http://example.com/v1'", "would send keys and prompts unencrypted"),
    ],
)
def test_what_is_wrong_is_told_at_the_end_with_status_2(cli, tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)
    code, out, err = cli("config", "show")
    assert code == 2
    assert "settings" in out
    assert said in err
    code, out, err = cli("config", "show", "--json")
    assert code == 2
    assert any(said in problem for problem in json.loads(out)["problems"])


FIVE = """\
[defaults]
retry = 2
timeout = "soon"
seed = 3
[groups]
g = ["mine:x", "local:smollm2"]
circle = ["@circle"]
[providers.mine]
wire = "opnai"
[prices."openai:x"]
input = 1
outpt = 2
"""
SAID = (
    "line 2, [defaults]: 'retry' is not known\nDid you mean 'retries'?",
    "line 3, [defaults]: timeout: 'soon' is not allowed",
    "line 7, [groups]: the group @circle contains itself",
    "line 9, [providers.mine]: wire is 'opnai' and must be one of",
    "line 12, [prices.\"openai:x\"]: 'outpt' is not known",
)


def test_a_file_with_five_errors_is_told_all_of_them_at_once_and_what_is_right_is_shown(
    cli, tmp_path: Path
) -> None:
    path = write(tmp_path, FIVE)
    code, out, err = cli("config", "show")
    assert code == 2
    assert ["seed", "3", str(path)] in [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    at = [err.index(said) for said in SAID]
    assert at == sorted(at)
    assert err.count("Error: ") == len(SAID), err
    code, out, _ = cli("config", "show", "--json")
    problems = json.loads(out)["problems"]
    assert all(said in problem for said, problem in zip(SAID, problems, strict=True))
    code, out, err = cli("eval", "run", "-p", "hi", "-m", "local:smollm2", "--dry-run")
    assert (code, out) == (2, "")
    assert err.startswith("Error: the settings have 5 errors\n")
    assert all(said in err for said in SAID)


def test_a_file_that_is_no_toml_is_an_error_with_its_line_and_the_rest_is_shown(cli, tmp_path: Path) -> None:
    path = write(tmp_path, "[defaults]\nseed = = 1\n")
    (tmp_path / ".env").write_text("no value here\nUMWELTEN_SEED=4\nUMWELTEN_RETRIES=x\n")
    code, out, err = cli("config", "show")
    assert code == 2
    assert f"{path}, line 2: " in err
    assert ".env, line 1: not of the form NAME=value" in err
    assert "UMWELTEN_RETRIES" in err
    assert "UMWELTEN_SEED" in out


# --- init and path ---------------------------------------------------------------------------


def switched_on(text: str) -> str:
    """The file with every setting in it switched on."""
    return re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)


def test_init_writes_a_file_that_is_right_as_it_is_and_with_all_of_it_switched_on(
    cli, tmp_path: Path
) -> None:
    code, out, err = cli("config", "init", env={"GEMINI_API_KEY": KEY, "GROQ_API_KEY": KEY})
    path = tmp_path / "umwelten.toml"
    assert (code, out, err) == (0, f"{path}\n", "")
    text = path.read_text()
    assert "#   google: GEMINI_API_KEY\n#   groq: GROQ_API_KEY\n" in text
    assert KEY not in text
    assert tomllib.loads(text) == {"defaults": {}, "groups": {}}
    assert cli("config", "show").code == 0
    path.write_text(switched_on(text))
    code, out, err = cli("config", "show", "--json", "--profile", "nightly")
    assert (code, err) == (0, "")
    found = json.loads(out)
    sections = {"defaults", "groups", "variants", "profiles", "providers", "prices", "mcp", "tools"}
    assert set(tomllib.loads(path.read_text())) == sections
    assert found["groups"][0]["models"] == ["google:gemini-3.5-flash"]
    assert found["tools"][0]["tools"] == ["calculator", "now", "tools/rates.py"]
    values = {row["name"]: row["value"] for row in found["settings"]}
    assert (values["models"], values["directory"], values["resume"]) == ("@fast", "texts", True)


def test_init_overwrites_nothing_unless_forced_and_then_keeps_the_old(cli, tmp_path: Path) -> None:
    path = write(tmp_path, "broken [")
    code, out, err = cli("config", "init")
    assert (code, out) == (2, "")
    assert "already exists" in err
    assert path.read_text() == "broken ["
    forced = cli("config", "init", "--force")
    assert forced.code == 0
    assert "umwelten.toml.old" in forced.err
    assert cli("config", "show").code == 0
    assert (tmp_path / "umwelten.toml.old").read_text() == "broken ["


def test_init_global_writes_the_users_file_and_path_tells_both(cli, tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "cfg")}
    users = tmp_path / "cfg" / "umwelten" / "umwelten.toml"
    assert cli("config", "path", "--global", env=env).out == f"{users}\n"
    assert cli("config", "init", "--global", env=env).out == f"{users}\n"
    assert users.is_file()
    assert str(users) in cli("config", "show", env=env).out
    assert cli("config", "path", env=env).out == f"{tmp_path / 'umwelten.toml'}\n"
    write(tmp_path, "")
    (tmp_path / "sub").mkdir()
    assert cli("config", "path", cwd=tmp_path / "sub").out == f"{tmp_path / 'umwelten.toml'}\n"


def test_init_where_nothing_can_be_written_is_an_error(cli, tmp_path: Path) -> None:
    (tmp_path / "cfg").write_text("a file")
    code, _, err = cli("config", "init", "--global", env={"XDG_CONFIG_HOME": str(tmp_path / "cfg")})
    assert code == 2
    assert "cannot write" in err


# --- --profile and @groups on the command line -----------------------------------------------

PROFILES = """
[groups]
both = ["openai:one", "ollama:two"]
[profiles.nightly]
prompt = "Say hi"
models = "@both"
directory = "texts"
file_pattern = "*.txt"
id = "night"
max_concurrency = 4
[profiles.tides]
prompt = "Explain tides"
models = "openai:one"
json = true
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, PROFILES)
    for name in ("a.txt", "b.txt", "c.md"):
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / name).write_text(name)
    return tmp_path


def test_a_profile_alone_runs_a_batch(cli, project: Path) -> None:
    with provider() as server:
        code, _, err = cli("eval", "batch", "--profile", "nightly", env=server.env())
    assert code == 0, err
    assert {path.name for path in (project / "output" / "night").glob("*.txt")} == {
        "a.txt.openai_one.txt",
        "a.txt.ollama_two.txt",
        "b.txt.openai_one.txt",
        "b.txt.ollama_two.txt",
    }


def test_what_is_typed_wins_over_the_profile_and_takes_the_place_of_its_rivals(cli, project: Path) -> None:
    with provider() as server:
        code, _, err = cli(
            "eval", "batch", "--profile", "nightly", "--files", "texts/c.md", "-m", "openai:x", "-i", "mine",
            env=server.env(),
        )  # fmt: skip
    assert code == 0, err
    assert [path.name for path in (project / "output" / "mine").rglob("*.txt")] == ["c.md.txt"]


def test_a_switch_of_a_profile_is_as_good_as_typed(cli, project: Path) -> None:
    with provider() as server:
        code, out, err = cli("eval", "run", "--profile", "tides", env=server.env())
    assert code == 0, err
    assert json.loads(out)["evaluation"]["prompt"] == "Explain tides"


def test_a_group_names_models_on_the_command_line(cli, project: Path) -> None:
    with provider() as server:
        code, out, err = cli("eval", "run", "-p", "hi", "-m", "@both,openai:one", "--json", env=server.env())
    assert code == 0, err
    assert json.loads(out)["evaluation"]["models"] == ["openai:one", "ollama:two"]
    assert "openai:one is listed twice" in err
    code, _, err = cli("eval", "run", "-p", "hi", "-m", "@bth")
    assert code == 2
    assert "@bth is not a group of models\nDid you mean @both?" in err


def test_a_profile_that_does_not_suit_is_refused(cli, project: Path) -> None:
    code, out, err = cli("eval", "run", "--profile", "nightly")
    assert (code, out) == (2, "")
    assert "[profiles.nightly]: directory is not an option of eval run knows" in err
    code, _, err = cli("eval", "batch", "--profile", "nigtly")
    assert code == 2
    assert "--profile: 'nigtly' is not known\nDid you mean nightly?" in err
    assert not (project / "output").exists()
    write(project, "[profiles.p]\nseed = 1\n")
    code, _, err = cli("eval", "run", "--profile", "p", "-m", "openai:one")
    assert code == 2
    assert "Missing option '-p' / '--prompt'" in err
    assert "For example -p '" in err


def test_help_is_shown_whatever_the_profile(cli, project: Path) -> None:
    code, out, _ = cli("eval", "batch", "--profile", "nosuch", "--help")
    assert code == 0
    assert "--profile" in out
