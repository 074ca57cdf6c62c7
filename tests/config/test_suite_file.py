"""What a suite's file may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from suitekit import SUITE, write_suite
from umwelten.config.suite_file import merged, read_suite_file, task_names
from umwelten.errors import ConfigError


def read(folder: Path, text: str):
    return read_suite_file(folder / write_suite(folder, text))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "weight = 3",
            "wieght = 3",
            "line 10, [tasks.capitals]: 'wieght' is not known\nDid you mean 'weight'?",
        ),
        ("expected", "expectd", "line 9, [tasks.capitals]: 'expectd' is not known\nDid you mean 'expected'?"),
        ("row_name", "row_nam", "has 2 errors"),
        ('"contains"', '"contian"', "line 11, [tasks.capitals.scorers]: scorer 'right' is of type 'contian'"),
        ('"capitals.right"', '"capitls.right"', "line 20, [gates]: gate 'capitls.right"),
        ("[tasks.letters]", "[tasks.capitals]", "line 13: Cannot declare ('tasks', 'capitals') twice"),
        ("[tasks.letters]", "[tasks.Capitals]", "tasks 'capitals' and 'Capitals' differ in case alone"),
        (
            "[tasks.letters]",
            '[tasks."let.ters"]',
            "line 13, [tasks.\"let.ters\"]: 'let.ters' cannot be the name",
        ),
        ("[tasks.letters]", "[tasks.total]", "line 13, [tasks.total]: a task cannot be called 'total'"),
        ('name = "nightly"', 'name = "a b"', "line 2, [suite]: 'a b' cannot be the name of a suite"),
        ("[suite]", "[suit]", "line 1: 'suit' is no section of a suite\nDid you mean 'suite'?"),
        ("weight = 3", "max_cost = 3", "line 10, [tasks.capitals]: max_cost cannot be set here"),
        ("weight = 3", 'resume = "yes"', "A suite always does what is missing"),
        (
            "weight = 3",
            "weight = -1",
            "line 10, [tasks.capitals]: weight is -1; it must be a number, 0 or more",
        ),
        ("weight = 3", "weight = nan", "weight is nan"),
        ("weight = 3", f"hedge = {'9' * 400}", "holds a whole number with too many digits"),
        ("weight = 3", f"weight = {'9' * 5000}", "holds a whole number with too many digits"),
        ("weight = 3", f"weight = {'[' * 3000}{']' * 3000}", "nested more than 64 levels deep"),
        ("weight = 3", f"weight{'.a' * 64} = 3", "nested more than 64 levels deep"),
        ("weight = 3", "temperature = 9", "line 10, [tasks.capitals]: temperature: 9 is not allowed"),
        ("weight = 3", 'scorer = "right=exact"', "line 10, [tasks.capitals]: two scorers are called 'right'"),
        ("weight = 3", 'failed_as = "one"', "line 10, [tasks.capitals]: failed_as is 'one'"),
        ("weight = 3", 'variants = "cool"', "variants must be a section of sections"),
        ('name = "nightly"', "weight = 2", "line 2, [suite]: weight cannot be set here"),
        ('name = "nightly"', 'fail_under = "total >= 1"', "Write it in [gates]"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SUITE.replace(old, new))
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "suites" / "nightly.toml"))


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
