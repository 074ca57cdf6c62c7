"""Tokens of a file by its size and name."""

from __future__ import annotations

import pytest

from umwelten.prompts.token_estimates import MOST_MEDIA_TOKENS, is_picture, most_tokens, text_tokens


def test_pictures_are_told_by_name_and_cost_the_same_whatever_their_size():
    assert is_picture("a.HEIF") and not is_picture("a.pdf")
    assert most_tokens(10, "a.png") == most_tokens(10_000_000, "a.png") > MOST_MEDIA_TOKENS


@pytest.mark.parametrize(
    ("name", "roughly", "most"),
    [
        ("a.txt", 1000, 2000),
        ("a.html", 1000, 2000),
        ("a.pdf", 80, 8000),
        ("a.docx", 200, 20_000),
        ("a.mp3", 8, 80),
    ],
)
def test_packed_files_have_other_tokens_than_text_of_their_size(name, roughly, most):
    assert text_tokens(4000, name) == roughly
    assert most <= most_tokens(4000, name) <= most + 100


def test_no_file_has_more_tokens_than_the_largest_context():
    assert most_tokens(1 << 40, "a.txt") < 2_000_100
