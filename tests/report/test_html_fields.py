"""Answers of a given shape, and several prompts, in an HTML report."""

from __future__ import annotations

import json

import msgspec

from report.browser import HOSTILE, data, written
from report.making import BOOK, FLASH, GEMMA, HIVES, Done, answer, book, books, spec, two_prompts, work
from umwelten.types import Schema


def test_fields_are_columns_that_sort_and_filter(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    assert page.texts("table.calls thead button") == [
        "File", "Model", *BOOK.json["properties"], "Time", "Tokens out", "Cost",
    ]  # fmt: skip
    titles = "tr.call:not(:has(.spread)) td:nth-child(3)"
    assert page.texts(titles)[0] == HIVES["title"]
    page.click('[data-sort="field-1"]')
    pages = "tr.call td:nth-child(4)"
    assert page.texts(pages)[:5] == ["3", "10", "20", "30", "212"]
    page.click('[data-sort="field-1"]')
    assert page.texts(pages)[:5] == ["212", "30", "20", "10", "3"]
    page.click('[data-sort="field-0"]')
    assert page.texts(titles)[0] == "=Rain()"
    page.choose("#by-field-4", "final")
    assert sorted(page.texts(titles)) == ["Hives, and how to keep them", "Wind"]
    page.choose("#by-field-3", "false")
    assert page.one("#found").text == "1 of 8 calls"
    for control in ("#by-field-3", "#by-field-4"):
        page.choose(control, "all")
    page.search("dadant")
    assert page.one("#found").text == "1 of 8 calls"
    page.search("retried")
    assert page.texts(titles) == ["Bees"]


def test_a_call_without_a_record_says_why_in_place_of_its_fields(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    assert len(page.all("tr.call.failed td.spread")) == 3
    assert page.texts("td.spread")[0].startswith("schema title: is missing")
    width = page.js("return document.querySelector('td.spread').colSpan")
    assert width == len(BOOK.json["properties"])


def test_a_record_opens_beside_the_answer_as_it_was_written(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.click('.opener[data-call="2"]')
    assert page.texts("tr.opened .record th")[:2] == ["title", "pages"]
    assert page.one("tr.opened .raw").text.startswith("```json\n")
    assert "extracted" in page.one("tr.opened .facts").text
    assert page.all("tr.opened .swap") == []


def test_an_answer_that_does_not_fit_is_kept_and_inert(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.click('.opener[data-call="7"]')
    assert page.one("tr.opened .raw").text == "<b>{</b>"
    assert "0 is less than 1" in page.one("tr.opened .message").text


def test_records_side_by_side_differ_only_in_what_they_say(open_page, tmp_path):
    def end(call):
        marks = ("fenced",) if call.model == 2 else ()
        pages = 7 if call.model == 2 and call.input.id == 2 else 5
        return Done(book(*marks, fence=bool(marks), title="Bees", pages=pages))

    work(tmp_path / "demo", spec(models=(GEMMA, FLASH), schema=BOOK), ["a", "b"], end)
    page = open_page(tmp_path / "demo")
    page.click("#view-compare")
    assert page.texts(".chip") == ["same answer", "answers differ"]
    assert page.texts("mark") == ["7"]


def test_the_page_says_how_the_fields_fared_without_a_script(tmp_path):
    books(tmp_path / "demo")
    before = written(tmp_path, tmp_path / "demo").read_text().partition('<script type="application/json"')[0]
    for words in (
        'href="#records"',
        "5 valid (1 extracted",
        "0 is less than 1",
        "3 to 212, mean 55",
        "$defs",
    ):
        assert words in before


def test_hostile_fields_stay_inert(open_page, tmp_path):
    names = ("__proto__", "constructor", "<img src=x onerror=window.pwned=1>", "\u202ename")
    shape = Schema(json={"properties": {name: {"type": "string"} for name in names}})

    def end(call):
        record = json.dumps(dict.fromkeys(names, HOSTILE[call.input.id - 1])) if call.input.id < 9 else "{}"
        return Done(msgspec.structs.replace(answer(record), data=record))

    files = [f"{n}" for n in range(len(HOSTILE) + 1)]
    work(tmp_path / "demo", spec(schema=shape), files, end)
    page = open_page(tmp_path / "demo")
    for n in range(len(files)):
        page.click(f'.opener[data-call="{n}"]')
    for n in range(len(names)):
        page.click(f'[data-sort="field-{n}"]')
    assert page.all("#answers script, #answers iframe, #answers svg, #answers [onerror], #answers img") == []
    assert page.texts("tr.call td:nth-child(3)")[-1] == "–"
    assert not set(page.js("return document.body.textContent")) & set("\x1b\u202e")
    assert page.js("return window.pwned") is None
    assert not set(written(tmp_path, tmp_path / "demo").read_text()) & set("\x1b\u202e")


def test_records_are_shortened_when_all_answers_are_too_many(tmp_path):
    long = "word " * 400
    end = Done(book(title=long, pages=5, tags=["x" * 900]))
    work(tmp_path / "demo", spec(schema=BOOK), [f"{n}" for n in range(20)], lambda call: end)
    whole = data(written(tmp_path, tmp_path / "demo").read_text(), "rows")
    assert whole[0][13]["title"] == long
    text = written(tmp_path, tmp_path / "demo", text_budget=20_000).read_text()
    record = data(text, "rows")[0][13]
    assert record["pages"] == 5
    assert len(json.dumps(record)) <= 1100
    assert record["title"].endswith("…")


def test_a_phone_shows_fields_without_sideways_scrolling(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.size(390, 844)
    page.click(".opener")
    assert page.js("return document.documentElement.scrollWidth") <= 390
    page.size(1280, 1000)


def test_models_with_prompts_are_told_apart(open_page, tmp_path):
    two_prompts(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.choose("#by-model", f"{FLASH} · long")
    assert page.one("#found").text == "2 of 8 calls"
    assert page.texts("tr.call td.model") == [f"{FLASH} · long"] * 2
    page.click("#view-compare")
    assert page.texts(".pair:first-child .answer h4")[1] == f"{GEMMA} · long"
