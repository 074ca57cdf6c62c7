"""One prompt over many files: every file is asked about once, and every answer lies under its own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

ALL_WIRES = "google:g,openai:o,openai/router,anthropic:a,ollama:l,lmstudio:s"


def _texts(folder: Path, count: int) -> list[str]:
    (folder / "in").mkdir()
    for n in range(count):
        (folder / "in" / f"{n:03}.txt").write_text(f"The secret word of file {n} is word{n}end.\n")
    return [f"{n:03}.txt" for n in range(count)]


def _report(cli, id_: str) -> dict:
    code, out, err = cli("eval", "report", "-i", id_, "--format", "json")
    assert code == 0, err
    return json.loads(out)


def _batch(cli, server, models: str, *more: str, id_: str = "b", prompt: str = "What is the word?"):
    return cli(
        *("eval", "batch", "-p", prompt, "-m", models, "-i", id_, "--directory", "in"),
        *("--max-concurrency", "20", "--progress", "none", *more),
        env=server.env(),
    )


@pytest.mark.parametrize(("models", "files"), [("openai:a", 100), ("openai:a,google:b,ollama:c", 50)])
def test_each_answer_is_kept_under_its_own_file(cli, tmp_path, models, files):
    names = _texts(tmp_path, files)
    with provider(Profile(default=Behaviour(text="{model} {prompt}", latency_s=0.005))) as server:
        code, _, err = _batch(cli, server, models)
        assert code == 0, err
        ledger = server.idle()
        assert ledger.requests == len(models.split(",")) * files
    report = _report(cli, "b")
    assert report["summary"]["calls"] == report["summary"]["succeeded"] == len(models.split(",")) * files
    seen = set()
    for result in report["results"]:
        number = int(result["file"].removesuffix(".txt"))
        assert f"word{number}end" in result["response"]
        seen.add((result["file"], result["model"]))
    assert seen == {(name, model) for name in names for model in models.split(",")}
    for path in (tmp_path / "output" / "b").glob("*.txt"):
        assert f"word{int(path.name[:3])}end" in path.read_text()
    assert len(list((tmp_path / "output" / "b").glob("*.txt"))) == len(seen)


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_a_text_reaches_every_wire_with_prompt_system_and_settings(cli, tmp_path, stream):
    _texts(tmp_path, 2)
    with provider(Profile(default=Behaviour(text="{model}:{prompt}"))) as server:
        code, _, err = _batch(
            cli, server, ALL_WIRES, stream, "-s", "Be brief.", "-t", "0", "--max-tokens", "99", "--seed", "3"
        )
        assert code == 0, err
        records = server.idle().records
    assert len(records) == 12
    assert {record.wire for record in records} == {"gemini", "openai", "openrouter", "anthropic", "ollama"}
    assert all(record.stream == (stream == "--stream") for record in records)
    for result in _report(cli, "b")["results"]:
        assert f"word{int(result['file'][:3])}end" in result["response"]
        assert "What is the word?" in result["response"]
        assert result["metrics"]["input_tokens"] > 0
        assert result["metrics"]["output_tokens"] > 0
        assert (result["metrics"]["ttft_s"] is not None) == (stream == "--stream")


def test_repeats_are_calls_of_their_own(cli, tmp_path):
    _texts(tmp_path, 2)
    with provider() as server:
        assert _batch(cli, server, "openai:a", "--repeat", "3")[0] == 0
        assert server.idle().requests == 6
    names = sorted(path.name for path in (tmp_path / "output" / "b").glob("*.txt"))
    assert names == sorted(f"{n}.txt{r}.txt" for n in ("000", "001") for r in ("", ".r2", ".r3"))


def test_resume_runs_what_is_new_or_changed_and_nothing_else(cli, tmp_path):
    _texts(tmp_path, 3)
    with provider() as server:
        assert _batch(cli, server, "openai:a")[0] == 0
        (tmp_path / "in" / "001.txt").write_text("Something else altogether.")
        (tmp_path / "in" / "zzz.txt").write_text("A new file.")
        server.reset()
        code, _, err = _batch(cli, server, "openai:a,google:b", "--resume")
        assert code == 0, err
        # One changed and one new file for the old model, all four for the new one.
        assert server.idle().requests == 2 + 4
        server.reset()
        assert _batch(cli, server, "openai:a,google:b", "--resume")[0] == 0
        assert server.idle().requests == 0


def test_resume_with_another_prompt_is_refused(cli, tmp_path):
    _texts(tmp_path, 1)
    with provider() as server:
        assert _batch(cli, server, "openai:a")[0] == 0
        code, _, err = _batch(cli, server, "openai:a", "--resume", prompt="Another question?")
        assert code == 2
        assert "prompt" in err
        assert "Another question?" in err
        assert server.idle().requests == 1


def test_the_same_id_again_is_refused_and_overwrite_moves_the_old_aside(cli, tmp_path):
    _texts(tmp_path, 1)
    with provider() as server:
        assert _batch(cli, server, "openai:a")[0] == 0
        code, _, err = _batch(cli, server, "openai:a")
        assert code == 2
        assert "--resume" in err
        assert "--overwrite" in err
        assert server.idle().requests == 1
        assert _batch(cli, server, "openai:a", "--overwrite")[0] == 0
        assert server.idle().requests == 2
    assert len([p for p in (tmp_path / "output").iterdir() if (p / "evaluation.db").exists()]) == 2


def test_failed_calls_run_again_on_resume(cli, tmp_path):
    _texts(tmp_path, 4)
    from umwelten.simulate.faultserver.profile import Rule

    broken = Profile(rules=(Rule(prompt="word2end", behaviour=Behaviour(fault=400)),))
    with provider(broken) as server:
        code, _, err = _batch(cli, server, "openai:a")
        assert code == 1
        assert "umwelten eval resume b" in err
        assert not (tmp_path / "output/b/002.txt.txt").exists()
        server.use(Profile())
        server.reset()
        assert _batch(cli, server, "openai:a", "--resume")[0] == 0
        assert server.idle().requests == 1
    assert (tmp_path / "output/b/002.txt.txt").exists()


def test_an_unsupported_file_fails_alone(cli, tmp_path):
    _texts(tmp_path, 2)
    (tmp_path / "in" / "x.pdf").write_bytes(b"%PDF-1.7\nnot really\n")
    with provider() as server:
        code, _, err = _batch(cli, server, "openai:a")
        assert code == 1
        assert server.idle().requests == 2
    assert "PDF" in err
    failed = [r for r in _report(cli, "b")["results"] if r["status"] == "failed"]
    assert [(r["file"], r["error"]["kind"]) for r in failed] == [("x.pdf", "bad_request")]


def test_answers_of_a_run_are_on_stdout_and_inert(cli, tmp_path):
    hostile = "plain \x1b[31mred\x1b[0m \x07bell [bold]x[/bold]"
    with provider(Profile(default=Behaviour(text=hostile))) as server:
        code, out, err = cli("eval", "run", "-p", "hi", "-m", "openai:a,google:b", env=server.env())
        assert code == 0, err
    assert "openai:a" in out
    assert "google:b" in out
    assert out.count("plain") == 2
    assert "\x1b" not in out + err
    assert "\x07" not in out
    assert "[bold]x[/bold]" in out


def test_json_on_stdout_is_pure(cli, tmp_path):
    with provider() as server:
        code, out, _ = cli("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "j", "--json", env=server.env())
    assert code == 0
    assert json.loads(out)["evaluation"]["id"] == "j"


def test_an_id_is_made_and_printed(cli, tmp_path):
    with provider() as server:
        code, _, err = cli("eval", "run", "-p", "What is a Tide?", "-m", "openai:a", env=server.env())
    assert code == 0
    made = [path.name for path in (tmp_path / "output").iterdir()]
    assert len(made) == 1
    assert made[0].endswith("what-is-a-tide")
    assert made[0] in err


def test_dry_run_makes_no_call_and_leaves_nothing(cli, tmp_path):
    _texts(tmp_path, 3)
    with provider() as server:
        code, out, err = _batch(cli, server, "openai:gpt-4o,ollama:x", "--dry-run")
        assert code == 0, err
        assert server.idle().requests == 0
    assert "000.txt" in out
    assert "6" in out
    assert "$" in out
    assert not (tmp_path / "output").exists()


def test_attachments_reach_the_model(cli, tmp_path):
    (tmp_path / "extra.txt").write_text("The attachment says marmalade.")
    with provider(Profile(default=Behaviour(text="{prompt}"))) as server:
        code, out, err = cli(
            "eval", "run", "-p", "hi", "-m", "openai:a", "--attach", "extra.txt", env=server.env()
        )
    assert code == 0, err
    assert "marmalade" in out
