"""What notebooks and scripts see: progress, tables, and cells that are run twice."""

from __future__ import annotations

import io
import os
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import umwelten
from provider import Provider, run_python
from umwelten.api.progress import TerminalScreen
from umwelten.tally import Tally


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """A kernel as IPython has one, and what it displays."""
    bundles: list[dict[str, str]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        bundles.append(bundle)
        return SimpleNamespace(update=lambda bundle, raw: bundles.append(bundle))

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.__dict__["get_ipython"] = lambda: SimpleNamespace(kernel=object())
    module.__dict__["display"] = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return bundles


def test_a_notebook_shows_a_bar_in_its_cell(server: Provider, shown: list[dict[str, str]]) -> None:
    umwelten.run("hello", "openai:a", id="x", repeat=3).wait()
    assert shown[0]["text/plain"] == "starting"
    assert shown[-1]["text/plain"].startswith("x: 3 of 3 calls, ")
    assert ", complete in " in shown[-1]["text/plain"]
    assert '<progress max="3" value="3"' in shown[-1]["text/html"]
    shown.clear()
    umwelten.run("hello", "openai:a", progress=False).wait()
    assert shown == []


def test_a_script_is_silent_unless_it_asks(
    server: Provider, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    umwelten.run("hello", "openai:a").wait()
    assert capsys.readouterr() == ("", "")
    umwelten.run("hello", "openai:a,openai:broken", id="p", progress=True).wait()
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1].split(", ")[:2]) == ("", ["p: 2 of 2 calls", "1 failed"])
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    umwelten.run("hello", "openai:a", progress=True).wait()
    assert terminal.getvalue().startswith("\r\x1b[K")
    assert terminal.getvalue().endswith("\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_a_line_is_narrower_than_its_terminal() -> None:
    import fcntl
    import termios

    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    with os.fdopen(master, "rb", buffering=0) as shown, os.fdopen(slave, "w", encoding="utf-8") as terminal:
        TerminalScreen(terminal).show("x" * 100, Tally(), last=False)
        assert shown.read(1_000).decode() == f"\r\x1b[K{'x' * 38}…"


def test_another_progress_is_refused(server: Provider) -> None:
    with pytest.raises(umwelten.UsageError, match="progress cannot be 'rich'"):
        umwelten.run("hello", "openai:a", progress="rich")  # type: ignore[arg-type]


def test_a_run_that_cannot_start_leaves_no_progress_behind(server: Provider, tmp_path: Path) -> None:
    code = (
        "import threading, umwelten\n"
        "try: umwelten.run('hi', 'nowhere:a', progress=True).wait()\n"
        "except umwelten.UmweltenError: print([t.name for t in threading.enumerate()])"
    )
    ran = run_python(["-c", code], cwd=tmp_path, env=server.env())
    assert (ran.out.strip(), ran.err) == ("['MainThread']", "")


def test_a_cell_that_is_run_twice_pays_once(server: Provider) -> None:
    def cell(prompt: str = "hello", **options: Any) -> umwelten.Results[Any]:
        return umwelten.run(prompt, "openai:a", id="cell", **options).wait()

    first = cell()[0].text
    assert len(server.idle().records) == 1
    assert cell()[0].text == first
    assert len(server.idle().records) == 1
    with pytest.raises(umwelten.EvaluationExists) as raised:
        cell("goodbye")
    words = str(raised.value)
    assert "the id is taken: evaluation 'cell' was started with other settings" in words
    assert "hello" in words
    assert "goodbye" in words
    assert "overwrite=True to start over" in words
    with pytest.raises(umwelten.EvaluationExists):
        cell(resume=False)
    with pytest.raises(umwelten.EvaluationChanged):
        cell("goodbye", resume=True)
    assert cell("goodbye", overwrite=True)[0].text != first


def test_tables_in_notebooks_are_inert(server: Provider) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=y>"
    results = umwelten.batch("{{content}}", "openai:a,openai:broken", inputs={hostile: hostile}).wait()
    scores = results.score(short="length:1..500 words").wait()
    compared = umwelten.compare(results.id, results)
    shown = (results, results[0], results.summary, scores, compared)
    for html in (each._repr_html_() for each in shown):
        assert "<table>" in html
        assert "<script" not in html
        assert "<img" not in html
    assert "&lt;script&gt;" in results._repr_html_()
    assert "no such thing" in results._repr_html_()


def test_an_answer_knows_its_cost_in_both_forms(server: Provider) -> None:
    answer = umwelten.run("hello", "openai:gpt-4o-mini").wait()[0]
    assert answer.cost_usd is not None
    assert answer.usage.cost_nusd == pytest.approx(answer.cost_usd * 1e9)


def test_the_text_of_the_only_answer_is_at_hand(server: Provider) -> None:
    results = umwelten.run("hello", "openai:a").wait()
    assert results.text == results[0].text
    with pytest.raises(ValueError, match="more than one answer"):
        _ = umwelten.run("hello", "openai:a", repeat=2).wait().text
    with pytest.raises(ValueError, match=r"the call failed: .*no such thing"):
        _ = umwelten.run("hello", "openai:broken").wait().text


def test_a_profile_that_says_overwrite_has_its_way(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "umwelten.toml").write_text("[profiles.anew]\noverwrite = true\n")
    for _ in range(2):
        umwelten.run("hello", "openai:a", id="x", profile="anew").wait()
    assert len(server.idle().records) == 2
