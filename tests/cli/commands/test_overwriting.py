"""A report never takes the place of what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

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
