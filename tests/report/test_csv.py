from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.making import CALL_NAMES, MODEL_NAMES, Done, answer, failure, spec, two_models, work
from umwelten.report.render.csv import harmless, render_csv
from umwelten.store.reader import Reader


def report(*folders, **options) -> str:
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    render_csv(readers, out, **options)
    for reader in readers:
        reader.close()
    return out.getvalue()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_call_is_a_row_with_its_figures_and_unknown_is_empty(tmp_path):
    two_models(tmp_path / "demo")
    text = report(tmp_path / "demo")
    assert tuple(text.splitlines()[0].split(",")) == CALL_NAMES
    found = rows(text)
    assert [row["file"] for row in found] == ["a.txt", "a.txt", "b.txt", "b.txt", "sub/c.txt"]
    flash = found[1]
    assert (flash["cost_usd"], flash["response_s"], flash["input_tokens"]) == ("0.00123", "4", "100")
    failed = found[3]
    assert (failed["status"], failed["error_kind"], failed["cost_usd"], failed["response"]) == (
        "failed", "bad_request", "", "",
    )  # fmt: skip


def test_short_has_a_row_a_model(tmp_path):
    two_models(tmp_path / "demo")
    text = report(tmp_path / "demo", short=True)
    assert tuple(text.splitlines()[0].split(",")) == MODEL_NAMES
    gemma, flash = rows(text)
    assert (gemma["success_rate"], gemma["cost_per_1k_usd"]) == ("1", "0")
    assert (flash["pending"], flash["unpriced_calls"], flash["cost_usd"]) == ("1", "1", "0.00123")


def test_lines_quotes_and_commas_stay_in_their_cell(tmp_path):
    text = 'one, "two"\nthree\r\nfour\n'
    work(tmp_path / "demo", spec(), ["a,b.txt"], lambda call: Done(answer(text)))
    (row,) = rows(report(tmp_path / "demo"))
    assert row["response"] == text.replace("\r\n", "\n")
    assert row["file"] == "a,b.txt"


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "=1", "-"],
)
def test_no_spreadsheet_computes_an_answer(text, tmp_path):
    work(
        tmp_path / "demo",
        spec(),
        ["a", "b"],
        lambda call: Done(answer(text)) if call.input.id == 1 else Done(failure(text), cost=None),
    )
    good, bad = rows(report(tmp_path / "demo"))
    assert good["response"].startswith("'")
    assert bad["error_message"].startswith("'")


@pytest.mark.parametrize("text", ["-5", "+3.25", "12", "-1e9", "7 %", "a=b", "", "'quoted"])
def test_plain_numbers_and_words_stay_as_they_are(text):
    assert harmless(text) == text


@given(st.text())
def test_no_cell_begins_a_formula_or_steers_a_terminal(text):
    cell = harmless(text)
    assert cell[:1] not in set("=@\t\r\n＝＋－＠")
    assert not cell.startswith(("+", "-")) or cell[1:2].isdigit()
    assert "\x1b" not in cell


def test_several_evaluations_share_one_header_and_a_mark_is_put_in_front_when_asked_for(tmp_path):
    for name in ("one", "two"):
        work(tmp_path / name, spec(id=name), ["a"], lambda call: Done(answer("é")))
    text = report(tmp_path / "one", tmp_path / "two", bom=True)
    assert text.startswith("\ufeffevaluation,")
    assert [line.partition(",")[0] for line in text.splitlines()[1:]] == ["one", "two"]
