"""Input that can't be used: exit status 2, a message that a newcomer understands, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider import environment

ENV = environment(9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpeg").write_bytes(b"\xff\xd8\xff\xe0rest")
    (tmp_path / "in" / "b.md").write_text("text")
    return tmp_path


def _refused(cli, folder: Path, *arguments: str, env: dict[str, str] = ENV) -> str:
    code, out, err = cli("eval", *arguments, env=env)
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    assert not (folder / "output").exists()
    return err


RUN = ("run", "-p", "hi", "-m", "openai:a")
BATCH = ("batch", "-p", "hi", "-m", "openai:a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*BATCH, "--directory", "nowhere"), ["nowhere"]),
        ((*BATCH, "--directory", "inn"), ["inn", "Did you mean in?"]),
        ((*BATCH, "--directory", "in", "--file-pattern", "*.jpg"), ["*.jpg", "a.jpeg"]),
        ((*BATCH,), ["--directory", "--files"]),
        ((*BATCH, "--directory", "in/run--final"), ["no such directory: in/run--final"]),
        (
            (*BATCH, "--directory", "in", "--file-pattern", "*--draft.txt"),
            ["matches '*--draft.txt': it contains"],
        ),
        ((*BATCH, "--directory", "in", "--where", "a"), ["--where goes with --from, not with --directory"]),
        ((*BATCH, "--directory", "in/b.md"), ["not a directory: in/b.md", "Use --files for single files."]),
        ((*BATCH, "--files", "in/none.txt"), ["in/none.txt", "in contains a.jpeg, b.md"]),
        ((*BATCH, "--files", "in/a.jpeg", "in/b.md"), ["extra argument", "in quotes: --files 'in/*.md'"]),
        ((*BATCH, "--files=in/a.jpeg", "in/b.md"), ["in quotes: --files 'in/*.md'"]),
        (("run", "hello there", "-m", "openai:a"), ["The prompt goes with -p: -p 'hello there'"]),
        ((*RUN, "--directory", "in"), ["umwelten eval batch takes --directory."]),
        ((*RUN, "--config", "a.json"), ["umwelten.toml", "--profile NAME"]),
        (("batch",), ["'-m' / '--models' and '-p' / '--prompt'", "as well: --directory, --files, --rows"]),
        (("combine", "a", "b"), ["umwelten eval report ID ID -o FILE.html"]),
        (("list", "--id", "a"), ["umwelten eval list 'scans-*'"]),
        ((*RUN, "--report", "a.html,b.csv"), ["--report: 'a.html,b.csv'", "each file by itself"]),
        (("run", "--prompts", "im/b.md", "-m", "openai:a"), ["does not exist"]),
        (("run", "--prompts", "in/b.mb", "-m", "openai:a"), ["does not exist. Did you mean in/b.md?"]),
        ((*BATCH, "--from", "x", "--where", "length > abc"), ["length is a number"]),
        ((*BATCH, "--directory", "in", "--files", "in/b.md"), ["--directory", "--files"]),
        (("run", "-p", "", "-m", "openai:a"), ["prompt", "empty"]),
        (("run", "-p", "  \n", "-m", "openai:a"), ["prompt", "empty"]),
        (("run", "-p", "@gone.txt", "-m", "openai:a"), ["gone.txt"]),
        (("run", "-p", "hi"), ["--models", "-m local:smollm2", "umwelten.toml"]),
        (("batch", "-p", "{{answer}}", "-m", "openai:a", "--directory", "in"), ["no answers", "--from"]),
        (("run", "-p", "hi", "there", "-m", "openai:a"), ["Put the prompt in quotes: -p 'hi there'"]),
        (("run", "-m", "h", "hello"), ["-p hello"]),
        (("run", "-p", "hi", "-m", " , "), ["model"]),
        (("run", "-p", "hi", "-m", "opnai:gpt-4o"), ["opnai", "openai"]),
        ((*RUN, "-i", ".hidden"), [".hidden", "letters"]),
        ((*RUN, "-i", "a/b"), ["a/b"]),
        ((*RUN, "-i", ""), ["id"]),
        ((*RUN, "--max-concurrency", "0"), ["0", "1", "10000", "auto"]),
        ((*RUN, "--max-concurrency", "many"), ["many", "auto"]),
        ((*RUN, "--provider-concurrency", "gogle=3"), ["gogle", "google"]),
        ((*RUN, "--provider-concurrency", "google"), ["google=20"]),
        ((*RUN, "--rate", "gogle=3/s"), ["gogle", "google"]),
        ((*RUN, "--rate", "google=3"), ["google=3", "500/min"]),
        ((*RUN, "--rate", "openrouter:a/b=3/s"), ["openrouter:a/b", "one limit", "key+model"]),
        ((*RUN, "--timeout", "soon"), ["soon", "45s"]),
        ((*RUN, "--timeout", "0"), ["0"]),
        ((*RUN, "--temperature", "9"), ["9"]),
        ((*RUN, "--param", "novalue"), ["novalue"]),
        ((*RUN, "--progress", "loud"), ["loud", "plain"]),
        ((*RUN, "--repeat", "0"), ["0"]),
        ((*RUN, "--max-cost", "0"), ["0"]),
        ((*RUN, "--max-bytes-in-flight", "lots"), ["lots", "512MB"]),
        ((*RUN, "--attach", "gone.png"), ["gone.png"]),
        ((*RUN, "--ui"), ["--ui"]),
        ((*RUN, "--resume", "--overwrite"), ["--resume", "--overwrite"]),
        ((*RUN, "--frobnicate"), ["--frobnicate"]),
        (("report", "-i", "none"), ["none"]),
        (("report", "-i", "x", "--format", "word"), ["word", "markdown"]),
    ],
    ids=lambda v: " ".join(v)[-40:] if isinstance(v, tuple) else "",
)
def test_bad_input_is_named_and_explained(cli, folder, arguments, words):
    err = _refused(cli, folder, *arguments)
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai:a", "OPENAI_API_KEY"),
        ("google:a", "GOOGLE_GENERATIVE_AI_API_KEY"),
        ("anthropic:a", "ANTHROPIC_API_KEY"),
        ("a/b", "OPENROUTER_API_KEY"),
        ("groq:a", "GROQ_API_KEY"),
    ],
)
def test_a_missing_key_names_its_variable(cli, folder, model, variable):
    assert variable in _refused(cli, folder, "run", "-p", "hi", "-m", model, env={})


def test_a_broken_dotenv_names_file_and_line_and_not_the_value(cli, folder):
    (folder / ".env").write_text("OPENAI_API_KEY='sk-very-secret\nX=1\n")
    err = _refused(cli, folder, *RUN)
    assert ".env" in err
    assert "line 1" in err
    assert "sk-very-secret" not in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[defaults\n", ["umwelten.toml", "line 1"]),
        ("[defaults]\nmax_concurency = 3\n", ["max_concurency", "max_concurrency"]),
        ("[defaults]\nmax_concurrency = 0\n", ["max_concurrency", "0"]),
        ("[providers.mine]\nwire = 'opnai'\nbase_url = 'http://127.0.0.1:1/v1'\n", ["opnai", "openai"]),
    ],
)
def test_a_broken_umwelten_toml_is_explained(cli, folder, text, words):
    (folder / "umwelten.toml").write_text(text)
    err = _refused(cli, folder, *RUN)
    for word in words:
        assert word in err


def test_a_key_never_travels_unencrypted_to_the_open_net(cli, folder):
    err = _refused(cli, folder, *RUN, env={**ENV, "OPENAI_BASE_URL": "http://api.example.com/v1"})
    assert "https" in err
    assert "allow_insecure" in err
    assert ENV["OPENAI_API_KEY"] not in err


def test_a_key_never_travels_unencrypted_through_a_proxy_on_the_open_net(cli, folder):
    env = {**ENV, "OPENAI_BASE_URL": "http://10.0.0.1/v1", "HTTP_PROXY": "http://me:hunter2@8.8.8.8:3128"}
    err = _refused(cli, folder, *RUN, env=env)
    assert "HTTP_PROXY" in err and "allow_insecure" in err and "NO_PROXY=10.0.0.1" in err
    assert ENV["OPENAI_API_KEY"] not in err and "hunter2" not in err


@pytest.mark.parametrize("name", ["../../../v1beta/files?x=", "a/../b", "%2e%2e/x", "..\\x", "a\x07b"])
def test_a_models_name_that_leads_out_of_the_models_is_refused(cli, folder, name):
    run = [f"google:{name}" if "openai" in word else word for word in RUN]
    assert run != list(RUN)
    assert "not the name of a model" in _refused(cli, folder, *run)


def test_a_misspelt_flag_of_run_is_not_taken_for_one_of_batch(cli, folder):
    assert "batch" not in _refused(cli, folder, *RUN, "--dry-rum")
    # Where batch takes it as well, it is no news that batch does.
    assert "eval batch takes" not in _refused(cli, folder, *BATCH, "--frobnicate")


def test_errors_of_usage_look_as_all_others_do(cli):
    """What is wrong, then what to do, and no block of usage before it."""
    for words, message, hint in (
        (
            ("eval", "show", "--fail"),
            "No such option '--fail'.",
            "`umwelten eval show --help` has the options.",
        ),
        (("eval", "run", "-p", "hi", "--retries"), "Option '--retries' requires an argument.", ""),
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, "")
        assert err.startswith(f"Error: {message}")
        assert hint in err
