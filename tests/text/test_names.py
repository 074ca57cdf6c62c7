"""Names that look the same, and those that do not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.text.names import alike, differing_signs, folded, look_alikes, value_of


@pytest.mark.parametrize(
    "other",
    [
        unicodedata.normalize("NFD", "Größe"),
        "\ufeffGröße",
        "Größe\u200b",
        "Gr\u00adöße",
        "\u00a0Größe ",
        "Gro\u200d\u0308ße",
        "Größe\ufe0f",
    ],
)
def test_a_name_is_found_however_it_is_encoded_and_whatever_nobody_sees(other: str) -> None:
    assert folded(other) == "Größe"
    assert alike("Größe", ["a", other]) == [other]
    assert value_of("Größe", {other: "170"}, "") == "170"


@pytest.mark.parametrize("other", ["Grösse", "größe", "Groesse", "G röße", "Größe2", "Gröẞe"])
def test_names_that_look_different_are(other: str) -> None:
    assert alike("Größe", [other]) == []


def test_blanks_of_every_kind_are_one() -> None:
    assert folded("height\u00a0\u2003in\u202f m") == folded("height in m")


def test_the_name_itself_comes_before_those_that_look_like_it() -> None:
    assert alike("a", ["a\u200b", "a", "\ufeffa"]) == ["a"]
    assert alike("a ", ["a\u200b", "a"]) == ["a\u200b", "a"]
    assert look_alikes(["a", "b", "a\u200b", "\ufeffa"]) == [("a", "a\u200b"), ("a", "\ufeffa")]


def test_letters_of_another_alphabet_are_named() -> None:
    assert differing_signs("n\u0430me", "name") == "'\u0430' is U+0430 CYRILLIC SMALL LETTER A"
    assert differing_signs("nome", "name") == ""
    assert differing_signs("n\u0430mes", "name") == ""
    assert differing_signs("größe", "grösse") == ""


@given(st.text())
def test_all_forms_of_a_text_are_one(text: str) -> None:
    forms = [folded(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")]
    assert forms == [folded(text)] * 2
    assert folded(folded(text)) == folded(text)
