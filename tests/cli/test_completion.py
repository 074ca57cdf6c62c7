"""What is offered where the cursor is, asked as the shells ask."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.project import add_evaluation, environment, make_project
from forked import FORKS
from umwelten.tools.entries import BUILT_IN
from work import of_command

GUARDED = """
import sys
import time
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise SystemExit(f"completion reached for the network: {event}")
sys.addaudithook(refuse)
from umwelten.cli.app import main
main()
"""


TOOL_WORDS = [*BUILT_IN, "mcp:clock", "@office", "output/", "rates.py", "texts/"]


class Asking:
    """Asks the real command line, from a project folder, with the network refused."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = make_project(root / "project")

    def answers(self, line: str, **environ: str) -> list[tuple[str, str]]:
        """(kind, value) for a command line up to the cursor."""
        env = environment(self.root) | {"COMP_WORDS": line, "_UMWELTEN_COMPLETE": "bash_complete"} | environ
        done = FORKS.run(["-c", GUARDED], cwd=self.project, env=env)
        assert (done.code, done.err) == (0, "")
        return [tuple(row.split(",", 1)) for row in done.out.splitlines() if row]  # type: ignore[misc]

    def words(self, line: str, **environ: str) -> list[str]:
        return [value for _, value in self.answers(line, **environ)]


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


def test_a_list_of_models_offers_groups_used_models_the_embedded_one_and_providers(asking: Asking) -> None:
    answers = asking.answers("umwelten eval run -m ")
    words = [value for _, value in answers]
    assert words[0] == "@fast"
    assert {"mine:some-model", "local:smollm2", "google:", "ollama:", "mycluster:", "openai/"} <= set(words)
    assert len(words) == len(set(words))
    kinds = {value: kind for kind, value in answers}
    assert (kinds["google:"], kinds["openai/"], kinds["@fast"]) == ("open", "open", "plain")


def test_behind_a_provider_its_models_are_offered(asking: Asking) -> None:
    for start in ("google:gemini-", "openai:gpt-", "anthropic:claude-", "openai/gpt-", "groq:"):
        words = asking.words(f"umwelten eval batch --models {start}")
        assert words, start
        assert all(word.startswith(start) for word in words)


def test_the_last_name_of_a_comma_list_is_completed_and_none_offered_twice(asking: Asking) -> None:
    assert asking.words("umwelten eval run -m local:smollm2,@f") == ["local:smollm2,@fast"]
    assert asking.words("umwelten eval run --models=mine:s") == ["mine:some-model"]
    assert "local:smollm2,local:smollm2" not in asking.words("umwelten eval run -m local:smollm2,local:s")


def test_behind_the_at_of_a_model_or_group_variants_are_offered(asking: Asking) -> None:
    assert asking.words("umwelten eval run -m openai:x@") == ["openai:x@cool"]
    assert asking.words("umwelten eval run -m local:smollm2,openai/x:free@c") == [
        "local:smollm2,openai/x:free@cool"
    ]
    assert asking.words("umwelten eval run -m @fast@") == ["@fast@cool"]


def test_ids_come_from_the_output_directory_that_is_in_force(asking: Asking) -> None:
    assert asking.words("umwelten eval show ") == ["reviews-1", "tides"]
    assert asking.words("umwelten eval report --id r") == ["reviews-1"]
    assert asking.words("umwelten eval run --resume -i t") == ["tides"]
    add_evaluation(asking.project / "elsewhere" / "old", [], [])
    assert asking.words("umwelten eval report --output-dir elsewhere -i ") == ["old"]
    assert asking.words("umwelten eval show ", UMWELTEN_OUTPUT_DIR="elsewhere") == ["old"]
    assert asking.words("umwelten eval show ", UMWELTEN_OUTPUT_DIR="nowhere") == []


def test_tasks_and_baselines_come_from_the_suite_that_is_named(asking: Asking) -> None:
    (asking.project / "s.toml").write_text("[tasks.letters]\n[tasks.labels]\n[tasks.numbers]\n")
    add_evaluation(asking.project / "output" / "nightly.letters", [], [])
    add_evaluation(asking.project / "output" / "other.sums", [], [])
    assert asking.words("umwelten eval suite s.toml --only l") == ["letters", "labels"]
    assert asking.words("umwelten eval suite s.toml --baseline ") == ["nightly"]
    assert asking.words("umwelten eval suite none.toml --only ") == []


def test_a_name_that_would_be_read_as_an_option_is_not_offered_as_an_argument(asking: Asking) -> None:
    add_evaluation(asking.project / "output" / "--output=x", [], ["--failed"])
    for command in ("report", "show"):
        assert asking.words(f"umwelten eval {command} ") == ["reviews-1", "tides"]
    assert asking.words("umwelten eval show --id=--output=x ") == ["other:model"]
    assert "--output=x" in asking.words("umwelten eval batch --from ")


