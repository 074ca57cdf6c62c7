"""Days on which vendors shut down models: as announced, and as their lists state them."""

from __future__ import annotations

import json
import re
import time
from datetime import date
from pathlib import Path

import pytest

from umwelten.pricing import price_of
from umwelten.providers.model_names import parse_model
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Head, ModelPage
from umwelten.providers.shutdowns import SHUTDOWNS, read_date, shutdown_notes
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / "README.md", ROOT / "docs" / "demo.svg"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "examples").rglob("*.py"),
    *(ROOT / "src" / "umwelten" / "cli").rglob("*.py"),
    *(ROOT / "src" / "umwelten" / "api").rglob("*.py"),
    *(ROOT / "src" / "umwelten" / "config").rglob("*.py"),
]
NAMES = re.compile(
    r"(?<![\w.-])(" + "|".join(re.escape(model.model) for model in SHUTDOWNS) + r")(?![\w-]|\.\d)"
)
LISTED = [
    ("openai", {"data": [{"id": "m", "shutdown_date": "2027-01-14"}]}),
    ("openrouter", {"data": [{"id": "m", "expiration_date": "2027-01-14"}]}),
    ("mistral", {"data": [{"id": "m", "deprecation": "2027-01-14T12:00:00Z"}]}),
    ("anthropic", {"data": [{"id": "m", "retires_at": "2027-01-14T00:00:00Z"}], "has_more": False}),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_or_help_recommends_a_model_that_ends(page: Path) -> None:
    assert not NAMES.findall(page.read_text("utf-8"))


def test_models_of_the_docs_have_a_price() -> None:
    dated = re.compile(r"(?:openai|google|anthropic):[a-z][\w.-]*\d[\w.-]*\w")
    used = {name for page in PAGES for name in dated.findall(page.read_text("utf-8"))}
    assert len(used) >= 3
    prices = price_book(VENDORS)
    unknown = [name for name in used if price_of(parse_model(name, VENDORS), prices, at=time.time()) is None]
    assert not unknown


@pytest.mark.parametrize(("vendor", "body"), LISTED)
def test_a_list_states_the_day(vendor: str, body: object) -> None:
    row = VENDORS[vendor]
    head = Head(status=200, headers={}, now_unix=0.0)
    place = Endpoint(vendor=row, base_url=row.base_url)
    page = WIRES[row.wire].decode_models(head, json.dumps(body).encode(), place)
    assert isinstance(page, ModelPage)
    assert page.models[0].shutdown_date == date(2027, 1, 14)


@pytest.mark.parametrize("value", [None, "", "soon", 7, True, "2027-13-01", {"at": "2027-01-14"}])
def test_what_is_no_date_is_none(value: object) -> None:
    assert read_date(value) is None
    assert read_date(value, "2027-01-14") == date(2027, 1, 14)


def test_a_run_gets_one_line_for_all_such_models() -> None:
    models = [ModelRef("openai", name) for name in ("gpt-4o", "gpt-4o-mini", "o3", "gpt-5.4-mini")]
    (line,) = shutdown_notes(models, date(2026, 12, 20))
    assert line == (
        "openai:o3 was to be shut down on 2026-12-11; openai:gpt-4o, openai:gpt-4o-mini will be shut down on "
        "2027-01-14, as its provider announced"
    )
    assert not list(shutdown_notes([ModelRef("ollama", "gpt-4o")], date(2026, 12, 20)))
