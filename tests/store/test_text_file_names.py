"""Text files' names: inert, short, never two alike."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from store.making import A, answer_all, files, never, query, spec
from umwelten.store.inputs import write_inputs
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS
from umwelten.store.text_file_names import Stems, flat_name, fold, slug, text_name
from umwelten.types import FoundInput, ModelRef

# Letters that collide by case and accents, dots and digits that look like our endings, and all the rest.
_tricky = st.text(alphabet="aAäÄr2._- x\u0308/", max_size=12)
_wild = st.text(st.characters(), max_size=100)
_pieces = st.lists(
    st.sampled_from(
        ["a", "A", ".r2", ".R3", ".p_m", ".P_M", "..", "/", "con", "nul.", "evaluation.db", "é", "é"]
    ),
    max_size=5,
).map("".join)
_names = st.one_of(_tricky, _wild, _pieces, st.text("é漢", min_size=60, max_size=400))
_models = st.lists(
    st.builds(
        ModelRef, st.sampled_from(["p", "P", "x.p"]), st.one_of(_tricky, st.sampled_from(["m", "M", "m.r2"]))
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


def slugs_of(models: list[ModelRef]) -> list[str]:
    found: list[str] = []
    for model in models:
        found.append(slug(model, "", found, lambda _: False))
    return found


def stems_of(names: list[str], slugs: list[str]) -> list[str]:
    scanned = [FoundInput(name=name, path=name, size=0, stamp="") for name in names]
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in MIGRATIONS:
            connection.executescript(migration)
        write_inputs(connection, scanned, slugs, never)
        return [stem for (stem,) in connection.execute("SELECT stem FROM inputs ORDER BY id")]


def assert_inert(output: str) -> None:
    parts = output.split("/")
    assert output.endswith(".txt")
    assert not PurePosixPath(output).is_absolute()
    for part in parts:
        assert part.strip(". ") == part.lstrip(". ") != "", (
            "empty, dots only or with a dot or blank at its end"
        )
        assert len(part.encode()) <= 255
        assert not any(letter in '<>:"\\|?*' or ord(letter) < 32 for letter in part)
        assert part.partition(".")[0].strip().lower() not in {"con", "nul", "prn", "aux", "com1", "lpt9"}
    assert not fold(parts[0]).startswith(("evaluation.db", "evaluation.lock", ".evaluation.tmp"))


@settings(deadline=None)
@given(st.lists(_names, max_size=20, unique=True), _models)
@example(["a", "a.x.p_m"], [ModelRef("p", "m"), ModelRef("x.p", "m")])
@example(["a", "a.x"], [ModelRef("x.p", "m"), ModelRef("p", "m")])
@example(["a.p_m", "a", "A", "a.r2", "a.R2_", "a-2", "a-2_"], [ModelRef("p", "m"), ModelRef("P", "M")])
@example(["\u212a", "k", "page.p_e\u0301"], [ModelRef("p", "é")])
@example(["Ä", "ä", "A\u0308", "../a", "/a", "a/", "a//b", "a/b"], [ModelRef("p", "m")])
def test_every_cell_has_an_inert_name_that_no_other_has(names: list[str], models: list[ModelRef]) -> None:
    slugs = slugs_of(models)
    stems = stems_of(names, slugs)
    outputs = [text_name(s, m, r) for s in stems for m in slugs for r in (1, 2, 65535)]
    # Answers from the time when there was one model keep their names without it.
    outputs += [text_name(s, None, r) for s in stems for r in (1, 2, 3)]
    for output in outputs:
        assert_inert(output)
        assert_inert(flat_name(output))
    assert len({fold(output) for output in outputs}) == len(outputs)
    assert len(stems) == len(names)


@settings(deadline=None)
@given(_models)
def test_the_files_of_a_run_have_inert_names_that_differ(models: list[ModelRef]) -> None:
    outputs = [text_name("", name, repeat) for name in slugs_of(models) for repeat in (1, 2, 65535)]
    for output in outputs:
        assert_inert(output)
    assert len({fold(output) for output in outputs}) == len(outputs)


@settings(deadline=None, max_examples=15)
@given(st.lists(_pieces, min_size=1, max_size=6, unique=True), _models)
@example(["a", "a.x_b"], [ModelRef("x", "b")])
def test_models_added_later_never_take_a_name_that_is_given(names: list[str], models: list[ModelRef]) -> None:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path) / "x"
        for count in range(len(models) + 1):
            with Store.resume(folder, spec(A, *models[:count])) as store:
                store.set_inputs(files(*names), read_hash=never)
                answer_all(store)
        rows = query(folder, "SELECT c.output, a.text FROM calls c JOIN answers a ON a.call_id = c.id")
        assert len(rows) == len(names) * (1 + len({*models} - {A}))
        for output, text in rows:
            assert (folder / str(output)).read_text() == text


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.jpg", "scan.jpg"),
        ("sub/scan 1 (new).jpg", "sub/scan 1 (new).jpg"),
        (".hidden/.x", ".hidden/.x"),
        ("größe/画像.png", "größe/画像.png"),
        ('a<b>c:d"e\\f|g?h*i\x07.txt', "a-b-c-d-e-f-g-h-i-.txt"),
        ("bad\udcff.txt", "bad-.txt"),
        ("../../etc/passwd", "--/--/etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("dir./file. ", "dir-/file--"),
        ("CON/nul.txt/com1", "_CON/_nul.txt/_com1"),
        ("console.txt", "console.txt"),
        ("evaluation.db", "_evaluation.db"),
        ("sub/evaluation.db", "sub/evaluation.db"),
        ("Evaluation.DB-wal/x", "_Evaluation.DB-wal/x"),
        ("page.r2", "page.r2_"),
        ("page.GOOGLE_gemini", "page.GOOGLE_gemini_"),
        ("\u212a", "K"),
        ("", "-"),
    ],
)
def test_a_stem_is_the_name_with_as_little_change_as_it_needs(name: str, stem: str) -> None:
    assert Stems(["google_gemini"]).first(name) == stem


def test_names_that_are_too_long_stay_different() -> None:
    one, other = (Stems([]).first("é" * 300 + end) for end in "ab")
    assert one != other
    assert one.startswith("é" * 50)


def test_slugs_are_readable() -> None:
    models = [
        ModelRef("ollama", "gemma3:12b"),
        ModelRef("openrouter", "openai/gpt-4o"),
        ModelRef("a", "x.r2"),
    ]
    assert slugs_of(models) == ["ollama_gemma3-12b", "openrouter_openai-gpt-4o", "a_x.r2_"]
    assert slugs_of([ModelRef("p", "a/b"), ModelRef("p", "a:b"), ModelRef("p", "A-B")]) == [
        "p_a-b",
        "p_a-b-2",
        "p_A-B-3",
    ]
