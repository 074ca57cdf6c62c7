"""A report never takes the place of what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

import umwelten
from conftest import Cli
from provider import provider

SUITE = """[suite]
models = "lmstudio:m"
[tasks.a]
rows = "t.csv"
prompt = "{{row.q}}"
expected = "labels.csv"
scorers.right = { type = "exact" }
"""


@pytest.mark.parametrize(
    ("words", "report"),
    [
        (("batch", "-m", "lmstudio:m", "-p", "{{row.q}}", "--rows", "t.csv"), "t.csv"),
        (("batch", "-m", "lmstudio:m", "-p", "@ask.md", "--rows", "t.csv"), "./ask.md"),
        (("batch", "-m", "lmstudio:m", "-p", "x", "--rows", "t.csv", "--reuse", "y"), "link.csv"),
        (("suite", "s.toml"), "t.csv"),
        (("suite", "s.toml"), "labels.csv"),
    ],
)
def test_it_is_refused_before_any_call(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], report: str
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {
        "t.csv": "q\nx\n",
        "labels.csv": "file,expected\nrow-1,x\n",
        "ask.md": "{{row.q}}",
        "s.toml": SUITE,
    }
    for name, text in texts.items():
        Path(name).write_text(text)
    Path("link.csv").symlink_to("t.csv")
    with provider() as server:
        ran = cli("eval", *words, "--report", report, env=server.env())
        assert (ran.code, server.ledger.requests) == (2, 0)
    assert f"--report {Path(report)} would replace a file that is read" in ran.err
    assert {name: Path(name).read_text() for name in texts} == texts


def test_a_report_is_written_again_where_a_run_goes_on(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("q\nx\n")
    words = ("-p", "{{row.q}}", "--rows", "t.csv", "-i", "a", "--report", "a.csv")
    with provider() as server:
        assert cli("eval", "batch", "-m", "lmstudio:m", *words, env=server.env()).code == 0
        ran = cli("eval", "resume", "a", env=server.env())
    assert (ran.code, "report: a.csv" in ran.err) == (0, True), ran.err


def test_what_a_program_gives_is_looked_at_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    schema, report = Path("s.json"), Path("r.csv")
    schema.write_text('{"type": "object", "properties": {"a": {"type": "string"}}}')
    report.write_text("from before")
    with provider() as server:
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        rows = [{"q": "1"}]
        done = umwelten.batch("hi {{row.q}}", "lmstudio:m", rows=rows, id="a", schema=schema, report=report)
        assert done.wait().status == "complete"
        asked = server.ledger.requests
        with pytest.raises(umwelten.UmweltenError, match="would replace a file that is read"):
            umwelten.batch("hi {{row.q}}", "lmstudio:m", rows=rows, attach=[report], report=report).wait()
        assert server.ledger.requests == asked
    assert report.read_text() != "from before"