def test_the_calls_of_an_evaluation_are_offered_by_file_and_model(asking: Asking) -> None:
    assert asking.words("umwelten eval show reviews-1 page") == ["page-1.jpg", "page 2.jpg"]
    assert asking.words("umwelten eval show reviews-1 page-1.jpg m") == ["mine:some-model"]
    assert asking.words("umwelten eval show reviews-1 page-1.jpg p") == []  # a call has one file
    assert asking.words("umwelten eval show reviews-1 page_") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("umwelten eval batch --profile n", ["nightly"]),
        ("umwelten config show --profile ", ["nightly"]),
        ("umwelten eval run --provider-concurrency my", ["mycluster="]),
        ("umwelten eval run --rate my", ["mycluster="]),
        ("umwelten models list -p my", ["mycluster"]),
        ("umwelten eval run -p @que", ["@question.txt"]),
        ("umwelten eval run -s @te", ["@texts/"]),
        ("umwelten eval run -p Expl", []),
        ("umwelten eval report --format p", ["parquet"]),
        ("umwelten eval run --progress r", ["rich"]),
        ("umwelten eval batch --prof", ["--profile"]),
        ("umwelten con", ["config"]),
        ("umwelten completion z", ["zsh"]),
        ("umwelten eval batch --files question.txt,te", ["question.txt,texts/"]),
        ("umwelten eval batch --tools ", TOOL_WORDS),
        (
            "umwelten eval run --tools calculator,now,r",
            ["calculator,now,random_number", "calculator,now,rates.py"],
        ),
        ("umwelten eval run --tool-choice a", ["auto", "any"]),
        ("umwelten tools show mcp:", ["mcp:clock"]),
        ("umwelten memory search pe", ["people"]),
    ],
)
def test_what_is_offered(asking: Asking, line: str, words: list[str]) -> None:
    assert asking.words(line) == words


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("umwelten eval batch --directory te", "dir"),
        ("umwelten eval run --output-dir ", "dir"),
        ("umwelten eval run --attach q", "file"),
        ("umwelten eval report --output ", "file"),
        ("umwelten simulate ", "file"),
    ],
)
def test_paths_are_left_to_the_shell(asking: Asking, line: str, kind: str) -> None:
    assert [kind for kind, _ in asking.answers(line)] == [kind]


def test_a_broken_file_offers_less_and_says_nothing(asking: Asking) -> None:
    (asking.project / "umwelten.toml").write_text("[groups\n")
    words = asking.words("umwelten eval run -m ")
    assert "google:" in words
    assert "@fast" not in words
    assert asking.words("umwelten eval show ") == ["reviews-1", "tides"]
    (asking.project / "output" / "tides" / "evaluation.db").write_bytes(b"not a database")
    assert "mine:some-model" in asking.words("umwelten eval run -m ")


def test_a_list_of_names_that_is_of_another_version_is_made_anew(asking: Asking) -> None:
    first = asking.words("umwelten eval run -m google:")
    cache = asking.root / "cache" / "models.txt"
    assert cache.is_file()
    cache.write_text("# another\ngoogle:gone\n")
    assert asking.words("umwelten eval run -m google:") == first
    for useless in (b"", b"\xff\xfe", b"# half"):
        cache.write_bytes(useless)
        assert asking.words("umwelten eval run -m google:") == first


def test_a_cache_that_cannot_be_written_is_done_without(asking: Asking) -> None:
    blocked = asking.root / "a-file"
    blocked.write_text("")
    assert asking.words("umwelten eval run -m google:", UMWELTEN_CACHE_DIR=str(blocked))


HEAVY = {"aiohttp", "asyncio", "email", "genai_prices", "http", "pydantic", "rich", "ssl", "subprocess"}
"""Packages of which each takes a tenth of a second or a good part of it."""


@pytest.mark.parametrize(
    ("line", "most_calls"),
    # Half as many again as there are. A fifth of a second is promised: `benchmarks/moments.py` has the time.
    [
        ("umwelten eval run -m goo", 200_000),
        ("umwelten eval show ", 150_000),
        ("umwelten eval run --", 62_000),
    ],
)
def test_an_answer_comes_before_anything_large_is_loaded_or_read(
    asking: Asking, line: str, most_calls: int
) -> None:
    for at in range(30):
        add_evaluation(asking.project / "output" / f"more-{at}", [f"mine:{at}"], ["a"])
    asking.words("umwelten eval run -m ")  # makes the list of names
    env = environment(asking.root) | {"COMP_WORDS": line, "_UMWELTEN_COMPLETE": "bash_complete"}
    work = of_command((), cwd=asking.project, env=env)
    assert work.calls < most_calls
    assert not work.modules & HEAVY
    assert not [path for path in work.opened if path.endswith("prices.json")]
    assert len({path for path in work.opened if "evaluation.db" in path}) <= 20


@pytest.mark.skipif(os.name != "posix", reason="paths of Linux and macOS")
@pytest.mark.parametrize(
    ("shell", "path", "said"),
    [
        ("bash", "home/.local/share/bash-completion/completions/umwelten", "source"),
        ("zsh", "home/.zfunc/_umwelten", "fpath=("),
        ("fish", "home/.config/fish/completions/umwelten.fish", "new fish shells"),
    ],
)
def test_the_script_is_installed_where_the_shell_looks_and_only_once(
    cli, tmp_path: Path, shell: str, path: str, said: str
) -> None:
    env = environment(tmp_path)
    printed = cli("completion", shell, env=env)
    assert printed.code == 0
    first = cli("completion", shell, "--install", env=env)
    assert first.code == 0, first.err
    assert first.out.startswith(f"wrote {tmp_path / path}\n")
    assert said in first.out
    assert (tmp_path / path).read_text() == printed.out
    again = cli("completion", shell, "--install", env=env)
    assert again.out.startswith(f"already there: {tmp_path / path}\n")
    (tmp_path / path).write_text("# of an older version")
    assert cli("completion", shell, "--install", env=env).out.startswith("wrote ")


def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(cli, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    code, out, err = cli("completion", "fish", "--install", env=environment(tmp_path))
    assert (code, out) == (2, "")
    assert "cannot write" in err
    assert "without --install" in err


def test_a_zsh_that_knows_the_folder_is_not_told_again(cli, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".zshrc").write_text("fpath=(~/.zfunc $fpath)\n")
    out = cli("completion", "zsh", "--install", env=environment(tmp_path)).out
    assert "fpath=(" not in out
