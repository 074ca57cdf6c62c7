"""Words of command lines: what bash and fish are given is read as it was, wherever the user is in a word."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.cli.completion.words import quoted, replacement, split_fish_line, split_line

TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from("$`;&|'\"!*~#\\\n :=@")
)
OPENING = {"": "", "'": "'", '"': '"', "$'": "$'"}


@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(list(OPENING)))
def test_what_is_quoted_is_read_as_it_was(texts: list[str], quote: str) -> None:
    line = " ".join(OPENING[quote] + quoted(text, quote=quote) + quote[-1:] for text in texts)
    typed = split_line(f"{line} ", 0)
    assert typed.words == [text for text in texts if text or quote]


@settings(max_examples=5, deadline=None)
@given(st.lists(TEXT, min_size=20, max_size=20))
def test_bash_reads_it_so_too(texts: list[str]) -> None:
    words = [
        OPENING[quote] + quoted(f"a{text}", quote=quote) + quote[-1:] for text in texts for quote in OPENING
    ]
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {' '.join(words)}"],
        capture_output=True,
        check=True,
        env={"LANG": "C.UTF-8"},
    )
    expected = [f"a{text}" for text in texts for _ in OPENING]
    assert done.stdout.decode().split("\0")[:-1] == expected


@pytest.mark.skipif(
    shutil.which("fish") is None and os.environ.get("UMWELTEN_TEST_SHELLS") != "required", reason="no fish"
)
@settings(max_examples=5, deadline=None)
@given(st.lists(TEXT, min_size=20, max_size=20))
def test_what_fish_escapes_is_read_as_it_was(texts: list[str]) -> None:
    for flags in ("", "--no-quoted"):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"string escape {flags} -- $argv", *texts],
            capture_output=True,
            check=True,
            env={"LANG": "C.UTF-8", "PATH": os.environ["PATH"]},
        )
        lines = done.stdout.decode().removesuffix("\n").split("\n")
        assert [split_fish_line(f"u {line}")[1] for line in lines] == texts


@pytest.mark.parametrize(
    ("line", "words", "last"),
    [
        ("u 'a\\'b\\n", ["u"], "a'b\\n"),
        ('u "a\\$b\\"c" "d\\', ["u", 'a$b"c'], "d\\"),
        ("u a\\\nb c\\", ["u", "ab"], "c\\"),
        ("u \\u00e9\\xe9\\303\\251\\cA", ["u"], "é\udce9é\x01"),
        ("u $'a", ["u"], "$a"),
    ],
)
def test_fish_is_read_by_its_own_rules(line: str, words: list[str], last: str) -> None:
    assert split_fish_line(line) == (words, last)


@pytest.mark.parametrize(
    ("line", "replaced", "value", "becomes"),
    [
        ("u mine:s", "s", "mine:s;x", "s\\;x"),
        ("u ~/te", "~/te", "~/te xt", "~/te\\ xt"),
        ("u ~", "~", "~root", "\\~root"),
        ("u a=", "", "a=~", "\\~"),
        ('u "a', "a", "a!$b", "a\"$'\\041'\"\\$b"),
        ("u 'it'\\''s ", "s ", "it's a!", "s a!"),
        ("u --models=mine:s", "s", "--models=mine:$(x)", "\\$\\(x\\)"),
        ("u a:b", "b", "other", None),
        ("u a\\", "a\\", "a b", "a\\ b"),
    ],
)
def test_what_was_typed_is_minded(line: str, replaced: str, value: str, becomes: str | None) -> None:
    typed = split_line(line, len(line) - len(replaced))
    assert replacement(value, typed, replaced) == becomes
