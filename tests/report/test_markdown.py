from __future__ import annotations

import io
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from report.making import FLASH, GEMMA, Done, answer, change, failure, spec, two_models, work
from umwelten.report.render.markdown import render_markdown
from umwelten.report.render.markdown_text import cell, code_block
from umwelten.store.reader import Reader
from umwelten.types import FailureKind, Parameters

NASTY = "\x1b[31mred\x1b[0m | `code` <script>x</script> [link](http://x) [red]no[/red] \u202e *b*\n# h\n```"


def report(folder: Path) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render_markdown(reader, out)
    return out.getvalue()


def row(text: str, first: str) -> list[str]:
    """The cells of the first table row that begins so, split where Markdown does."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_models_stand_side_by_side(tmp_path):
    two_models(tmp_path / "demo")
    text = report(tmp_path / "demo")
    assert row(text, "ollama:gemma3:12b") == [
        "ollama:gemma3:12b", "3", "0", "0", "100%", "2.00 s", "3.00 s", "1.00 s", "2.0",
        "30", "12", "$0", "$0",
    ]  # fmt: skip
    assert row(text, "google:gemini-2.5-flash")[1:6] == ["1", "1", "1", "50.0%", "4.00 s"]
    assert row(text, "google:gemini-2.5-flash")[-1] == "$0.00123 + 1 call of unknown price"
    assert row(text, "calls") == ["calls", "6 calls: 4 succeeded, 1 failed, 1 pending"]
    assert row(text, "status") == ["status", r"stopped, 1 failed, 1 pending: cost cap of \$0.01 reached"]


def test_failures_come_with_advice(tmp_path):
    two_models(tmp_path / "demo")
    assert row(report(tmp_path / "demo"), "bad_request") == [
        "bad_request", "1", "model not found", "check the model's name with `umwelten models list`",
    ]  # fmt: skip


def test_a_batch_shortens_the_answers_and_a_run_keeps_them_whole(tmp_path):
    long = "word " * 500 + "end"
    work(tmp_path / "batch", spec(), ["a.txt"], lambda call: Done(answer(long)))
    work(tmp_path / "run", spec("run", id="run"), None, lambda call: Done(answer(long)))
    batch, run = report(tmp_path / "batch"), report(tmp_path / "run")
    assert long not in batch
    assert len(row(batch, "a.txt")[-1]) <= 160
    assert f"```text\n{long}\n```" in run


def test_settings_show_what_was_sent(tmp_path):
    parameters = Parameters(temperature=0, extra={"top_k": 3})
    plan = spec("run", system="Be brief.", parameters=parameters, repeats=2)
    work(tmp_path / "demo", plan, None, lambda call: Done(answer()))
    text = report(tmp_path / "demo")
    assert row(text, "temperature") == ["temperature", "0"]
    assert row(text, r"top_k") == ["top_k", "3"]
    assert row(text, "repeats") == ["repeats", "2"]
    assert "```text\nBe brief.\n```" in text
    assert "### ollama:gemma3:12b (2)" in text
    assert "max_tokens" not in text


def test_a_refused_account_is_named_with_its_variable(tmp_path):
    refusal = Done(failure("API key not valid", FailureKind.UNAVAILABLE), cost=None)
    plan = spec(models=(GEMMA, FLASH))

    def end(call):
        return Done(answer()) if call.model == 1 else refusal

    work(tmp_path / "demo", plan, ["a"], end, status="stopped")
    # The engine stores such an attempt but no result: the call stays pending.
    change(tmp_path / "demo", "DELETE FROM calls WHERE model_id = 2")
    _, reason, advice = row(report(tmp_path / "demo").split("## Stopped")[1], str(FLASH))
    assert reason == "API key not valid"
    assert "GEMINI_API_KEY" in advice


def test_hostile_text_breaks_no_table_and_steers_no_terminal(tmp_path):
    work(tmp_path / "demo", spec(), ["a|b`.txt"], lambda call: Done(answer(NASTY)))
    text = report(tmp_path / "demo")
    cells = row(text, r"a\|b\`.txt")
    assert len(cells) == 6
    assert "<script>" not in text
    assert r"\[red\]no\[/red\]" in cells[-1]
    assert not set(text) & set("\x1b\u202e")


def test_a_failed_call_shows_its_message_inert(tmp_path):
    work(tmp_path / "demo", spec("run"), None, lambda call: Done(failure("no | `x` <b>"), cost=None))
    assert r"**failed** (bad_request): no \| \`x\` &lt;b&gt;" in report(tmp_path / "demo")


@given(st.text())
def test_no_text_leaves_its_cell(text):
    shown = cell(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*\|", shown)
    assert "<" not in shown
    assert "\x1b" not in shown


@given(st.text(alphabet="`ab\n ~\x1b"))
def test_no_text_closes_its_fence(text):
    lines = code_block(text).rstrip("\n").split("\n")
    fence = lines[0].removesuffix("text")
    assert lines[-1] == fence
    assert not any(line.strip().startswith(fence) for line in lines[1:-1])
