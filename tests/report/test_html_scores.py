"""Scores in an HTML report: figures without a script, the matrix in a real browser."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.scoredkit import evaluate, write_table

from report.browser import HOSTILE, Page, data, written
from report.making import change, two_models
from umwelten.evaluation.scoring.scoring import Scoring
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import call_scores, open_scores
from umwelten.report.render.embedded_scores import score_pieces
from umwelten.report.render.sections import ReportSection
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.definition import NamedPlace, read_short_form
from umwelten.scoring.gates import read_gate
from umwelten.scoring.judge.diagnostics import JudgeFigures, JuryFigures
from umwelten.scoring.judge.human_labels import Disagreement, HumanCheck, Rate
from umwelten.statistics import Kappa
from umwelten.store.reader import Reader

HERE = NamedPlace(name="here")
TABLE = [
    # Three repeats of each model: always right, unsteady, wrong, without a reference, failed.
    {"n": "1", "want": "Paris", "a": "Paris|Paris|Paris", "b": "Paris|Paris|Paris"},
    {"n": "2", "want": "Rome", "a": "Rome|Rome|Oslo", "b": "Oslo|Oslo|Oslo"},
    {"n": "3", "want": "Lima", "a": "Oslo|Oslo|Oslo", "b": "Lima|Lima|Lima"},
    {"n": "4", "want": "", "a": "Cairo|Cairo|Cairo", "b": "Cairo|Cairo|Cairo"},
    {"n": "5", "want": "Quito", "a": "", "b": "in Quito|in Quito|in Quito"},
]
CELLS = {"p:a": "a", "p:b": "b"}


def scored(
    where: Path, models=CELLS, *scorers: str, id="x", repeats=3, gates=(), table=TABLE, failed_as_zero=False
) -> Path:
    where.mkdir(exist_ok=True)
    path = write_table(where / f"{id}.csv", table)
    folder = evaluate(path, models, id=id, output=where, repeats=repeats)
    definitions = tuple(read_short_form(text, HERE) for text in scorers or ("right=contains", "near=edit"))
    found = tuple(read_gate(gate, "gate") for gate in gates)
    spec = ScoringSpec(
        scorers=definitions, expected="{{row.want}}", gates=found, failed_as_zero=failed_as_zero
    )
    Scoring(folder, spec, []).run()
    return folder


def tell(folder: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Change what is stored, as a scorer or a judge could have written it."""
    with closing(sqlite3.connect(folder / "scores.db")) as connection, connection:
        for statement, values in statements:
            connection.execute(statement, values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    gates = ("right >= 0.99", "right >= 0.5 for p:b", "near >= 0.65 for p:a")
    return scored(tmp_path_factory.mktemp("scored"), gates=gates)


# --- without a browser ---


def test_figures_differences_picks_and_gates_are_there_without_a_script(folder, tmp_path):
    text = written(tmp_path, folder).read_text()
    before = text.partition('<script type="application/json"')[0]
    for words in (
        'href="#scores"',
        "best by total",
        "<h3>right <small>contains</small></h3>",
        "0.750</td>",
        "6 unscored (3 no answer, 3 without a reference): ",
        "no difference seen (too few files to see one)",
        "pass^3",
        "unsteady",
        "right &gt;= 0.99",
    ):
        assert words in before, words
    for outcome in ("met", "missed", "undecided"):
        assert f'class="outcome {outcome}"' in before
    assert before.count('<svg class="interval"') == 6
    assert "style=" not in before, "the policy forbids it"


def test_labels_taken_for_others_and_choices_not_made_are_counted(tmp_path):
    folder = scored(tmp_path, {"p:b": "b"}, "city=label", "pick=choice", repeats=1)
    text = written(tmp_path, folder, short=True).read_text().partition('<script type="application/json"')[0]
    row = r"<td[^>]*>1</td><td[^>]*>0</td><td[^>]*>0</td><td[^>]*>0</td><td[^>]*>0</td></tr>"
    assert re.search(rf'<th scope="row">Lima</th>{row}', text), "right; Oslo and what else was said: other"
    assert "Wanted and said: p:b" in text
    assert "macro-F1" in text
    assert ">no choice</th>" in text


def test_judges_say_how_they_judged_and_what_people_say(tmp_path):
    folder = scored(tmp_path, {"p:b": "b"}, "near=edit", repeats=1)
    own = JudgeFigures(
        judge=HOSTILE[0], asked=9, given=7, failed=1, declined=1, pass_share=0.5, repeated=4, contradicted=3,
        contradiction_share=0.75, spread=1.0, agreement=None, distance=None, length_correlation=-0.25, own=0,
    )  # fmt: skip
    kappa = Kappa(kappa=0.4, se=0.15, low=0.1, high=0.7, level=0.95, agreement=0.8, units=5)
    rate = Rate(rate=0.5, low=0.1, high=0.9, count=1, of=2)
    gravest = Disagreement(key=HOSTILE[1], person=0, judge=1, label="pass", reason=HOSTILE[2])
    check = HumanCheck(
        labelled=5, compared=5, unscored=0, kappa=kappa, distance=0.2, true_pass=rate, true_fail=rate,
        worst=(gravest,),
    )  # fmt: skip
    figures = JuryFigures(judges=(own,), alpha=0.25, metric="nominal", answers=5)
    report = {"cost_nusd": 5_000_000, "unpriced": 2, "pending": 1, "figures": figures, "check": check}
    tell(
        folder,
        ("UPDATE scorers SET judge = 'x.near'", ()),
        ("INSERT INTO settings VALUES ('judges', ?)", (msgspec.json.encode({"near": report}).decode(),)),
    )
    text = written(tmp_path, folder, short=True).read_text()
    for words in (
        "3 of 4",
        "-0.25",
        "50.0%",
        "α = 0.25",
        "κ = 0.40",
        "2 calls of unknown price",
        "1 answer p",
    ):
        assert words in text, words
    assert "like the others</th>" not in text, "there are none"
    assert "window.pwned = 1</script>" not in text
    assert text.count("</script>") == 4


def test_a_short_page_has_figures_and_no_scores_of_calls(folder, tmp_path):
    text = written(tmp_path, folder, short=True).read_text()
    assert 'id="scores"' in text
    assert 'id="call-scores"' not in text
    assert 'href="#answers"' not in text


def test_a_report_without_scores_says_nothing_of_them(tmp_path):
    two_models(tmp_path / "demo")
    page = written(tmp_path, tmp_path / "demo").read_text().partition("<script>")[0]
    assert 'id="scores"' not in page
    assert 'id="call-scores"' not in page
    assert "unsteady" not in page.partition("</style>")[2]


def test_what_repeats_is_embedded_once(folder, tmp_path):
    embedded = data(written(tmp_path, folder).read_text(), "call-scores")
    rows = embedded["rows"][0]
    assert len(rows) == 30
    assert rows[0] == [[1, 1], [1], "Paris"], "passed, neither, and what was expected"
    assert rows[1] == [0, 1, 0], "all of it came before"
    assert len(json.dumps(rows)) < 900


def test_texts_are_shortened_when_they_are_too_many(tmp_path):
    folder = scored(tmp_path)
    tell(folder, ("UPDATE scores SET reason = ? || call_id WHERE value IS NOT NULL", ("because " * 200,)))
    with Reader.open(folder) as reader, open_scores(reader) as scores:
        part = ReportSection(reader, overviews.overview(reader), scores)
        whole = "".join(score_pieces([part], rows=100))
        cut = "".join(score_pieces([part], rows=100, budget=5000))
        few = json.loads("".join(score_pieces([part], rows=2)))
    assert len(json.loads(whole)["rows"][0][0][0][3]) > 1600
    assert len(cut) < 5000
    assert json.loads(cut)["rows"][0][0][0][3].endswith("…")
    assert len(few["rows"][0]) == 2


def test_failed_calls_that_count_as_0_do_so_everywhere(tmp_path):
    folder = scored(tmp_path, failed_as_zero=True)
    change(folder, "UPDATE calls SET error_kind = 'bad_request' WHERE error_kind IS NOT NULL")
    with Reader.open(folder) as reader, open_scores(reader) as scores:
        found = [row for row in call_scores(reader, scores) if row["right"].reason]
        figures = ReportSection(reader, overviews.overview(reader), scores).scores.figures
    assert [(row["right"].value, row["right"].passed, row["near"].passed) for row in found] == [
        (0, False, None)
    ] * 3
    near = figures["near"][ColumnName(model="p:a")]
    assert (near.scored, near.pass_) == (12, None), "a graded scorer has no threshold to miss"


# --- in a browser ---


def cells(page, row: int) -> list[str]:
    return page.texts(f'#matrix [data-row="{row}"]')


def rows(page) -> list[str]:
    return page.texts("#matrix .of-file")


def test_the_matrix_shows_filters_and_sorts_the_scores_of_files(open_page, folder):
    page = open_page(folder)
    assert page.one("#found").text == "5 files, 30 calls"
    assert [cells(page, row) for row in range(5)] == [
        ["✓", "✓"],
        ["✓ 0.67 ≈", "✗"],
        ["✗", "✓"],
        ["without a reference"] * 2,
        ["no answer", "✓"],
    ]
    kinds = page.js("return [...document.querySelectorAll('#matrix td.cell')].map((c) => c.className)")
    assert kinds[2:6] == ["cell v7", "cell v0", "cell v0", "cell v10"]
    offered = page.texts("#by-outcome option")
    assert offered == [
        "all", "failing", "passing", "unscored", "unsteady: repeats disagree", "models disagree",
    ]  # fmt: skip
    found = {}
    for outcome in offered[1:]:
        page.choose("#by-outcome", outcome)
        found[outcome] = [name.removeprefix("row-") for name in rows(page)]
    assert list(found.values()) == [["2", "3"], ["1", "2", "3", "5"], ["4", "5"], ["2"], ["2", "3"]]
    page.choose("#by-model", "p:b")
    page.choose("#by-outcome", "failing")
    assert rows(page) == ["row-2"], "those that this model fails"
    page.click("#view-list")
    assert page.texts("tr.call .score") == ["✗ 0"] * 3
    page.click("#view-matrix")
    page.choose("#by-model", "all")
    page.choose("#by-outcome", "all")
    page.click('#matrix [data-by="0"]')
    assert rows(page) == ["row-3", "row-2", "row-1", "row-4", "row-5"], "the worst first, unknown ones last"
    page.click('#matrix [data-by="spread"]')
    assert rows(page)[:3] == ["row-3", "row-2", "row-1"]
    page.choose("#by-scorer", "near")
    page.click('#matrix [data-by="file"]')
    assert cells(page, 0) == ["1", "1"]
    page.search("row-5")
    assert rows(page) == ["row-5"]


def test_a_cell_opens_by_keyboard_and_arrows_move(open_page, folder):
    page = open_page(folder)
    assert len(page.all('#matrix [tabindex="0"]')) == 1, "one stop for Tab"
    page.one('#matrix [tabindex="0"]').send_keys("\ue015\ue014\ue015\ue012")
    assert page.js("const f = document.activeElement.dataset; return [f.row, f.column]") == ["2", "0"]
    page.js("return document.activeElement").send_keys("\ue007")
    opened = page.one("#matrix .opened")
    assert opened.text.count("Oslo") == 3
    assert page.texts(".opened .detail:first-child pre, .opened .raw")[0] == "Lima"
    assert page.texts(".opened .detail .record.scores th")[:3] == ["right", "near", "total"]
    assert page.js("return document.activeElement.getAttribute('aria-expanded')") == "true"
    spoken = page.js("return document.activeElement.getAttribute('aria-label')")
    assert spoken == "row-3, p:a: 0, 0 of 3 passed"
    page.js("return document.activeElement").send_keys(" ")
    assert page.all("#matrix .opened") == []
    page.click("#view-compare")
    assert page.texts(".pair:nth-child(2) .badges")[0].startswith("right ✓ 1near")
    assert page.texts(".pair .expected")[0] == "Expected Paris"
    unscored = [f"{name} no answer" for name in ("right", "near", "total")]
    assert page.texts(".pair:nth-last-child(1) .badges .none") == unscored


def test_one_model_has_a_column_for_each_scorer(open_page, tmp_path):
    page = open_page(scored(tmp_path, {"p:b": "b"}))
    assert page.texts("#matrix thead th") == ["File", "right", "near", "total"]
    assert page.all("#view-compare") == []
    page.click('#matrix [data-by="1"]')
    assert rows(page)[-1] == "row-4"
    page.size(390, 844)
    page.click('#matrix [data-column="0"]')
    assert page.js("return document.documentElement.scrollWidth") <= 390
    page.size(1280, 1000)


def test_evaluations_on_a_page_share_scorers_of_one_definition(open_page, tmp_path):
    first = scored(tmp_path, {"p:a": "a"}, "right=contains", "how=exact", id="first")
    second = scored(tmp_path, {"p:a": "b"}, "right=contains", "how=exact:Lima", id="second")
    two_models(tmp_path / "third")
    page = open_page(first, second, tmp_path / "third")
    assert page.texts("#by-scorer option") == ["right", "first › how", "second › how", "total"]
    assert cells(page, 1) == ["✓ 0.67 ≈", "✗", "pending", "pending"]
    assert page.one("#found").text == "8 files, 35 calls"
    page.click("#view-compare")
    assert page.texts(".pair:nth-last-child(1) .badges") == [], "never scored"


def test_scorers_may_expect_different_things(open_page, tmp_path):
    folder = scored(tmp_path, repeats=1)
    tell(
        folder,
        ("INSERT INTO reference_texts VALUES (x'01', ?)", ('{"title": "Tides", "tags": ["sea", "moon"]}',)),
        ("UPDATE scores SET reference = x'01' WHERE scorer_id = 2", ()),
        ("UPDATE scores SET reference = NULL WHERE scorer_id = 1 AND call_id >> 28 > 1", ()),
    )
    words = "title: Tides\ntags: sea or moon"
    rows = data(written(tmp_path, folder).read_text(), "call-scores")["rows"][0]
    assert [row[2:] for row in rows[:4]] == [["Paris", words], [0, 1], [None, 1], [None, 1]]
    page = open_page(folder)
    page.click('#matrix [data-row="0"][data-column="0"]')
    assert page.texts(".opened :not(details) > pre.raw")[-2:] == ["Paris", words]
    assert page.texts(".opened .facts")[1:3] == ["Expected by right", "Expected by near"]


def test_hostile_scores_stay_inert(open_page, tmp_path):
    folder = scored(tmp_path, CELLS, "right=contains", "near=edit")
    call = "(SELECT min(call_id) FROM scores)"
    bad = " ".join(HOSTILE)
    tell(
        folder,
        ("UPDATE scorers SET name = ?, type = ? WHERE id = 2", (HOSTILE[1], HOSTILE[2])),
        ("UPDATE scores SET label = ?, reason = ? WHERE value IS NOT NULL", (bad, bad)),
        ("UPDATE scores SET message = ?, unscored = 'scorer_error' WHERE value IS NULL", (bad,)),
        (f"INSERT INTO parts VALUES ({call}, 1, 1, ?, 0.5, ?, ?)", (bad, bad, bad)),
        (
            f"""INSERT INTO verdicts
            (call_id, scorer_id, judge, sample, criterion, label, reason, unscored, message)
            VALUES ({call}, 1, ?, 2, ?, ?, ?, 'judge_failed', ?)""",
            (bad,) * 5,
        ),
        ("UPDATE reference_texts SET text = ?", (json.dumps({"expected": bad, "__proto__": bad}),)),
    )
    text = written(tmp_path, folder).read_text()
    assert text.count("</script>") == 6
    assert not set(text) & set("\x1b\u202e")
    page = open_page(folder)
    for row in range(5):
        page.click(f'#matrix [data-row="{row}"][data-column="0"]')
    assert "window.pwned = 1" in page.one(".opened .record .part th").text
    assert page.texts(".opened .record .part .score") == ["0.50", "judge failed"]
    page.click("#view-list")
    page.click(".opener")
    page.click("#view-compare")
    inert = "#answers :is(a, script, iframe, svg, form, style, img, [onerror], [onload])"
    assert page.all(inert) == []
    assert page.all("#scores :is(script, iframe, form, style, img, [onerror], [onload])") == []
    assert page.js("return window.pwned") is None


def test_twenty_thousand_cells_stay_smooth(driver, tmp_path):
    folder = scored(tmp_path, repeats=1, table=TABLE[:1])
    path = written(tmp_path, folder)
    text = path.read_text()
    row, files = data(text, "rows")[0], 10_000
    calls = [[n % 2, f"file-{n // 2}", *row[2:]] for n in range(files * 2)]
    scores = [[[n * 7 % 10 / 10, n * 7 % 10 // 5], n * 3 % 11 and 0, "Paris"] for n in range(files * 2)]
    scored_calls = data(text, "call-scores") | {"rows": [scores]}
    for name, new in (("rows", calls), ("call-scores", scored_calls)):
        before, _, rest = text.partition(f'id="{name}">')
        text = f'{before}id="{name}">{json.dumps(new)}{rest[rest.index("</script>") :]}'
    path.write_text(text)
    page = Page(driver, path)
    assert page.one("#found").text == "10,000 files, 20,000 calls"
    for act in ('[data-by="0"]', '[data-by="spread"]', '[data-by="file"]', '[data-row="3"][data-column="1"]'):
        took = page.js(
            """const start = performance.now();
            document.querySelector("#matrix " + arguments[0]).click();
            return performance.now() - start""",
            act,
        )
        assert took < 15_000, act  # a tenth of it as a rule, and less than a second alone
    page.choose("#by-outcome", "models disagree")
    assert len(rows(page)) == 50
