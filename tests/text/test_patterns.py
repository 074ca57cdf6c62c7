"""Patterns of files: what names hidden files is known before anything is matched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import InputError
from umwelten.inputs.files.glob import Glob
from umwelten.text.patterns import hidden_names

_PARTS = st.sampled_from(("{a,}", "{,b}", "{.,a}", "{x,.env}", "[.]", "[!a]", "*", ".", "env", "/", "**/"))
_HIDDEN = (".env", ".git/config", "a/.env", "a/.git/b", ".a", "env/.env")


@given(pattern=st.lists(_PARTS, min_size=1, max_size=5).map("".join))
def test_a_pattern_that_matches_a_hidden_name_is_known_to(pattern: str) -> None:
    try:
        glob = Glob(pattern)
    except InputError:
        return
    if any(glob.matches_path(path) for path in _HIDDEN):
        assert hidden_names(pattern)


def test_only_what_begins_with_a_dot_names_what_is_hidden() -> None:
    assert set(hidden_names("{a,}.git/{x,.}env")) == {".git", ".env"}
    assert not any(map(hidden_names, ("*", "[.]env", "?env", "*env", "./a", "a.env", "x/**/*.{jpg,png}")))
    assert hidden_names("{a,{b,c}}")  # cannot be read
