"""Options that are given twice: lists add up, and a second value of any other is an error."""

from __future__ import annotations

import json

import pytest

from provider import provider

BATCH = ("eval", "batch", "-p", "x", "-i", "a")


def models(server):
    return [record.model for record in server.idle().records]


def names(out: str) -> list[str]:
    return sorted({row["file"] for row in json.loads(out)["results"]})


def test_models_add_up(cli):
    with provider() as server:
        run = ("eval", "run", "-p", "x", "-i", "a", "-m", "openai:a1,openai:c3")
        code, _, _ = cli(*run, "--models", "openai:b2", "-m", "openai:a1", env=server.env())
        assert code == 0
        assert sorted(models(server)) == ["a1", "b2", "c3"]


def folders(tmp_path, *paths):
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["one"], ["a.txt"]),
        (["one", "one/"], ["a.txt"]),
        (["one", "two"], ["one/a.txt", "two/a.txt", "two/b.txt"]),
        (["x/in", "y/in"], ["x/in/c.txt", "y/in/c.txt"]),
    ],
)
def test_directories_add_up_under_names_that_tell_them_apart(cli, tmp_path, given, expected):
    folders(tmp_path, "one/a.txt", "two/a.txt", "two/b.txt", "x/in/c.txt", "y/in/c.txt")
    flags = [word for path in given for word in ("--directory", path)]
    with provider() as server:
        code, _, err = cli(*BATCH, "-m", "openai:a1", *flags, env=server.env())
        assert code == 0, err
        assert len(models(server)) == len(expected)
        back = [word for path in reversed(given) for word in ("--directory", path)]
        assert cli(*BATCH, "-m", "openai:a1", *back, "--resume", env=server.env())[0] == 0
        assert len(models(server)) == len(expected), "the order of the directories changes nothing"
    out = cli("eval", "report", "a", "--format", "json")[1]
    assert names(out) == expected
    assert all((tmp_path / "output/a" / f"{name}.txt").is_file() for name in expected)


def test_a_file_has_them_as_a_list_and_the_first_files_are_counted_over_all(cli, tmp_path):
    folders(tmp_path, "one/a.txt", "two/a.txt", "two/b.txt")
    (tmp_path / "umwelten.toml").write_text('[profiles.p]\ndirectory = ["one", "two"]\nmax_files = 2\n')
    with provider() as server:
        assert cli(*BATCH, "-m", "openai:a1", "--profile", "p", env=server.env())[0] == 0
        assert len(models(server)) == 2


def test_one_directory_that_is_not_there_or_is_inside_another_ends_it(cli, tmp_path):
    folders(tmp_path, "one/a.txt", "one/in/b.txt")
    env = {"OPENAI_API_KEY": "k-123456789"}
    run = (*BATCH, "-m", "openai:a1", "--directory", "one", "--directory")
    code, _, err = cli(*run, "gone", env=env)
    assert code == 2 and "no such directory: gone" in err
    code, _, err = cli(*run, "one/in", "--recursive", env=env)
    assert code == 2 and "--directory one/in is inside one" in err
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("-i", "b"), "'-i / --id'"),
        (("--temperature", "1", "--temperature", "0.5"), "--temperature'"),
        (("--timeout=3", "--timeout", "4"), "'--timeout'"),
        (("-s", "x", "--system", "y"), "--system"),
        (("--stream", "--no-stream"), "--stream/--no-stream"),
    ],
)
def test_a_second_value_is_an_error_that_shows_both(cli, tmp_path, words, named):
    code, _, err = cli("eval", "run", "-p", "x", "-i", "a", "-m", "openai:m", *words)
    assert code == 2
    assert named in err and "is given twice" in err
    assert not (tmp_path / "output").exists()


def test_the_same_value_again_is_none(cli):
    with provider() as server:
        twice = ("--seed", "3", "--seed", "3", "--resume", "--resume", "-i", "a", "--stream", "--stream")
        assert cli("eval", "run", "-p", "x", "-m", "openai:m", *twice, env=server.env())[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("eval", "report", "a", "-o", "x.md", "-o", "y.md"),
        ("eval", "list", "--output-dir", "x", "--output-dir", "y"),
        ("eval", "show", "-i", "x", "-i", "y"),
        ("models", "list", "--sort", "name", "--sort", "context"),
        ("models", "costs", "-s", "x", "-s", "y"),
        ("config", "show", "--profile", "x", "--profile", "y"),
        ("simulate", "p.toml", "--seed", "1", "--seed", "2"),
    ],
)
def test_so_it_is_with_every_command(cli, words):
    code, _, err = cli(*words)
    assert code == 2
    assert "is given twice" in err or "does not exist" in err
