"""What an error says of a name that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.text.suggestions import closest, did_you_mean, did_you_mean_clause, sentences

NAMES = ["google", "openai", "openrouter"]


@pytest.mark.parametrize(
    ("word", "name"),
    [("gogle", "google"), ("openrouer", "openrouter"), ("x", None), ("", None), ("GOOGLE", None)],
)
def test_the_closest_name_is_found_if_one_is_similar(word, name):
    assert closest(word, NAMES) == name
    assert closest(word, iter(NAMES)) == name


def test_without_regard_to_case_the_name_keeps_its_own():
    assert closest("TITEL", ["Title", "Year"], ignore_case=True) == "Title"
    assert closest("x", [], ignore_case=True) is None


def test_it_is_a_sentence_or_the_end_of_one_and_nothing_without_a_name():
    assert did_you_mean("demo") == "Did you mean demo?"
    assert did_you_mean("de{}mo", "{!r}") == "Did you mean 'de{}mo'?"
    assert did_you_mean(Path("a/b")) == "Did you mean a/b?"
    assert did_you_mean_clause("title", "json.{}") == "; did you mean json.title?"
    assert did_you_mean(None) == did_you_mean_clause(None) == ""


def test_a_hint_is_made_of_sentences_that_say_something():
    assert sentences(did_you_mean("a"), "Known: a, b.") == "Did you mean a? Known: a, b."
    assert sentences("", "Known: a.") == "Known: a."
    assert sentences("", "") is None
