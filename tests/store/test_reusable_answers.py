"""Answers that other evaluations may take over, in whatever version they were stored."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from store.making import A, B, spec
from store.test_tables import made_by_version
from umwelten.store.reader import Reader
from umwelten.store.reusable_answers import ReusableAnswers, answered_calls


@pytest.mark.parametrize("version", [1, 2])
def test_an_evaluation_of_an_earlier_version_gives_its_answers(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "x"
    made_by_version(folder, version)
    with Reader.open(folder) as reader:
        [(key, started_at)] = answered_calls(reader.connection)
    request = spec().request
    with closing(ReusableAnswers.open([folder], request, [A, B], coerce=False)) as answers:
        found = answers.take(key)
        assert found is not None
        assert (answers.answer(found).reply.marks, found.started_at) == (("reused from x",), started_at)
        assert answers.take(key) is None
    with closing(ReusableAnswers.open([folder], request, [A], coerce=False)) as answers:
        assert answers.take(key) is None


def test_what_was_taken_before_is_not_given_again(tmp_path: Path) -> None:
    made_by_version(tmp_path / "x", 2)
    with Reader.open(tmp_path / "x") as reader:
        [(key, started_at)] = answered_calls(reader.connection)
    with closing(ReusableAnswers.open([tmp_path / "x"], spec().request, [A, B], coerce=False)) as answers:
        answers.discard(key, started_at + 1)
        answers.discard(key, started_at)
        assert answers.take(key) is None
