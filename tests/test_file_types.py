"""The table of file types, and what a file's name tells."""

from __future__ import annotations

import pytest

from umwelten import file_types
from umwelten.file_types import ALL, type_by_name


def test_each_ending_is_that_of_one_type():
    endings = [ending for kind in ALL for ending in kind.endings]
    assert len(endings) == len(set(endings))
    assert all(ending == ending.lower() and ending[0] == "." for ending in endings)


def test_each_type_that_is_sent_has_an_ending_by_which_estimates_know_it():
    unnamed = [kind for kind in ALL if kind.family != "other" and not kind.endings]
    assert unnamed == [file_types.TEXT]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", file_types.JPEG),
        ("sub.zip/a.pdf", file_types.PDF),
        ("b.tar.gz", file_types.GZIP),
        ("notes", file_types.TEXT),
        ("notes.", file_types.TEXT),
        ("d.v1.2", file_types.TEXT),
        (".env", file_types.TEXT),
        ("", file_types.TEXT),
    ],
)
def test_a_name_tells_a_type_by_its_ending(name, kind):
    assert type_by_name(name) is kind
