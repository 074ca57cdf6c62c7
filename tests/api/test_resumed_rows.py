"""What a resume asks about rows: a call is what it sends, not how its table is written."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import umwelten
from golden.recording import Recorder, recorder, surroundings
from umwelten.evaluation import build_spec

Table = list[dict[str, str]]
PROMPT = "Who wrote {{row.title}} in {{row.Größe}}?"


@pytest.fixture(scope="module")
def provider() -> Iterator[Recorder]:
    with recorder() as made:
        yield made


@pytest.fixture
def here(provider: Recorder, tmp_path: Path) -> Iterator[Recorder]:
    provider.take()
    with surroundings(provider.port, tmp_path):
        yield provider


def asked(provider: Recorder, table: str = "t.csv", prompt: str = PROMPT, **options: Any) -> list[str]:
    """The questions that are sent."""
    results = umwelten.batch(prompt, "openai:a", id="a", rows=table, resume=True, **options).wait()
    assert not results.failures
    return sorted(json.loads(request.body)["messages"][-1]["content"] for request in provider.take())


# --- harmless and not ------------------------------------------------------------------------------


def as_csv(table: Table, draw: Callable[[Any], Any]) -> bytes:
    columns = draw(st.permutations(list(table[0])))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text,
        columns,
        delimiter=draw(st.sampled_from(",;\t|")),
        quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n", "\n\n"])),
    )
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


def as_json(table: Table, draw: Callable[[Any], Any]) -> str:
    columns = draw(st.permutations(list(table[0])))
    space = {"indent": draw(st.sampled_from([None, 2])), "ensure_ascii": draw(st.booleans())}
    rows = [{column: row[column] for column in columns} for row in table]
    return json.dumps({"data": rows} if draw(st.booleans()) else rows, **space)


def as_jsonl(table: Table, draw: Callable[[Any], Any]) -> str:
    columns = draw(st.permutations(list(table[0])))
    separators = draw(st.sampled_from([(",", ":"), (" , ", " :  ")]))
    lines = [json.dumps({c: row[c] for c in columns}, separators=separators) for row in table]
    return draw(st.sampled_from(["\n", "\r\n", "\n \n"])).join(lines)


FORMS: dict[str, Callable[[Table, Callable[[Any], Any]], Any]] = {
    "t.csv": as_csv,
    "t.json": as_json,
    "t.jsonl": as_jsonl,
}
cells = st.text(st.sampled_from('ab1 ,;"\té\u0301|'), max_size=4).map(lambda text: f"x{text}x")
tables = st.lists(
    st.fixed_dictionaries({"title": cells, "Größe": cells, "unused": cells}), min_size=1, max_size=5
)


def write(folder: Path, table: Table, draw: Callable[[Any], Any]) -> str:
    name = draw(st.sampled_from(list(FORMS)))
    data = FORMS[name](table, draw)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(name)


@settings(max_examples=20, deadline=None)
@given(tables, st.data())
def test_only_rows_of_which_something_else_is_sent_are_asked_again(
    tmp_path_factory: pytest.TempPathFactory, provider: Recorder, table: Table, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("table")
    provider.take()
    question = "Who wrote {title} in {Größe}?"
    with surroundings(provider.port, folder):
        name = write(folder, table, data.draw)
        assert asked(provider, name) == sorted(question.format(**row) for row in table)
        table = [{"more": data.draw(cells), **row, "unused": data.draw(cells)} for row in table]
        name = write(folder, table, data.draw)
        assert asked(provider, name) == []
        changed = data.draw(st.lists(st.integers(0, len(table) - 1), unique=True))
        for number in changed:
            table[number][data.draw(st.sampled_from(["title", "Größe"]))] += "!"
        name = write(folder, table, data.draw)
        assert asked(provider, name) == sorted(question.format(**table[number]) for number in changed)


# --- one by one ----------------------------------------------------------------------------------


def test_what_is_sent_counts_for_each_prompt(here: Recorder, tmp_path: Path) -> None:
    prompts = {"one": "A {{row.a}}", "two": "B {{row.b}}", "all": "C"}
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")

    def again(text: str, *names: str) -> list[str]:
        (tmp_path / "t.csv").write_text(text)
        chosen = {name: prompts[name] for name in names}
        umwelten.batch(prompts=chosen, models="openai:a", id="a", rows="t.csv", resume=True).wait()
        return sorted(json.loads(r.body)["messages"][-1]["content"][:3] for r in here.take())

    assert again("a,b\n1,2\n3,4\n", "one", "two") == ["A 1", "A 3", "B 2", "B 4"]
    assert again('b,a,c\n2,1,"x"\n5,3,\n', "one", "two") == ["B 5"]
    assert again("a,b\n1,2\n3,6\n", "one") == []  # the other prompt is left out for once
    assert again("a,b\n1,2\n3,6\n", "one", "two") == ["B 6"]
    assert again("a,b\n1,2\n3,6\n", "one", "two", "all") == ["C\n\n", "C\n\n"]
    assert again("b,a\n2,1\n6,3\n", "one", "two", "all") == []
    assert again("b,a\n2,1\n7,3\n", "two", "all") == ["B 7", "C\n\n"]


def test_a_dry_run_announces_what_a_resume_asks(here: Recorder, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert asked(here, prompt="{{row.a}}") == ["1", "3"]
    (tmp_path / "t.csv").write_text('b;"a"\n9;1\n4;5')
    words = ["-p", "{{row.a}}", "-m", "openai:a", "--id", "a", "--rows", "t.csv", "--resume", "--dry-run"]
    told = subprocess.run(
        [sys.executable, "-m", "umwelten", "eval", "batch", *words], capture_output=True, text=True
    )
    assert "1 is answered already" in told.stdout, told.stderr
    assert asked(here, prompt="{{row.a}}") == ["5"]
    (tmp_path / "t.csv").write_text("a,b\n0,0\n5,1\n1,2\n1,3\n")
    told = subprocess.run(told.args, capture_output=True, text=True)
    assert "2 calls to make; 2 are answered already" in told.stdout, told.stderr
    assert asked(here, prompt="{{row.a}}") == ["0", "1"]


def test_of_a_row_that_is_sent_whole_every_value_counts(here: Recorder, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    assert len(asked(here, prompt="Sum up.")) == 2
    (tmp_path / "t.csv").write_text('\ufeff"b";"a"\r\n"2";"1"\r\n4;3\r\n')
    assert asked(here, prompt="Sum up.") == []
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,\n3,4,\n")
    assert len(asked(here, prompt="Sum up.")) == 2


def test_types_of_values_do_not_count_where_the_same_text_is_sent(here: Recorder, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('n,of,none\n1.50,"{""a"":[1,2],""b"":true}",\n')
    prompt = "{{row.n}} {{row.of}}{{row.none}}"
    assert asked(here, prompt=prompt) == ['1.50 {"a":[1,2],"b":true}']
    (tmp_path / "t.jsonl").write_text('{"none": null, "of": {"a": [1, 2], "b": true}, "n": 1.50}')
    assert asked(here, "t.jsonl", prompt) == []
    (tmp_path / "t.jsonl").write_text('{"none": null, "of": {"a": [1, 2], "b": true}, "n": 1.5}')
    assert asked(here, "t.jsonl", prompt) == ['1.5 {"a":[1,2],"b":true}']


def test_rows_with_the_same_values_are_calls_of_their_own(here: Recorder, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\nx,1\nx,2\n")
    assert asked(here, prompt="{{row.a}}") == ["x", "x"]
    (tmp_path / "t.csv").write_text("a,b\nx,3\ny,2\n")
    assert asked(here, prompt="{{row.a}}") == ["y"]


def stored_rule(folder: Path) -> Any:
    with closing(sqlite3.connect(folder / "output/a/evaluation.db")) as connection:
        return json.loads(connection.execute("SELECT options FROM evaluation").fetchone()[0])["row_rule"]


def test_an_evaluation_that_an_earlier_version_began_keeps_its_rule(
    here: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, prompt = tmp_path / "q.txt", "Answer {{row.first question}}"
    path.write_text("first question\nsecond one\n")
    with monkeypatch.context() as earlier:
        earlier.setattr(build_spec, "ROW_RULE", 1)
        assert asked(here, "q.txt", "Answer") == [
            'Answer\n\nFile: row-1\n<content>\n{"first question":"second one"}\n</content>'
        ]
    assert stored_rule(tmp_path) == 1
    assert asked(here, "q.txt", "Answer") == []
    path.write_text('first question\r\n"second one"\r\n')
    assert asked(here, "q.txt", "Answer") == []
    path.write_text("first question\nsecond\n")
    assert len(asked(here, "q.txt", "Answer")) == 1
    assert stored_rule(tmp_path) == 1
    umwelten.batch("Answer", "openai:a", id="a", rows="q.txt", overwrite=True).wait()
    assert (len(here.take()), stored_rule(tmp_path)) == (2, 2)
    with pytest.raises(umwelten.UsageError, match="in the prompt: "):
        umwelten.batch(prompt, "openai:a", id="b", rows="q.txt").wait()


def test_columns_and_their_names_are_found_in_either_form(here: Recorder, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeff\ufeffGro\u0308ße,\u00a0a\n170,2\n")
    assert asked(here, prompt="{{\u200brow.Größe\ufeff}} {{row.a}}", row_name="Größe") == ["170 2"]
    assert (tmp_path / "output/a/170.txt").exists()
    with pytest.raises(umwelten.UsageError) as error:
        umwelten.batch("{{row.\u0430}}", "openai:a", rows="t.csv").wait()
    assert "U+0430 CYRILLIC SMALL LETTER A" in str(error.value)


# --- rows that move ------------------------------------------------------------------------------


def texts(folder: Path) -> dict[str, str]:
    """The text files of the answers."""
    return {path.name: path.read_text() for path in (folder / "output/a").glob("*.txt")}


def echo(provider: Recorder) -> None:
    """Have every question answered by itself."""
    provider.respond = lambda request: "to " + json.loads(request.body)["messages"][-1]["content"]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=2, max_size=4), st.data())
def test_an_answer_goes_with_its_row_wherever_that_is(
    tmp_path_factory: pytest.TempPathFactory,
    provider: Recorder,
    versions: list[list[str]],
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("moved")
    provider.take()
    echo(provider)
    before: Counter[str] = Counter()
    options = {"row_name": "a"} if data.draw(st.booleans()) else {}
    with surroundings(provider.port, folder):
        for version in versions:
            (folder / "t.csv").write_text("a\n" + "".join(f"{value}\n" for value in version))
            # Older answers than those of the version before may still be there.
            new = Counter(f"{value}?" for value in (Counter(version) - before).elements())
            assert Counter(asked(provider, prompt="{{row.a}}?", **options)) <= new
            answers = umwelten.open("a").answers
            assert sorted(answer.text for answer in answers) == sorted(f"to {value}?" for value in version)
            if not options:
                by_row = {f"row-{n}": f"to {value}?" for n, value in enumerate(version, 1)}
                assert {str(answer.file): answer.text for answer in answers} == by_row
                assert by_row.items() <= {name[:-4]: text for name, text in texts(folder).items()}.items()
            before = Counter(version)


def test_answers_of_several_models_and_repeats_move_with_their_records(
    here: Recorder, tmp_path: Path
) -> None:
    here.respond = lambda request: json.dumps({"n": json.loads(request.body)["messages"][-1]["content"][:1]})

    def go(table: str) -> int:
        (tmp_path / "t.csv").write_text(table)
        results = umwelten.batch(
            "{{row.a}}?", "openai:a,ollama:b", id="a", rows="t.csv", resume=True, repeat=2, schema="n"
        ).wait()
        assert not results.failures
        for answer in results.answers:
            assert answer.data == {"n": table.splitlines()[int(str(answer.file).removeprefix("row-"))]}
        return len(here.take())

    assert go("a\nx\ny\nz\n") == 12
    assert go("a\nw\nz\nx\n") == 4
    names = {path.name for path in (tmp_path / "output/a").glob("row-*.json")}
    assert names == {
        f"row-{n}.{m}{r}.json" for n in (1, 2, 3) for m in ("openai_a", "ollama_b") for r in ("", ".r2")
    }
    assert json.loads((tmp_path / "output/a/row-3.openai_a.r2.json").read_text()) == {"n": "x"}
    assert go("a\ny\nw\nz\nx\n") == 4  # the answer about y was replaced


def test_a_row_whose_name_is_sent_is_asked_again_under_another(here: Recorder, tmp_path: Path) -> None:
    for prompt in ("Sum up.", "{{row.a}} {{file.name}}"):
        (tmp_path / "t.csv").write_text("a\nx\ny\n")
        umwelten.batch(prompt, "openai:a", id="a", rows="t.csv", overwrite=True).wait()
        here.take()
        (tmp_path / "t.csv").write_text("a\nz\nx\ny\n")
        assert len(asked(here, prompt=prompt)) == 3


def test_answers_of_an_earlier_step_move_too(here: Recorder, tmp_path: Path) -> None:
    def go(table: str) -> list[str]:
        (tmp_path / "t.csv").write_text(table)
        asked(here, prompt="{{row.a}}")
        umwelten.batch("On: {{answer}}", "openai:a", id="b", from_="a", resume=True).wait()
        return sorted(json.loads(request.body)["messages"][-1]["content"] for request in here.take())

    echo(here)
    assert go("a\nx\ny\n") == ["On: to x", "On: to y"]
    assert go("a\nz\nx\ny\n") == ["On: to z"]
