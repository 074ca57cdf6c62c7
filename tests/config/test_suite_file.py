"""What a suite's file may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from suitekit import SUITE, write_suite
from umwelten.config.suite_file import merged, read_suite_file, task_names
from umwelten.errors import ConfigError


def read(folder: Path, text: str):
    return read_suite_file(folder / write_suite(folder, text))


def refused(folder: Path, text: str) -> str:
    """What is said of a suite that cannot be read."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return str(caught.value)


WEIGHT, NAME, LETTERS = "weight = 3", 'name = "nightly"', "[tasks.letters]"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("expected", "expectd", 9, "[tasks.capitals]: 'expectd' is not known\nDid you mean 'expected'?"),
        ('"contains"', '"contian"', 11, "[tasks.capitals.scorers]: scorer 'right' is of type 'contian'"),
        ('"capitals.right"', '"capitls.right"', 20, "[gates]: gate 'capitls.right"),
        ("[suite]", "[suit]", 1, "'suit' is no section of a suite\nDid you mean 'suite'?"),
        (NAME, 'name = "a b"', 2, "[suite]: 'a b' cannot be the name of a suite"),
        (NAME, "weight = 2", 2, "[suite]: weight cannot be set here"),
        (LETTERS, "[tasks.capitals]", 13, "Cannot declare ('tasks', 'capitals') twice"),
        (LETTERS, '[tasks."let.ters"]', 13, "[tasks.\"let.ters\"]: 'let.ters' cannot be the name"),
        (LETTERS, "[tasks.total]", 13, "[tasks.total]: a task cannot be called 'total'"),
        (WEIGHT, "wieght = 3", 10, "[tasks.capitals]: 'wieght' is not known\nDid you mean 'weight'?"),
        (WEIGHT, "max_cost = 3", 10, "[tasks.capitals]: max_cost cannot be set here"),
        (WEIGHT, "weight = -1", 10, "[tasks.capitals]: weight is -1; it must be a number, 0 or more"),
        (WEIGHT, "temperature = 9", 10, "[tasks.capitals]: temperature: 9 is not allowed"),
        (WEIGHT, 'scorer = "right=exact"', 10, "[tasks.capitals]: two scorers are called 'right'"),
        (WEIGHT, 'failed_as = "one"', 10, "[tasks.capitals]: failed_as is 'one'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    error = refused(tmp_path, SUITE.replace(old, new))
    place = f"{tmp_path / 'suites' / 'nightly.toml'}, line {line}"
    assert error.startswith((f"{place}, {said}", f"{place}: {said}"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("row_name", "row_nam", "has 2 errors"),
        (LETTERS, "[tasks.Capitals]", "tasks 'capitals' and 'Capitals' differ in case alone"),
        (NAME, 'fail_under = "total >= 1"', "Write it in [gates]"),
        (WEIGHT, 'resume = "yes"', "A suite always does what is missing"),
        (WEIGHT, "weight = nan", "weight is nan"),
        (WEIGHT, f"hedge = {'9' * 400}", "holds a whole number with too many digits"),
        (WEIGHT, f"weight = {'9' * 5000}", "holds a whole number with too many digits"),
        (WEIGHT, f"weight = {'[' * 3000}{']' * 3000}", "nested more than 64 levels deep"),
        (WEIGHT, f"weight{'.a' * 64} = 3", "nested more than 64 levels deep"),
        (WEIGHT, 'variants = "cool"', "variants must be a section of sections"),
        ('"capitals.right"', '"capitals."', "line 20, [gates]: ' >= 0.5' is no gate"),
    ],
)
def test_what_is_wrong_is_said_with_its_file(tmp_path: Path, old: str, new: str, said: str) -> None:
    error = refused(tmp_path, SUITE.replace(old, new))
    assert said in error
    assert error.startswith(str(tmp_path / "suites" / "nightly.toml"))


def test_paths_are_meant_from_the_file_and_a_task_counts_over_the_suite(tmp_path: Path) -> None:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.toml").write_text('expected = "gold.csv"\n[scorers.same]\ntype = "exact"\n')
    common = 'name = "nightly"\ndirectory = "texts"\nsystem = "@about.txt"\nscorers = "s.toml"\nmax_cost = 2'
    file = read(tmp_path, SUITE.replace('name = "nightly"', common))
    base = tmp_path / "suites"
    capitals, letters = (merged(file.common, file.tasks[name]) for name in ("capitals", "letters"))
    assert capitals.values["rows"].value == base / "data" / "capitals.csv"
    # Rows stand in the place of a directory, and a limit of costs is one for all tasks.
    assert set(capitals.values) == {"rows", "row_name", "prompt", "models", "system"}
    assert capitals.values["system"].value == f"@{base / 'about.txt'}"
    assert (capitals.scoring.expected, letters.scoring.expected) == (
        "{{row.country}}",
        str(base / "gold.csv"),
    )
    assert (list(capitals.scoring.scorers), list(letters.scoring.scorers)) == (
        ["same", "right"],
        ["same", "polite"],
    )
    assert (capitals.weight, letters.weight, file.common.values["max_cost"].value) == (3.0, 1.0, 2.0)
    assert [gate.task for gate in file.gates] == ["capitals", "letters", None]


def test_names_for_completion_come_from_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / write_suite(tmp_path)
    assert task_names(path) == ["capitals", "letters"]
    path.write_text("[tasks")
    assert task_names(path) == task_names(tmp_path / "none.toml") == []
