"""How far models and repeats agree on the fields of records, in every format."""

from __future__ import annotations

import json

from report.making import FLASH, GEMMA, Done, answer, book, spec, unfit, work
from report.test_agreement import html_rows, rendered
from umwelten.report.render.html import render_html
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.statistics.agreement import cohens_kappa, krippendorffs_alpha
from umwelten.types import ModelRef, Schema

GPT = ModelRef("openai", "gpt-5.4-mini")
SHAPE = Schema(
    json={
        "type": "object",
        "properties": {
            "kind": {"enum": ["poem", "letter", "list", "tale"]},
            "year": {"type": "integer"},
            "note": {"type": "string"},
        },
    },
    name="text",
)
# By model and repeat, an input a letter; "-": no valid record.
SAID = {
    (1, 1): "plltpltt", (1, 2): "plltpltt",
    (2, 1): "plltppt-", (2, 2): "pltlppt-",
    (3, 1): "ppppppll", (3, 2): "--------",
}  # fmt: skip
KINDS = {"p": "poem", "l": "letter", "t": "tale", "-": None}


def classified(folder, models=(GEMMA, FLASH, GPT)):
    def end(call):
        n = call.input.id - 1
        kind = KINDS[SAID[call.model, call.repeat][n]]
        return Done(book(kind=kind, year=1900 + n + call.model, note=f"{n}")) if kind else Done(unfit())

    work(folder, spec(models=models, schema=SHAPE, repeats=2), [f"{n}.txt" for n in range(8)], end)


def first(model):
    return [KINDS[letter] for letter in SAID[model, 1]]


def test_models_agree_by_their_first_repeats_and_repeats_by_model(tmp_path):
    classified(tmp_path / "demo")
    kind, year, note = json.loads(rendered(tmp_path / "demo", render_json))["schema"]["fields"]
    between = kind["agreement"]["models"]
    assert (between["units"], between["raters"], between["metric"]) == (8, 3, "nominal")
    assert between["alpha"] == round(krippendorffs_alpha([first(1), first(2), first(3)]), 6)
    pair = kind["agreement"]["pairs"][0]
    known = [(a, b) for a, b in zip(first(1), first(2), strict=True) if b]
    expected = cohens_kappa([a for a, _ in known], [b for _, b in known])
    assert (pair["first"], pair["second"], pair["units"]) == (str(GEMMA), str(FLASH), 7)
    assert (pair["same"], pair["kappa"], pair["low"]) == (
        round(expected.agreement, 6), round(expected.kappa, 6), round(expected.low, 6),
    )  # fmt: skip
    gemma, flash = (row["agreement"] for row in kind["agreement"]["repeats"])
    assert (gemma["units"], gemma["same"], gemma["alpha"]) == (8, 1, 1)
    assert (flash["units"], flash["same"]) == (7, round(5 / 7, 6))
    assert year["agreement"]["models"]["metric"] == "interval"
    assert year["agreement"]["pairs"][0]["kappa"] is None
    assert note["agreement"] == {"models": None, "pairs": [], "repeats": []}


def test_every_value_of_an_enum_is_counted_by_model_too(tmp_path):
    classified(tmp_path / "demo")
    kind, year, _ = json.loads(rendered(tmp_path / "demo", render_json))["schema"]["fields"]
    assert dict(kind["values"]) == {"poem": 16, "letter": 12, "tale": 10}
    gemma = kind["models"][0]
    assert (gemma["model"], gemma["valid"], dict(gemma["values"])) == (
        str(GEMMA), 16, {"poem": 4, "letter": 6, "tale": 6},
    )  # fmt: skip
    assert (year["min"], year["models"][2]["min"]) == (1901, 1903)


def test_people_read_the_same_and_years_have_no_comma(tmp_path):
    classified(tmp_path / "demo")
    text = rendered(tmp_path / "demo", render_markdown)
    page = rendered(tmp_path / "demo", lambda reader, out: render_html([reader], out))
    assert f"| kind | {GEMMA} and {FLASH} | 7 | 85.7% | 0.80 | 0.79 (0.25 to 0.96) |" in text
    assert "| kind | 3 models | 8 | 25.0% | 0.21 |" in text
    assert f"| kind | {FLASH} | 7 | 71.4% | 0.59 |" in text
    assert "| year | integer | 38 | 0 | 0 | 1901 to 1910, mean 1905 |" in text
    assert ["kind", f"{GEMMA} and {FLASH}", "7", "85.7%", "0.80", "0.79 (0.25 to 0.96)"] in html_rows(
        page, "Agreement between models"
    )
    assert ["kind", str(FLASH), "7", "71.4%", "0.59"] in html_rows(page, "Agreement between repeats")
    assert ["kind", str(GEMMA), "letter 6, tale 6, poem 4", "16", "0"] in html_rows(page, "Values by model")


def test_of_one_model_and_one_repeat_there_is_no_agreement(tmp_path):
    work(tmp_path / "demo", spec(schema=SHAPE), ["a", "b"], lambda call: Done(book(kind="poem", year=1900)))
    assert "Agreement" not in rendered(tmp_path / "demo", render_markdown)
    work(tmp_path / "words", spec(models=(GEMMA, FLASH)), ["a"], lambda call: Done(answer()))
    assert "Agreement" not in rendered(tmp_path / "words", render_markdown)
