"""Answers as files: what is written, replaced, found missing and removed, and that nothing stays open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from umwelten.store.text_file_names import TEMPORARY
from umwelten.store.text_files import TextFiles


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def files(tmp_path: Path) -> TextFiles:
    return TextFiles(tmp_path)


def test_a_text_is_written_over_what_is_there_and_its_directories_are_made(
    files: TextFiles, tmp_path: Path
) -> None:
    assert files.write("a.txt", "long" * 100_000) == "a.txt"
    assert files.write("a.txt", "ä") == "a.txt"
    assert files.write("sub/deep/b.txt", "b") == "sub/deep/b.txt"
    assert files.write("sub/deep/c.txt", "c", '{"n":[1,2]}') == "sub/deep/c.txt"
    assert contents(tmp_path) == {
        "a.txt": "ä",
        "sub/deep/b.txt": "b",
        "sub/deep/c.txt": "c",
        "sub/deep/c.json": '{\n  "n": [\n    1,\n    2\n  ]\n}\n',
    }


@pytest.mark.parametrize("output", ["../a.txt", "sub/../../a.txt", ".", "..", "/a.txt", "sub//a.txt"])
def test_a_name_that_leads_elsewhere_writes_beside_the_others(
    files: TextFiles, tmp_path: Path, output: str
) -> None:
    (tmp_path / "sub").mkdir()
    before = sorted(tmp_path.parent.rglob("*"))
    name = files.write(output, "text")
    assert "/" not in name
    assert sorted(tmp_path.parent.rglob("*")) == sorted([*before, tmp_path / name])
    with pytest.raises(OSError, match="not a name within the evaluation's folder"):
        files.remove(output)


def test_what_is_not_there_or_empty_is_missing(files: TextFiles, tmp_path: Path) -> None:
    files.write("a.txt", "text")
    files.write("empty.txt", "")
    files.write("both.txt", "text", "{}")
    (tmp_path / "directory.txt").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    for name, expected, data, missing in [
        ("a.txt", True, False, False),
        ("a.txt", True, True, True),
        ("both.txt", True, True, False),
        ("empty.txt", True, False, True),
        ("empty.txt", False, False, False),
        ("gone.txt", False, False, True),
        ("directory.txt", False, False, True),
        ("link.txt", True, False, True),
    ]:
        assert files.is_missing(name, expected, data) is missing, name


def test_removing_takes_the_record_only_where_there_is_one(files: TextFiles, tmp_path: Path) -> None:
    for name in ("a", "b"):
        files.write(f"{name}.txt", name, "{}")
    files.remove("a.txt", data=True)
    files.remove("b.txt")
    files.remove("gone.txt", data=True)
    files.remove("b.json/inner.txt")
    assert set(contents(tmp_path)) == {"b.json"}


def test_only_what_others_have_left_half_written_is_cleared(files: TextFiles, tmp_path: Path) -> None:
    for name in (TEMPORARY, f"{TEMPORARY}-0123", "a.txt", f"x{TEMPORARY}"):
        (tmp_path / name).write_text("half")
    files.clear()
    assert set(contents(tmp_path)) == {"a.txt", f"x{TEMPORARY}"}


def test_a_text_of_which_only_a_part_can_be_written_is_not_there(files: TextFiles, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    files.write("a.txt", "as it was")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        files.write("b.txt", "x" * 5_000)
        with pytest.raises(OSError, match="too large"):
            files.write("a.txt", "x" * 5_001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(tmp_path) == {"a.txt": "as it was", "b.txt": "x" * 5_000}


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="where the system lists open files")
def test_nothing_stays_open(files: TextFiles, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)

    def opened() -> int:
        return len(os.listdir("/dev/fd"))  # noqa: PTH208

    before = opened()
    for output in ("a.txt", "sub/deep/b.txt", "a.txt/inner.txt", "link/c.txt"):
        name = files.write(output, "text", "{}")
        assert not files.is_missing(name, True, data=True)
        files.is_missing(output, True)
        files.remove(output)
    files.clear()
    assert opened() == before
    for _ in range(2):
        files.close()
        assert opened() == before - 1
