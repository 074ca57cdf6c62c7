"""Reading answers in an HTML report: order, links, keys, columns, copies, files, repeats, and paper."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec

from report.browser import Page, data, written
from report.making import FLASH, GEMMA, Done, answer, books, change, failure, spec, two_models, work
from report.test_html import several_models
from umwelten.identity import content_hash
from umwelten.report.render import embedded_details, embedded_sent
from umwelten.report.render.csv import render_csv
from umwelten.store.contents import KeptInput, KeptQuestion, encode_question, text_bytes
from umwelten.store.reader import Reader
from umwelten.store.tables import call_id
from umwelten.types import FailureKind

PRESS = "[...document.querySelectorAll('.bar-of button')].find((b) => b.textContent === arguments[0]).click()"
LAST = """return [...document.querySelectorAll(arguments[0])].filter((p) =>
p.textContent.startsWith("Paragraph 59") && p.getBoundingClientRect().height > 5).length"""
CATCH = """window.saved = [];
URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved.push(text)); return "#"; };
HTMLAnchorElement.prototype.click = function () { window.named = this.download; };"""


def hash_of(page: Page) -> str:
    return page.js("return location.hash")


def shown(page: Page) -> list[str]:
    """The names of the calls that are open."""
    return page.texts("tr.call:has(+ tr.opened) .opener")


def test_answers_come_after_the_models_and_the_navigation_stays(open_page, tmp_path):
    several_models(tmp_path / "demo", 40)
    page = open_page(tmp_path / "demo")
    sections = page.js("return [...document.querySelectorAll('main > section')].map((one) => one.id)")
    assert sections[:4] == ["glance", "choice", "models", "answers"]
    page.js("document.querySelector('#time').scrollIntoView()")
    assert page.js("return document.querySelector('div.top').getBoundingClientRect().top") == 0
    page.until(lambda: page.texts("nav [aria-current]") == ["Time"])


def test_the_table_of_models_sorts_with_unknown_figures_last(open_page, tmp_path):
    two_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    names = "[data-sortable] tbody th"
    assert page.texts(names) == [str(GEMMA), str(FLASH)]
    page.click("[data-sortable] thead th:nth-child(6) button")  # p50
    assert page.texts(names) == [str(GEMMA), str(FLASH)]
    page.click("[data-sortable] thead th:nth-child(6) button")
    assert page.texts(names) == [str(FLASH), str(GEMMA)]
    assert page.one("[data-sortable] [aria-sort=descending]").text.startswith("p50")


def test_an_address_opens_the_view_and_the_call_that_it_names(open_page, driver, tmp_path):
    several_models(tmp_path / "demo", 60)
    page = open_page(tmp_path / "demo")
    page.choose("#by-model", str(FLASH))
    page.search("number")
    page.click('[data-sort="time"]')
    page.click("#columns summary")
    page.click('#columns input[value="in"]')
    page.click(".opener")
    found, count = hash_of(page), page.one("#found").text
    assert found.startswith("#answers?") and "&call=1%7Egoogle" in found
    first = shown(page)
    driver.get("about:blank")
    driver.get(page.url + found)
    page.until(lambda: page.js("return document.documentElement.dataset.ready") == "yes")
    assert (shown(page), page.one("#found").text) == (first, count)
    assert page.one("#by-model").get_attribute("value") == str(FLASH)
    assert page.texts("table.calls thead button")[-3:] == ["Tokens in", "Tokens out", "Cost"]
    driver.get(page.url + "#answers?call=1~ollama%3Agemma3%3A12b~file-60.txt")
    page.until(lambda: shown(page) == ["file-60.txt"])
    assert page.one("#pages span").text == "Page 3 of 3"
    driver.get(page.url + "#answers?view=compare&model=nobody&sort=none&columns=x&models=9&call=x&q=%2F(%2F")
    page.until(lambda: page.js("return !document.querySelector('#compare').hidden"))
    assert page.one("#found").text.startswith("0 files, 0 of 120 calls. Invalid regular expression")
    driver.get(page.url)


def test_keys_go_from_call_to_call_over_pages(open_page, tmp_path):
    several_models(tmp_path / "demo", 30)
    page = open_page(tmp_path / "demo")
    page.one("body").send_keys("j")
    assert shown(page) == ["file-1.txt"]
    page.js("return document.activeElement").send_keys("j", "j")
    assert shown(page) == ["file-2.txt"]
    page.js("return document.activeElement").send_keys("\ue014", "k", "k")  # the right arrow
    assert shown(page) == ["file-1.txt"]
    page.js("return document.activeElement").send_keys("\ue015", "\ue007")  # down, Enter
    assert shown(page) == ["file-1.txt", "file-2.txt"]
    page.js("[...document.querySelectorAll('tr.call .opener')].at(-2).click()")
    page.js("return document.activeElement").send_keys("j")
    assert page.one("#pages span").text == "Page 1 of 2"
    page.js("return document.activeElement").send_keys("j")
    assert page.one("#pages span").text == "Page 2 of 2"
    page.search("/number 1[13579]\\./")
    assert page.texts("tr.call .opener") == [
        f"file-{n}.txt" for n in (11, 11, 13, 13, 15, 15, 17, 17, 19, 19)
    ]


def test_files_hold_what_the_filters_leave_as_the_csv_report_does(open_page, tmp_path):
    books(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.js(CATCH)
    page.choose("#by-status", "succeeded")
    page.click("#export summary")
    for button in page.all("#export button"):
        button.click()
    page.until(lambda: page.js("return window.saved.length") == 2)
    table, objects = page.js("return window.saved")
    out = io.StringIO()
    with Reader.open(tmp_path / "demo") as reader:
        render_csv([reader], out)
    wanted = [row for row in csv.DictReader(io.StringIO(out.getvalue())) if row["status"] == "succeeded"]
    got = [
        {name: value for name, value in row.items() if name in wanted[0]}
        for row in csv.DictReader(io.StringIO(table.removeprefix("\ufeff")))
    ]
    assert [row | {"provider": ""} for row in got] == [row | {"provider": ""} for row in wanted]
    assert [row["data"]["title"] for row in json.loads(objects)] == [
        row["title"].lstrip("'") for row in wanted
    ]
    assert page.js("return window.named") == "books-answers.json"


def test_an_opened_call_tells_what_was_asked_its_attempts_and_reasoning(open_page, tmp_path):
    slow = failure("<b>slow down</b>", FailureKind.RATE_LIMIT)
    thought = msgspec.structs.replace(answer("Yes."), reasoning="Hm. " * 30)
    end = [Done(thought, before=[slow]), Done(failure("no such model"))]
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: end[call.input.id - 1])
    page = open_page(tmp_path / "demo")
    page.click(".opener")
    titles = ["Reasoning (120 characters)", "Prompt (15 characters)", "2 attempts"]
    assert page.texts(".detail summary") == titles
    assert page.texts(".attempts tbody tr:first-child td")[0::2] == [
        "rate limit (HTTP 404)",
        "<b>slow down</b>",
    ]
    assert page.texts("details .raw")[:2] == ["Hm. " * 29 + "Hm.", "Say what it is."]
    page.js("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    for title, text in (("answer", "Yes."), ("prompt", "Say what it is."), ("link", "~ollama:gemma3:12b~a")):
        page.js(PRESS, f"Copy {title}")
        assert page.js("return decodeURIComponent(window.copied)").endswith(text)


def test_what_a_page_holds_of_reasoning_and_attempts_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_details, "REASONING_BUDGET", 1000)
    monkeypatch.setattr(embedded_details, "MOST_ATTEMPTS", 3)
    thought = msgspec.structs.replace(answer(), reasoning="x" * 900)
    slow = failure("slow down", FailureKind.RATE_LIMIT)
    for name in ("one", "two"):
        work(tmp_path / name, spec(id=name), ["a", "b"], lambda call: Done(thought, before=[slow]))
    text = written(tmp_path, tmp_path / "one", tmp_path / "two").read_text()
    kept = data(text, "details")
    assert [len(found) for found in kept["reasoning"].values()] == [250] * 4
    assert {n: len(found) for n, found in kept["attempts"].items()} == {"0": 2, "1": 1}
    notes = ["Reasoning is shortened to 250 characters here", "5 attempts are left out here"]
    assert data(text, "meta")["notes"] == notes


def varied(folder: Path) -> None:
    """Three repeats of two models over three files: the first always says the same, the second sometimes."""

    def end(call):
        other = call.model == 2 and call.repeat == 3 and call.input.id < 3
        return Done(answer(f"It is a **{'dog' if other else 'cat'}**, and it sleeps on the sofa all day."))

    work(folder, spec(models=(GEMMA, FLASH), repeats=3), ["a.txt", "b.txt", "c.txt"], end)


def test_repeats_stand_together_and_models_can_be_chosen(open_page, tmp_path):
    varied(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.click("#view-compare")
    assert page.texts(".consistency dd") == [
        "3 of 3 inputs (100%) all models, first answers",
        f"3 of 3 inputs (100%) repeats of {GEMMA}",
        f"1 of 3 inputs (33.3%) repeats of {FLASH}",
    ]
    assert page.texts(".pair h3 > span:first-child") == ["a.txt", "b.txt", "c.txt"]
    assert page.texts(".pair:first-child h4 small") == ["3 of 3 the same", "2 of 3 the same"]
    assert page.texts(".pair:first-child .prose strong mark") == ["dog"]
    assert page.js("return document.documentElement.scrollWidth <= innerWidth")
    page.click("#compared summary")
    page.click('#compared input[value="0"]')
    assert page.one("#found").text == "3 files, 1 of 2 models, 18 calls"
    assert page.texts(".pair:first-child .answer h4 small") == ["2 of 3 the same"]
    page.click("#differing")
    assert page.texts(".pair h3 > span:first-child") == ["a.txt", "b.txt"]


def test_repeats_that_failed_are_no_answers_that_differ(open_page, tmp_path):
    def end(call):
        return Done(failure() if call.model == 1 or call.repeat == 3 else answer(f"Answer {call.repeat}"))

    work(tmp_path / "demo", spec(models=(GEMMA, FLASH), repeats=3), ["a.txt"], end)
    page = open_page(tmp_path / "demo")
    page.click("#view-compare")
    assert page.texts(".pair h4 small") == ["2 answers, all different"]


def test_paper_has_whole_answers(open_page, tmp_path):
    long = "\n\n".join(f"Paragraph {n} of this answer is here." for n in range(60))
    work(tmp_path / "demo", spec(models=(GEMMA, FLASH)), ["a", "b"], lambda call: Done(answer(long)))
    page = open_page(tmp_path / "demo")
    page.media(kind="print")
    page.js("dispatchEvent(new Event('beforeprint'))")
    assert page.js(LAST, "tr.opened .prose p") == 4
    assert page.all("tr.opened button") == []
    page.js("dispatchEvent(new Event('afterprint'))")
    assert page.all("tr.opened") == []
    page.media()
    page.click("#view-compare")
    page.js("dispatchEvent(new Event('beforeprint'))")
    assert page.js(LAST, ".pair .prose p") == 4
    page.js("dispatchEvent(new Event('afterprint'))")


def keep(folder: Path, call: int, *pieces: str, **about: object) -> None:
    """Store what a call asked."""
    texts = {content_hash(text_bytes(text)).hex(): text_bytes(text) for text in pieces}
    question = encode_question(
        KeptQuestion(parts=(tuple((name,) for name in texts),), input=KeptInput(**about))
    )
    for data_ in (*texts.values(), question):
        values = (content_hash(data_), len(data_), data_)
        change(folder, "INSERT OR IGNORE INTO contents (hash, size, data) VALUES (?, ?, ?)", values)
    found = "UPDATE calls SET sent = (SELECT id FROM contents WHERE hash = ?) WHERE id = ?"
    change(folder, found, (content_hash(question), call))


def test_an_opened_call_has_the_prompt_as_sent_its_input_and_its_row(open_page, tmp_path):
    folder, letter = tmp_path / "demo", "Dear keeper, " + "the bees are well. " * 20
    files = ["a", "b", "constructor"]
    work(folder, spec(models=(GEMMA, FLASH)), files, lambda call: Done(answer()))
    piece = (content_hash(text_bytes(letter)).hex(),)
    row = msgspec.Raw(b'{"id":7,"who":"Ada </script>","tags":["x"]}')
    for model in (1, 2):
        keep(folder, call_id(1, model, 1), "Summarise: ", letter, text=piece)
        keep(folder, call_id(2, model, 1), "Who is Ada?", row=row)
    page = open_page(folder)
    page.click(".opener")
    assert page.texts(".detail summary") == ["Prompt as sent (404 characters)", "Input (393 characters)"]
    assert page.texts("details .raw") == [f"Summarise: {letter}".strip(), letter.strip()]
    assert page.texts("table.calls thead button")[:4] == ["File", "Model", "id", "who"]
    assert page.texts("tr.call:last-child td:nth-child(4)") == ["–"]
    page.search("ada")
    assert page.texts("tr.call td:nth-child(4)") == ["Ada </script>"] * 2
    page.click(".opener")
    assert page.texts(".detail .record td") == ["7", "Ada </script>", '["x"]']
    held = data(written(tmp_path, folder).read_text(), "details")
    assert held["texts"] == ["Summarise: ", letter, "Who is Ada?"], "each once"


def test_prompts_and_rows_beyond_a_budget_are_shortened_or_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_sent, "BUDGET", 1000)
    monkeypatch.setattr(embedded_sent, "MOST_CALLS", 3)
    folder = tmp_path / "demo"
    work(folder, spec(), [f"{n}" for n in range(4)], lambda call: Done(answer()))
    for n in range(1, 5):
        row = msgspec.Raw(b'{"n":"%s"}' % (b"x" * 400 if n < 3 else b"y" * 700))
        keep(folder, call_id(n, 1, 1), f"{n} " + "word " * 200, row=row)
    text = written(tmp_path, folder).read_text()
    assert [len(one) for one in data(text, "details")["texts"]] == [250] * 3
    found = data(text, "meta")
    assert found["notes"] == [
        "Prompts and inputs are shortened to 250 characters here", "What 1 call asked is left out here",
        "The columns of 1 row are left out here",
    ]  # fmt: skip
    assert (len(found["rows"]), found["row_of"]) == (1, {"0": 0, "1": 0})
