"""`--texts off`: everywhere where answers are stored, and the two ways back."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider import provider, run_python
from umwelten.config.settings import load
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.evaluation.text_file_note import MANY, TextFileNote
from umwelten.events import Event, Note
from umwelten.phrases import by_name
from umwelten.simulate.faultserver.profile import Profile
from umwelten.types import ModelRef, Prompt, RequestSettings


@pytest.fixture
def server():
    with provider(Profile()) as found:
        yield found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("evaluation."))


def test_a_batch_its_judge_and_what_follows_do_without_text_files(cli, server, tmp_path: Path) -> None:
    (tmp_path / "umwelten.toml").write_text("[defaults]\ntexts = false\n")
    (tmp_path / "t.csv").write_text("user,note\nann,likes tea\nbob,likes milk\n")
    common = ("--progress", "none", "-m", "openai:a")
    rows = ("--rows", "t.csv", "-p", "About {{row.note}}")
    score = ("--scorer", "polite=judge:Is it polite?", "--judge", "openai:j", "--progress", "none")
    env = server.env()
    assert cli("eval", "batch", "-i", "x", *rows, *common, env=env)[0] == 0
    cli("eval", "score", "x", *score, env=env)
    assert (tmp_path / "output/x.polite/evaluation.db").exists()
    again = ("-p", "Shorter: {{answer}}", "--from", "x")
    assert cli("eval", "batch", "-i", "y", *again, *common, env=env)[0] == 0
    assert cli("eval", "batch", "-i", "z", "--reuse", "x", *rows, *common, env=env)[0] == 0
    learn = ("memory", "learn", "people", "--rows", "t.csv", "--scope", "{{row.user}}")
    cli(*learn, *common, "--texts", "off", env=env)
    # Evaluations, what the judge said, and what facts were read from.
    assert len([*(tmp_path / "output").rglob("evaluation.db")]) == 5
    assert [str(path) for path in (tmp_path / "output").rglob("*.txt")] == []
    code, out, _ = cli("eval", "show", "x", "1")
    assert code == 0
    assert "text file" not in out
    assert cli("eval", "search", "tea", "-i", "x")[1].count("\n") == 1
    assert cli("eval", "report", "x", "-f", "json")[0] == 0


def test_a_run_that_goes_on_with_text_files_writes_all_of_them(cli, server, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.md").write_text("text")
    words = ("-p", "Sum up", "-m", "openai:a", "--directory", "in", "--progress", "none", "--texts", "off")
    assert cli("eval", "batch", "-i", "x", *words, env=server.env())[0] == 0
    (tmp_path / "in/b.md").write_text("more")
    assert cli("eval", "resume", "x", "--progress", "none", env=server.env())[0] == 0
    assert names(tmp_path / "output/x") == []
    code, _, err = cli("eval", "export", "x", "--texts", "texts")
    assert (code, names(tmp_path / "texts")) == (0, ["a.md.txt", "b.md.txt"]), err
    resumed = ("eval", "resume", "x", "--texts", "on", "--progress", "none")
    assert cli(*resumed, env=server.env())[0] == 0
    assert names(tmp_path / "output/x") == names(tmp_path / "texts")


def test_the_folder_for_exported_texts_is_named_and_empty(cli, server, tmp_path: Path) -> None:
    for id_ in ("x", "y"):
        assert cli("eval", "run", "-p", "Hi", "-m", "openai:a", "-i", id_, env=server.env())[0] == 0
    for words in ((), ("--texts", "output/x"), ("y", "--texts", "new")):
        assert cli("eval", "export", "x", *words)[0] == 2
    assert cli("eval", "export", "x", "--texts", "new", "-o", "x.zip")[0] == 0
    assert (tmp_path / "x.zip").exists()
    assert cli("eval", "export", "x", "--texts", "new")[0] == 2
    assert cli("eval", "export", "x", "--texts", "new", "--overwrite")[0] == 0


def notes_of(settings, calls: int, *, text_files: bool = True) -> list[str]:
    said: list[Event] = []
    request = RequestSettings(prompts=(Prompt(name="", text="Hi"),))
    spec = EvaluationSpec(kind="batch", models=(ModelRef("a", "b"),), request=request, text_files=text_files)
    note = TextFileNote(spec, settings, by_name, said.append)
    for _ in range(2):
        note(calls)
    return [event.text for event in said if isinstance(event, Note)]


def test_very_many_calls_are_told_once_what_their_text_files_cost(tmp_path: Path) -> None:
    settings = load(tmp_path, {}, profile=None)
    (text,) = notes_of(settings, MANY + 1)
    assert "100,001" in text
    assert "texts='off'" in text
    assert notes_of(settings, MANY) == []
    assert notes_of(settings, MANY + 1, text_files=False) == []
    chosen = load(tmp_path, {"UMWELTEN_TEXTS": "on"}, profile=None)
    assert notes_of(chosen, MANY + 1) == []


def test_the_note_comes_with_a_dry_run_and_at_the_start(cli, server, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n\n1\n2\n3\n")
    words = ("eval", "batch", "-p", "{{row.n}}", "--rows", "t.csv", "-m", "openai:a", "-i", "x")
    plan = cli(*words, "--repeat", "50000", "--dry-run", env=server.env())
    assert plan[2].count("--texts off") == 1
    assert "--texts off" not in cli(*words, "--dry-run", env=server.env())[2]
    program = (
        "import runpy, sys; from umwelten.evaluation import text_file_note; text_file_note.MANY = 2;"
        f"sys.argv[1:] = {[*words, '--progress', 'plain']}; runpy.run_module('umwelten', run_name='__main__')"
    )
    ran = run_python(["-c", program], cwd=tmp_path, env=server.env())
    assert (ran.code, ran.err.count("--texts off")) == (0, 1), ran.err
