"""HTML reports in a real browser, and what they promise without one."""

from __future__ import annotations

import re
from pathlib import Path

from report.browser import HOSTILE, Page, data, written
from report.making import FLASH, GEMMA, NOON, Done, answer, change, failure, spec, two_models, work
from store.making import downgrade
from umwelten.store.tables import MIGRATIONS
from umwelten.text import formatting
from umwelten.types import FailureKind, ModelRef


def several_models(folder: Path, files: int = 4) -> None:
    """Two models over files of different times, costs and answers; every fourth of Flash fails."""

    def end(call):
        n, flash = call.input.id, call.model == 2
        if flash and n % 4 == 0:
            kind = FailureKind.SERVER if n % 8 else FailureKind.BAD_REQUEST
            return Done(failure(f"broken {n}", kind), took=0.1, cost=None)
        words = f"The **{'quick' if flash else 'lazy'}** fox number {n}." if n % 2 else f"Same {n}"
        return Done(
            answer(words, (n, n * 7)),
            at=n,
            took=(n * 37 % 101) / 7 + 0.01,
            cost=min(n, 9) ** 5 * (1000 if flash else 0),
        )

    names = [f"file-{n + 1}.txt" for n in range(files)]
    work(folder, spec(models=(GEMMA, FLASH)), names, end, wall_s=60, status="failed")


# --- without a browser ---


def test_the_page_holds_all_figures_without_a_script(tmp_path):
    two_models(tmp_path / "demo")
    text = written(tmp_path, tmp_path / "demo").read_text()
    before = text.partition('<script type="application/json"')[0]
    for figure in (
        "80.0%",
        "$0.00123",
        "2.00 s",
        "bad_request",
        "check the model&#x27;s name",
        "Say what it is.",
    ):
        assert figure in before


def test_nothing_in_the_page_has_an_address_elsewhere(tmp_path):
    two_models(tmp_path / "demo")
    text = written(tmp_path, tmp_path / "demo").read_text()
    page = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    assert not re.search(r'(src|href|action|url)\s*[=(]\s*["\']?(?!["\']|#|data:,)', page)
    assert "connect-src" not in page
    assert "default-src 'none'" in page


def test_no_answer_can_end_the_data(tmp_path):
    work(
        tmp_path / "demo",
        spec(),
        [f"{n}</script>" for n in range(8)],
        lambda c: Done(answer(HOSTILE[c.input.id - 1])),
    )
    text = written(tmp_path, tmp_path / "demo").read_text()
    rows = data(text, "rows")
    assert [row[10] for row in rows][:2] == list(HOSTILE[:2])
    # JSON, licences and the one script: each element ends where it was meant to.
    assert text.count("</script>") == 5
    assert not set(text) & set("\x1b\u202e")


def test_answers_are_cut_only_when_all_of_them_are_too_many(tmp_path):
    long = "word " * 400
    work(tmp_path / "demo", spec(), [f"{n}" for n in range(20)], lambda call: Done(answer(long)))
    whole = written(tmp_path, tmp_path / "demo").read_text()
    assert (data(whole, "meta")["cut"], data(whole, "rows")[0][10]) == (None, long)
    cut = written(tmp_path, tmp_path / "demo", text_budget=10_000).read_text()
    assert data(cut, "meta")["cut"] == 500
    assert (data(cut, "rows")[0][10], data(cut, "rows")[0][12]) == (long[:500], len(long))


def test_a_short_page_has_no_calls(tmp_path):
    two_models(tmp_path / "demo")
    text = written(tmp_path, tmp_path / "demo", short=True).read_text()
    assert data(text, "rows") == []
    assert 'id="calls"' not in text and "answer 1" not in text


def test_databases_of_every_version_make_a_page_with_their_answers(tmp_path):
    for version in range(len(MIGRATIONS) - 1, 0, -1):
        folder = tmp_path / f"{version}"
        two_models(folder)
        downgrade(folder, version)
        text = written(tmp_path, folder).read_text()
        assert [row[10] for row in data(text, "rows")][:2] == ["answer 1", "flash"]
        assert list(data(text, "details")["attempts"].values()) == [
            [[1, "bad_request", 2, 404, "model not found"]]
        ]


