"""Inputs that are no files: rows of a table, answers of an earlier evaluation; prompts with places."""

from __future__ import annotations

import csv
import json

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

ECHO = Profile(default=Behaviour(text="{prompt}"))
PLAIN = ("--progress", "none")


def _asked(server) -> list[str]:
    return sorted(record.prompt for record in server.idle().records)


def _books(folder, rows: int = 3) -> None:
    with (folder / "books.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["title", "year", "note"])
        for n in range(1, rows + 1):
            writer.writerow([f"Book {n}", 1900 + n, f'said "yes", then\nno {n}'])


def test_every_row_is_asked_about_with_its_own_values(cli, tmp_path):
    _books(tmp_path)
    with provider(ECHO) as server:
        code, _, err = cli(
            *("eval", "batch", "--rows", "books.csv", "-m", "openai:a", "-i", "b", "--concurrent"),
            *("-p", "Who wrote {{row.title}} in {{ row.year }}? Mind {braces} and {{ 1 + 1 }}.", *PLAIN),
            env=server.env(),
        )
        assert code == 0, err
        assert _asked(server) == [
            f"Who wrote Book {n} in {1900 + n}? Mind {{braces}} and {{{{ 1 + 1 }}}}." for n in (1, 2, 3)
        ]
    assert (tmp_path / "output" / "b" / "row-2.txt").read_text().startswith("Who wrote Book 2 in 1902?")


def test_a_row_is_sent_whole_where_the_prompt_names_no_column(cli, tmp_path):
    _books(tmp_path, 1)
    with provider(ECHO) as server:
        code, _, err = cli(
            *("eval", "batch", "--rows", "books.csv", "-m", "openai:a", "-p", "Judge this.", *PLAIN),
            env=server.env(),
        )
        assert code == 0, err
        [asked] = _asked(server)
    assert '"title":"Book 1"' in asked.replace('": "', '":"')
    assert "then\\nno 1" in asked


def test_rows_take_their_names_from_a_column_and_unchanged_rows_are_not_asked_again(cli, tmp_path):
    _books(tmp_path)
    line = ("eval", "batch", "--rows", "books.csv", "--row-name", "title", "-m", "openai:a", "-i", "b")
    with provider(ECHO) as server:
        assert cli(*line, "-p", "{{row.note}}", *PLAIN, env=server.env())[0] == 0
        assert sorted(p.name for p in (tmp_path / "output" / "b").glob("*.txt")) == [
            f"Book {n}.txt" for n in (1, 2, 3)
        ]
        table = (tmp_path / "books.csv").read_text()
        (tmp_path / "books.csv").write_text(table.replace("1902", "1999") + "Book 4,1904,new\n")
        server.reset()
        code, _, err = cli(*line, "-p", "{{row.note}}", "--resume", *PLAIN, env=server.env())
        assert code == 0, err
        assert server.idle().requests == 1  # the new one: of the changed one, another column is sent


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.jsonl", lambda rows: "\n".join(json.dumps(row) for row in rows)),
        ("t.json", json.dumps),
        ("t.tsv", lambda rows: "a\tb\n" + "".join(f"{row['a']}\t{row['b']}\n" for row in rows)),
    ],
)
def test_tables_of_every_kind(cli, tmp_path, name, write):
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "ü"}]
    (tmp_path / name).write_text(write(rows))
    with provider(ECHO) as server:
        code, _, err = cli(
            *("eval", "batch", "--rows", name, "-m", "ollama:a", "-p", "{{row.a}}-{{row.b}}", *PLAIN),
            env=server.env(),
        )
        assert code == 0, err
        assert _asked(server) == ["1-x", "2-ü"]


