"""Steps that read an earlier evaluation, gone on with after that one has changed."""

from __future__ import annotations

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

ECHO = Profile(default=Behaviour(text="{prompt}"))
PLAIN = ("--progress", "none")
FIRST = ("eval", "batch", "-p", "Read.", "--directory", "in", "-i", "one", *PLAIN)
NEXT = ("eval", "batch", "-p", "Sum up {{answer}}", "--from", "one", "-m", "openai:z", "-i", "two", *PLAIN)


def _texts(folder, n: int) -> None:
    (folder / "in").mkdir()
    for i in range(n):
        (folder / "in" / f"{i}.txt").write_text(f"text {i}")


def test_a_model_that_joins_the_first_step_costs_the_next_one_its_answers_alone(cli, tmp_path):
    _texts(tmp_path, 3)
    with provider(ECHO) as server:
        assert cli(*FIRST, "-m", "openai:a", env=server.env())[0] == 0
        assert cli(*NEXT, env=server.env())[0] == 0
        for models, asked in (("openai:a,openai:b", 3), ("openai:b,openai:a,google:c", 3)):
            assert cli(*FIRST, "-m", models, "--resume", env=server.env())[0] == 0
            server.reset()
            code, _, err = cli(*NEXT, "--resume", env=server.env())
            assert code == 0, err
            assert server.idle().requests == asked
    names = {path.name for path in (tmp_path / "output" / "two").glob("*.txt")}
    assert names == {f"{n}.txt{slug}.txt" for n in range(3) for slug in ("", ".openai_b", ".google_c")}


def test_a_prompt_that_joins_the_first_step_costs_the_next_one_its_answers_alone(cli, tmp_path):
    _texts(tmp_path, 2)
    prompts = tmp_path / "prompts.toml"
    prompts.write_text('[prompts]\nshort = "Sum up."\n')
    line = ("eval", "batch", "--prompts", "prompts.toml", "--directory", "in", "-i", "one", *PLAIN)
    with provider(ECHO) as server:
        assert cli(*line, "-m", "openai:a", env=server.env())[0] == 0
        assert cli(*NEXT, env=server.env())[0] == 0
        prompts.write_text(prompts.read_text() + 'long = "Explain."\n')
        assert cli(*line, "-m", "openai:a", "--resume", env=server.env())[0] == 0
        server.reset()
        code, _, err = cli(*NEXT, "--resume", env=server.env())
        assert code == 0, err
        assert server.idle().requests == 2


@pytest.mark.parametrize("mode", [(), ("--overwrite",), ("--resume",)])
@pytest.mark.parametrize("source", ["one", "./one/", "link"])
def test_a_step_that_would_read_itself_is_refused_and_its_answers_stay(cli, tmp_path, mode, source):
    _texts(tmp_path, 1)
    line = ("eval", "batch", "-p", "x {{answer}}", "--from", source, "-m", "openai:a", "-i", "one", *PLAIN)
    with provider(ECHO) as server:
        assert cli(*FIRST, "-m", "openai:a", env=server.env())[0] == 0
        (tmp_path / "output" / "link").symlink_to(tmp_path / "output" / "one")
        server.reset()
        code, _, err = cli(*line, *mode, env=server.env())
        assert code == 2
        assert server.idle().requests == 0
    assert f"--from {source} and --id one are the same evaluation" in err
    assert "its own --id" in err
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == ["link", "one"]
    assert (tmp_path / "output" / "one" / "0.txt.txt").is_file()