# --- in a browser ---


def test_hostile_answers_stay_inert_and_nothing_is_asked_for(open_page, tmp_path):
    def end(call):
        text = HOSTILE[call.input.id - 1]
        return Done(answer(text)) if call.model == 1 else Done(failure(text), cost=None)

    names = [f"<img src=x onerror=window.pwned=7>{n}" for n in range(len(HOSTILE))]
    plan = spec(models=(GEMMA, FLASH), system="</pre><script>window.pwned=8</script>")
    work(tmp_path / "demo", plan, names, end)
    page = open_page(tmp_path / "demo")
    for n in range(len(HOSTILE) * 2):
        page.click(f'.opener[data-call="{n}"]')
    assert len(page.all("tr.opened")) == len(HOSTILE) * 2
    assert page.all("#answers :is(a, script, iframe, svg, form, style, [onerror])") == []
    page.click("#view-compare")
    assert page.js("return window.pwned") is None
    asked = page.js("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in asked if not name.startswith("data:")] == []


def test_the_policy_stops_a_script_and_a_picture_that_get_in(driver, tmp_path):
    two_models(tmp_path / "demo")
    page = Page(driver, written(tmp_path, tmp_path / "demo"))
    page.js(
        """const script = document.createElement('script');
        script.textContent = 'window.pwned = 1';
        document.body.append(script);"""
    )
    page.js("const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i)")
    page.until(lambda: len(page.js("return window.violations")) == 2)
    assert page.js("return window.pwned") is None
    page.complaints()


def test_a_heading_sorts_up_down_and_not_with_unknown_values_last(open_page, tmp_path):
    several_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    given = page.texts('tr.call td[data-label="Cost"]')
    page.click('[data-sort="cost"]')
    assert page.one('th[aria-sort="ascending"]').text.startswith("Cost")
    up = page.texts('tr.call td[data-label="Cost"]')
    assert up == ["$0", "$0", "$0", "$0", "$0.000001", "$0.000032", "$0.000243", "–"]
    page.click('[data-sort="cost"]')
    assert page.texts('tr.call td[data-label="Cost"]') == [*reversed(up[:-1]), "–"]
    page.click('[data-sort="cost"]')
    assert page.texts('tr.call td[data-label="Cost"]') == given
    page.click('[data-sort="file"]')
    assert page.texts("tr.call .opener")[0] == "file-1.txt"


def test_search_and_filters_narrow_the_calls_together(open_page, tmp_path):
    several_models(tmp_path / "demo", 16)
    page = open_page(tmp_path / "demo")
    assert page.one("#found").text == "32 calls"
    page.search("LAZY fox")
    assert page.one("#found").text == "8 of 32 calls"
    page.search("")
    page.choose("#by-status", "failed")
    assert page.one("#found").text == "4 of 32 calls"
    page.choose("#by-kind", "server")
    assert page.texts("tr.call .opener") == ["file-4.txt", "file-12.txt"]
    page.choose("#by-model", str(GEMMA))
    assert page.one("#found").text == "0 of 32 calls"
    for control in ("#by-model", "#by-kind", "#by-status"):
        page.choose(control, "all")
    assert page.one("#found").text == "32 calls"


def test_an_answer_opens_by_keyboard_formatted_or_as_written(open_page, tmp_path):
    several_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    opener = page.one(".opener")
    opener.send_keys("\ue007")
    assert page.one("tr.opened .prose strong").text == "lazy"
    assert opener.get_attribute("aria-expanded") == "true"
    page.click("tr.opened .swap")
    assert page.one("tr.opened .raw").text == "The **lazy** fox number 1."
    page.one(".opener").send_keys(" ")
    assert page.all("tr.opened") == []
    page.one("body").send_keys("/")
    assert page.js("return document.activeElement.id") == "search"


def test_the_table_says_times_tokens_and_costs_in_the_words_of_every_report(open_page, tmp_path):
    folder = tmp_path / "demo"
    took = [0.0049, 0.346, 9.994, 9.996, 12.44, 59.94, 59.96, 200, 7500, 90_000.4]
    costs = [0, 1, 999, 123_456, 999_999_999, 1_000_000_000, 1_234_567_890_123, 12_300_000, 5_000, None]

    def end(call):
        n = call.input.id - 1
        return Done(answer(tokens=(1, 10**n)), took=took[n], cost=costs[n])

    work(folder, spec(), [f"{n}" for n in range(len(took))], end)
    page = open_page(folder)
    assert page.texts('tr.call td[data-label="Time"]') == [formatting.seconds(value) for value in took]
    out = [formatting.tokens(10**n) for n in range(len(took))]
    assert page.texts('tr.call td[data-label="Tokens out"]') == out
    dollars = [None if nano is None else nano / 1e9 for nano in costs]
    assert page.texts('tr.call td[data-label="Cost"]') == [formatting.money(value) for value in dollars]


def test_models_stand_side_by_side_with_differences_marked(open_page, tmp_path):
    several_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.click("#view-compare")
    assert page.texts(".pair h3 > span:first-child") == [
        "file-1.txt",
        "file-2.txt",
        "file-3.txt",
        "file-4.txt",
    ]
    assert page.texts(".chip") == ["answers differ", "same answer", "answers differ"]
    assert page.texts(".pair:first-child mark") == ["quick"]
    page.choose("#reference", str(FLASH))
    assert page.texts(".pair:first-child mark") == ["lazy"]
    page.click("#differing")
    assert page.texts(".pair h3 > span:first-child") == ["file-1.txt", "file-3.txt"]


def test_colours_follow_the_system_until_the_reader_chooses(open_page, tmp_path):
    two_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    paper = "return getComputedStyle(document.body).backgroundColor"
    page.media(scheme="light")
    light = page.js(paper)
    page.media(scheme="dark")
    dark = page.js(paper)
    assert light != dark
    page.click("#theme")
    assert (page.one("#theme").text, page.js(paper)) == ("Theme: light", light)
    page.click("#theme")
    page.media(scheme="light")
    assert (page.one("#theme").text, page.js(paper)) == ("Theme: dark", dark)
    page.driver.refresh()
    page.until(lambda: page.js("return document.documentElement.dataset.ready") == "yes")
    assert page.js(paper) == dark


def test_paper_shows_everything_that_is_folded_and_no_controls(open_page, tmp_path):
    several_models(tmp_path / "demo", 60)
    page = open_page(tmp_path / "demo")
    page.js("document.documentElement.dataset.theme = 'dark'")
    page.media(kind="print")
    page.js("dispatchEvent(new Event('beforeprint'))")
    for hidden in (".controls", "div.top", "#pages"):
        assert (
            page.js("return getComputedStyle(document.querySelector(arguments[0])).display", hidden) == "none"
        )
    assert page.js("return [...document.querySelectorAll('details')].every((d) => d.open)")
    assert len(page.all("tr.call")) == 120
    assert page.js("return document.documentElement.dataset.theme") == "light"
    page.js("dispatchEvent(new Event('afterprint'))")
    assert len(page.all("tr.call")) == 50
    assert len(page.driver.print_page()) > 10_000


def test_a_phone_needs_no_sideways_scrolling(open_page, tmp_path):
    several_models(tmp_path / "demo", 30)
    page = open_page(tmp_path / "demo")
    page.size(390, 844)
    page.click(".opener")
    for view in ("#view-compare", "#view-list"):
        page.click(view)
        assert page.js("return document.documentElement.scrollWidth") <= 390
    page.size(1280, 1000)


def test_plots_are_drawn_and_described(open_page, tmp_path):
    several_models(tmp_path / "demo")
    work_limits(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    drawn = page.js(
        """return [...document.querySelectorAll(".plot")].map((p) => {
          const c = p.querySelector("canvas"), paint = c.getContext("2d");
          const d = paint.getImageData(0, 0, c.width, c.height).data;
          return d.some((v, i) => i % 4 === 3 && v > 0) && p.getAttribute("aria-label").length > 10; })"""
    )
    assert drawn == [True, True, True, True]
    assert page.texts("#timelines figcaption b") == [str(GEMMA).partition(":")[0] + "@localhost", str(FLASH)]
    page.choose("#service", "answered")


def test_more_models_than_colours_are_told_apart_by_shape(open_page, tmp_path):
    models = [ModelRef("openai", f"model-{n}") for n in range(10)]
    work(
        tmp_path / "demo", spec(models=models), ["a"], lambda call: Done(answer(), took=call.model, cost=1000)
    )
    page = open_page(tmp_path / "demo")
    shapes = page.js("return [...document.querySelectorAll('.legend-of .dot')].map((dot) => dot.className)")
    assert len(set(shapes)) == len(shapes) == 10
    page.choose("#service", "answered")
    assert page.texts(".legend-of li")[0] == "openai:model-0 $0.001, 100%"


def work_limits(folder: Path) -> None:
    for at, limit in ((1, 4), (20, 2), (40, 3)):
        for lane in ("ollama@localhost", str(FLASH)):
            change(
                folder, "INSERT INTO limit_changes VALUES (1, ?, ?, ?, 1, 'cut')", (NOON + at, lane, limit)
            )


def test_several_evaluations_share_a_page_and_are_compared(open_page, tmp_path):
    for name in ("first", "second"):
        work(
            tmp_path / name,
            spec(id=name),
            ["a.txt"],
            lambda call, name=name: Done(answer(f"A cat, says {name}.")),
        )
    page = open_page(tmp_path / "first", tmp_path / "second")
    assert page.one("h1").text == "2 evaluations"
    page.click("#view-compare")
    assert page.texts(".answer h4") == [f"first › {GEMMA} compared with", f"second › {GEMMA}"]
    assert page.texts("mark") == ["second"]


def test_ten_thousand_calls_stay_smooth(open_page, tmp_path):
    several_models(tmp_path / "demo", 5000)
    page = open_page(tmp_path / "demo")
    assert page.one("#found").text == "10,000 calls"
    for act in ('[data-sort="time"]', '[data-sort="file"]', "#view-compare", "#view-list"):
        took = page.js(
            """const start = performance.now();
            document.querySelector(arguments[0]).click();
            return performance.now() - start""",
            act,
        )
        assert took < 15_000, act  # a tenth of it as a rule, and less than a second alone
    assert len(page.all("tr.call")) == 50
    page.click("#pages button:last-child")
    assert page.one("#pages span").text == "Page 2 of 200"


def test_small_pictures_of_inputs_are_shown_and_forged_ones_are_not(open_page, tmp_path):
    from PIL import Image

    picture, forged = tmp_path / "cat.png", tmp_path / "evil.png"
    Image.effect_noise((1200, 900), 80).save(picture)
    forged.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'/>")
    work(tmp_path / "demo", spec(), ["cat.png", "evil.png", "gone.png"], lambda call: Done(answer()))
    for path in (picture, forged):
        change(
            tmp_path / "demo",
            "UPDATE inputs SET path = ?, size = ? WHERE name = ?",
            (str(path), path.stat().st_size, path.name),
        )
    page = open_page(tmp_path / "demo")
    page.until(lambda: page.js("return document.querySelector('img.thumb')?.naturalWidth") == 320)
    assert page.texts("tr.call:has(img) .opener") == ["cat.png"]


def test_licences_of_the_libraries_come_with_the_page(open_page, tmp_path):
    two_models(tmp_path / "demo")
    page = open_page(tmp_path / "demo")
    page.click("#show-licences")
    assert "dompurify 3" in page.one("#licence-text").text