def test_a_broken_line_fails_alone(cli, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": \n{"a": 3}\n')
    with provider(ECHO) as server:
        code, _, err = cli(
            *("eval", "batch", "--rows", "t.jsonl", "-m", "openai:a", "-p", "{{row.a}}", *PLAIN),
            env=server.env(),
        )
        assert code == 1, err
        assert "line 2" in err
        assert _asked(server) == ["1", "3"]


@pytest.mark.parametrize(
    ("prompt", "source", "said"),
    [
        ("{{row.titel}}", ("--rows", "books.csv"), ("row.titel", "row.title", "row.year")),
        ("{{answer}}", ("--rows", "books.csv"), ("answer", "row.title")),
        ("{{contents}}", ("--directory", "."), ("contents", "content", "file.name")),
    ],
)
def test_an_unknown_placeholder_names_the_known_ones(cli, tmp_path, prompt, source, said):
    _books(tmp_path)
    with provider(ECHO) as server:
        code, _, err = cli("eval", "batch", "-p", prompt, "-m", "openai:a", *source, env=server.env())
        assert code == 2
        assert server.idle().requests == 0
    assert all(word in err for word in said), err
    assert not (tmp_path / "output").exists()


def test_content_goes_where_the_prompt_says_and_stands_there_without_a_frame(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Bonjour.\n")
    with provider(ECHO) as server:
        code, _, err = cli(
            *("eval", "batch", "--directory", "in", "-m", "openai:a", *PLAIN),
            *("-p", "Translate <<{{content}}>> from {{file.name}}; \\{{content}} stays."),
            env=server.env(),
        )
        assert code == 0, err
        assert _asked(server) == ["Translate <<Bonjour.>> from a.txt; {{content}} stays."]


def test_answers_of_one_evaluation_are_the_inputs_of_the_next(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(4):
        (tmp_path / "in" / f"{n}.txt").write_text(f"text {n}")
    first = Profile(default=Behaviour(text='{"relevant": true, "n": 1}'))
    with provider(first) as server:
        line = ("eval", "batch", "--directory", "in", "-m", "openai:a", "-i", "one", "-p", "Judge.", *PLAIN)
        assert cli(*line, env=server.env())[0] == 0
        server.use(ECHO)
        server.reset()
        code, _, err = cli(
            *("eval", "batch", "--from", "one", "-m", "google:b", "-i", "two", *PLAIN),
            *("--where", "status=succeeded and json.relevant=true", "-p", "Of {{file.name}}: {{answer}}"),
            env=server.env(),
        )
        assert code == 0, err
        assert _asked(server) == [f'Of {n}.txt: {{"relevant": true, "n": 1}}' for n in range(4)]
        assert sorted(p.name for p in (tmp_path / "output" / "two").glob("*.txt")) == [
            f"{n}.txt.txt" for n in range(4)
        ]
        server.reset()
        code, _, err = cli(
            *("eval", "batch", "--from", "one", "-m", "google:b", "-p", "x", "--where", "json.n > 1"),
            env=server.env(),
        )
        assert code == 2
        assert "4" in err
        assert server.idle().requests == 0


def test_every_prompt_goes_to_every_model_about_every_file(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(2):
        (tmp_path / "in" / f"{n}.txt").write_text(f"text {n}")
    (tmp_path / "prompts.toml").write_text('[prompts]\nshort = "Sum up."\nlong = "Explain {{file.name}}."\n')
    line = ("eval", "batch", "--directory", "in", "--prompts", "prompts.toml", "-i", "b", *PLAIN)
    with provider(ECHO) as server:
        code, _, err = cli(*line, "-m", "openai:a,google:b", env=server.env())
        assert code == 0, err
        assert server.idle().requests == 8
        names = sorted(path.name for path in (tmp_path / "output" / "b").glob("*.txt"))
        assert len(names) == 8
        assert "0.txt.long.google_b.txt" in names
        report = json.loads(cli("eval", "report", "-i", "b", "-f", "json")[1])
        seen = {(r["file"], r["model"], r["prompt"]) for r in report["results"]}
        assert len(seen) == 8
        assert {prompt for _, _, prompt in seen} == {"short", "long"}
        for result in report["results"]:
            assert ("Sum up." in result["response"]) == (result["prompt"] == "short")
        # One more prompt is like one more model; another text under a known name is not.
        text = (tmp_path / "prompts.toml").read_text()
        (tmp_path / "prompts.toml").write_text(text + 'third = "And?"\n')
        server.reset()
        assert cli(*line, "-m", "openai:a,google:b", "--resume", env=server.env())[0] == 0
        assert server.idle().requests == 4
        (tmp_path / "prompts.toml").write_text(text.replace("Sum up.", "Sum it up."))
        code, _, err = cli(*line, "-m", "openai:a,google:b", "--resume", env=server.env())
        assert code == 2
        assert "Sum it up." in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--rows", "books.csv", "--directory", "."), ("--directory", "--rows", "exclude")),
        (("--rows", "books.csv", "--where", "x=1"), ("--where", "--from")),
        (("--directory", ".", "--row-name", "title"), ("--row-name", "--rows")),
        (("--rows", "books.csv", "--row-name", "tilte"), ("tilte", "title")),
        (("--from", "nothing"), ("nothing",)),
        (("--rows", "books.csv", "--coerce"), ("--coerce", "--schema")),
        (("--rows", "books.csv", "--report", "x.docx"), (".docx", ".csv")),
        (("--rows", "books.csv", "--schema", "a int: 5-1"), ("5-1",)),
        (("--rows", "books.csv", "--prompts", "books.csv"), ("exclude",)),
    ],
)
def test_flags_that_cannot_be_meant_say_what_to_do(cli, tmp_path, flags, said):
    _books(tmp_path)
    with provider(ECHO) as server:
        code, _, err = cli("eval", "batch", "-p", "x", "-m", "openai:a", *flags, env=server.env())
        assert code == 2, err
        assert server.idle().requests == 0
    assert all(word in err for word in said), err
    assert not (tmp_path / "output").exists()
