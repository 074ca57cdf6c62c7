"""Which calls the words after `eval show ID` name."""

from __future__ import annotations

from pathlib import Path

import pytest

from report.making import FLASH, GEMMA, opened, spec, two_models, two_prompts, work
from umwelten.errors import UsageError
from umwelten.report.queries import calls


def found(folder: Path, *words: str) -> list[tuple[str | None, str, str | None, int]]:
    with opened(folder) as reader:
        return [(row.file, row.model, row.prompt, row.repeat) for row in calls.find(reader, words)]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    two_prompts(tmp_path / "prompts")
    return tmp_path / "prompts"


def test_each_word_narrows_what_is_found(prompts: Path) -> None:
    assert len(found(prompts)) == 8
    assert found(prompts, "a.txt", str(GEMMA)) == [
        ("a.txt", str(GEMMA), "short", 1),
        ("a.txt", str(GEMMA), "long", 1),
    ]
    assert found(prompts, str(FLASH), "long") == [
        (name, str(FLASH), "long", 1) for name in ("a.txt", "b.txt")
    ]
    assert found(prompts, "b.txt", "short", "1") == [
        ("b.txt", str(model), "short", 1) for model in (GEMMA, FLASH)
    ]
    assert found(prompts, "b.txt", "2") == []


def test_a_part_of_a_name_is_enough_where_only_one_has_it(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    one = ("sub/c.txt", str(FLASH), None, 1)
    for words in (["c", "flash"], ["sub", "gemini-2.5-flash"], ["c.txt", "google"]):
        assert found(tmp_path / "demo", *words) == [one]
    with pytest.raises(UsageError) as caught:
        found(tmp_path / "demo", ".txt", "flash")
    assert caught.value.hint == "It is a part of several names: a.txt, b.txt, sub/c.txt."
    with pytest.raises(UsageError, match="'nowhere' is no file") as caught:
        found(tmp_path / "demo", "nowhere")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Files: a.txt, b.txt, sub/c.txt. Models: ")
    with pytest.raises(UsageError) as caught:
        found(tmp_path / "demo", "gem")
    assert caught.value.hint == f"It is a part of several models' names: {GEMMA}, {FLASH}."
    work(tmp_path / "pages", spec(), ["page-1.txt", "page-10.txt"], lambda call: None)
    assert found(tmp_path / "pages", "page-1")[0][0] == "page-1.txt"


def test_a_small_number_alone_is_a_place_in_the_list(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    with opened(tmp_path / "demo") as reader:
        ended = list(calls.ended_calls(reader))
        assert [next(calls.find(reader, [str(n + 1)])) for n in range(len(ended))] == ended
        assert not tuple(calls.find(reader, [str(len(ended) + 1)]))
        assert ended[0].call > calls.MOST_POSITIONS


def test_a_number_alone_is_an_id_unless_a_file_is_called_so(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    with opened(tmp_path / "demo") as reader:
        (one,) = calls.find(reader, ["sub/c.txt", str(FLASH)])
        assert tuple(calls.find(reader, [str(one.call)])) == (one,)
        assert not tuple(calls.find(reader, ["7" * 18]))
    work(tmp_path / "numbers", spec(repeats=2), ["7", "8"], lambda call: None)
    assert found(tmp_path / "numbers", "7") == [("7", str(GEMMA), None, 1), ("7", str(GEMMA), None, 2)]
    assert found(tmp_path / "numbers", "7", "2") == [("7", str(GEMMA), None, 2)]


def test_a_word_that_names_nothing_is_told_what_there_is(tmp_path: Path, prompts: Path) -> None:
    two_models(tmp_path / "demo")
    with pytest.raises(UsageError) as caught:
        found(tmp_path / "demo", "a.txt", "flsh")
    assert caught.value.message == "'flsh' is no file, model or repeat here"
    assert caught.value.hint == (
        f"Files: a.txt, b.txt, sub/c.txt. Models: {GEMMA}, {FLASH}. `eval show ID` lists the calls."
    )
    for words in (["b.txt", "curt"], ["curt"], ["7" * 19]):
        with pytest.raises(UsageError) as caught:
            found(prompts, *words)
        assert caught.value.message == f"{words[-1]!r} is no file, model, prompt or repeat here"
        assert caught.value.hint == (
            f"Files: a.txt, b.txt. Models: {GEMMA}, {FLASH}. Prompts: short, long. "
            "`eval show ID` lists the calls."
        )


def test_reading_leaves_no_journal_behind_and_takes_none_from_who_writes(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    files = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert found(tmp_path / "demo", "a.txt")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == files
    with opened(tmp_path / "demo"), opened(tmp_path / "demo"):
        held = sorted(path.name for path in (tmp_path / "demo").glob("*-wal"))
        assert found(tmp_path / "demo", "a.txt")
        assert sorted(path.name for path in (tmp_path / "demo").glob("*-wal")) == held
