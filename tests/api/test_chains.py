"""Chains: what an answer was asked, its input and its record stand in the prompts of later steps."""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

import umwelten
from provider import Profile, Provider
from umwelten.api.argument_names import as_argument
from umwelten.config.endpoints import vendors
from umwelten.config.settings import load
from umwelten.errors import UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preview import Preview, preview
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import InputChanged
from umwelten.inputs.reader import asked
from umwelten.simulate.faultserver.profile import Behaviour, Rule
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import stored_answers

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TABLE = "q,want\nsum of 1 and 1,2\ncapital of Peru,Lima\n"


@pytest.fixture
def here(server: Provider, tmp_path: Path) -> Path:
    """A table, a picture and a text; whoever is asked says all that it was told."""
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(PNG)
    (tmp_path / "in/b.txt").write_text("Dear Sir")
    answering(server, "{prompt}|{files}")
    return tmp_path


def answering(server: Provider, text: str) -> None:
    server.use(Profile(default=Behaviour(text=text, shaped="ignore"), keep_bodies=True))


def batch(prompt: str, id: str, **options: Any) -> list[str]:
    results = umwelten.batch(prompt, options.pop("models", "openai:a"), id=id, **options).wait()
    assert not results.failures, results.failures[0].error
    return [answer.text or "" for answer in results]


def failure(prompt: str, id: str, **options: Any) -> str:
    (failed, *_) = umwelten.batch(prompt, "openai:a", id=id, **options).wait().failures
    return f"{failed.error}"


def test_the_question_its_row_and_the_answer_are_filled_in(server: Provider, here: Path) -> None:
    answering(server, "It is 4")
    batch("What is {{row.q}}?", "first", rows="t.csv")
    answering(server, "{prompt}")
    said = batch("Q: {{prompt}} A: {{answer}} W: {{row.want}}", "second", from_="first")
    assert said == [
        "Q: What is sum of 1 and 1? A: It is 4 W: 2",
        "Q: What is capital of Peru? A: It is 4 W: Lima",
    ]
    # The answer of an answer: its question and its row are found along the chain.
    (third, _) = batch("<{{prompt}}> {{row.want}} {{input}}", "third", from_="second")
    assert third == f"<{said[0]}> 2 File: row-1\n<content>\nIt is 4\n</content>"


def test_the_input_comes_as_any_model_gets_it(server: Provider, here: Path) -> None:
    batch("Read.", "first", directory="in")
    said = batch("See {{input}}. {{prompt}}", "second", from_="first")
    assert said[0].startswith("See [a.png]. Read.|")
    assert said[1] == "See File: b.txt\n<content>\nDear Sir\n</content>. Read.|"
    bodies = [str(record.body) for record in server.ledger.records]
    assert sum(base64.b64encode(PNG).decode() in body for body in bodies) == 2  # asked about, and shown again


def test_a_prompt_with_content_and_a_run_without_input(server: Provider, here: Path) -> None:
    batch("About {{content}}: why?", "first", files=["in/b.txt"])
    assert batch("{{prompt}}", "second", from_="first") == ["About Dear Sir: why?|"]
    umwelten.run("Say \\{{hi}}", "openai:a", id="alone").wait()
    assert batch("{{prompt}}[{{input}}]", "of-run", from_="alone") == ["Say {{hi}}[]|"]


def test_fields_of_the_record_are_filled_in(server: Provider, here: Path) -> None:
    answering(server, '{"who": {"name": "Ada"}, "n": 7, "no": null}')
    batch("Read.", "first", files=["in/b.txt"])
    answering(server, "{prompt}")
    assert batch("{{json.who.name}} {{json.n}} {{json.who}}", "second", from_="first") == [
        'Ada 7 {"name":"Ada"}'
    ]
    with pytest.raises(UsageError) as error:
        batch("{{json.whom}}", "third", from_="first")
    assert "{{json.whom}}" in error.value.message and "json.who" in (error.value.hint or "")


def test_a_field_that_one_answer_lacks_fails_that_call(server: Provider, here: Path) -> None:
    default = Behaviour(text='{"a": 1}', shaped="ignore")
    rules = (Rule(prompt="Peru", behaviour=Behaviour(text='{"b": 1}', shaped="ignore")),)
    server.use(Profile(default=default, rules=rules))
    batch("{{row.q}}", "first", rows="t.csv")
    assert "json.a" in failure("{{json.a}}", "second", from_="first")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{{row.wnat}}", "did you mean {{row.want}}?"),
        ("{{promt}}", "did you mean {{prompt}}?"),
        ("{{expected}}", "nothing says what is expected"),
    ],
)
def test_what_is_not_there_is_refused_before_the_first_call(
    server: Provider, here: Path, prompt: str, said: str
) -> None:
    batch("{{row.q}}", "first", rows="t.csv")
    with pytest.raises(UsageError) as error:
        batch(prompt, "second", from_="first")
    assert said in error.value.message
    assert not (here / "output/second").exists()


def test_rows_are_refused_where_there_are_none(server: Provider, here: Path) -> None:
    batch("Read.", "first", files=["in/b.txt"])
    with pytest.raises(UsageError) as error:
        batch("{{row.q}}", "second", from_="first")
    assert "not about rows" in (error.value.hint or "")


def test_an_input_that_changed_since_is_not_sent(server: Provider, here: Path) -> None:
    batch("{{row.q}}", "rows", rows="t.csv")
    batch("Read.", "texts", directory="in")
    (here / "t.csv").write_text(TABLE.replace("sum", "set"))
    (here / "in/b.txt").write_text("Dear Madam")
    (here / "in/a.png").unlink()
    assert "row-1 is not as evaluation 'rows' sent it" in failure("{{input}}", "second", from_="rows")
    results = umwelten.batch("{{input}}", "openai:a", id="third", from_="texts").wait()
    assert len(results.failures) == 2
    with Reader.open(results.folder) as reader:
        codes = reader.connection.execute("SELECT error_code FROM attempts").fetchall()
    assert [code for (code,) in codes] == ["input_changed"] * 2
    # Prompts that show neither are asked as ever.
    assert len(batch("{{answer}}", "fourth", from_="texts")) == 2
    # Other bytes count, another time does not.
    (here / "in/b.txt").write_text("Dear Sir")
    os.utime(here / "in/b.txt", (1, 1))
    assert len(batch("{{input}}", "fifth", from_="texts", where="file = b.txt")) == 1


def test_a_resume_asks_again_what_is_sent_otherwise(server: Provider, here: Path) -> None:
    answering(server, "4")
    batch("What is {{row.q}}?", "first", rows="t.csv")
    for name, prompt in (("plain", "Is {{answer}} right?"), ("second", "Is {{answer}} {{row.want}}?")):
        batch(prompt, name, from_="first")
    (here / "t.csv").write_text(TABLE.replace("Lima", "Rome"))
    batch("What is {{row.q}}?", "first", rows="t.csv", resume=True)
    asked_before = server.ledger.requests
    batch("Is {{answer}} right?", "plain", from_="first", resume=True)
    assert server.ledger.requests == asked_before
    batch("Is {{answer}} {{row.want}}?", "second", from_="first", resume=True)
    assert server.ledger.requests == asked_before + 1
    batch("Is {{answer}} {{row.want}}?", "second", from_="first", resume=True)
    assert server.ledger.requests == asked_before + 1


def test_a_column_that_was_not_sent_may_change(server: Provider, here: Path) -> None:
    batch("{{row.q}}", "rows", rows="t.csv")
    (here / "t.csv").write_text(TABLE.replace(",2", ",3"))
    assert batch("{{row.q}} {{row.want}}", "second", from_="rows")[0] == "sum of 1 and 1 3|"


def test_what_is_expected_is_filled_in(server: Provider, here: Path) -> None:
    batch("{{row.q}}", "rows", rows="t.csv")
    answering(server, "{prompt}")
    assert batch("W: {{expected}}", "second", from_="rows", expected="<{{row.want}}>") == [
        "W: <2>",
        "W: <Lima>",
    ]
    (here / "labels.csv").write_text("file,expected\nrow-2,Lima\n")
    one = batch("{{expected}}", "third", from_="rows", expected="labels.csv", where="file = row-2")
    assert one == ["Lima"]
    missing = failure("{{expected}}", "fourth", from_="rows", expected="labels.csv")
    assert "nothing says what is expected of row-1" in missing
    with pytest.raises(UsageError) as error:
        batch("{{expected}}", "fifth", from_="rows", expected="{{row.wnat}}")
    assert "did you mean {{row.want}}?" in error.value.message
    # Another reference is another question.
    labels: dict[str, Any] = {"from_": "rows", "expected": "labels.csv", "where": "file = row-2"}
    assert batch("{{expected}}", "third", **labels, resume=True) == ["Lima"]
    (here / "labels.csv").write_text("file,expected\nrow-2,Cuzco\n")
    assert batch("{{expected}}", "third", **labels, resume=True) == ["Cuzco"]


def test_the_question_is_there_for_others(server: Provider, here: Path) -> None:
    batch("{{row.q}}", "rows", rows="t.csv")
    with Reader.open(here / "output/rows") as reader:
        (first, _) = [call.id for call in stored_answers(reader)]
    question = asked(here / "output/rows", first)
    assert question.content is not None
    assert question.content.values["row.want"] == "2"
    (here / "t.csv").write_text("q,want\n")
    with pytest.raises(InputChanged):
        asked(here / "output/rows", first)


def test_values_are_added_and_framed_by_the_package(server: Provider, here: Path) -> None:
    batch("{{row.q}}", "rows", rows="t.csv")
    added = AddedValues(
        names=("expected",),
        of=lambda content: {"expected": content.values["row.want"] * 2},
        framed=lambda values: {name: f"<{name}>{text}</{name}>" for name, text in values.items()},
    )
    settings = load(here, dict(os.environ), here).with_flags(
        {"models": ["openai:a"], "prompt": "{{expected}} {{row.want}}", "from_": "rows", "id": "second"},
        as_argument,
        arguments=True,
    )
    known = vendors(settings)
    spec = build_spec("batch", settings, known, [])
    assert spec.inputs is not None
    spec = msgspec.structs.replace(spec, inputs=msgspec.structs.replace(spec.inputs, added=added))
    with closing(Evaluation.prepare(spec, settings, known)) as evaluation:
        asyncio.run(evaluation.run())
    assert [answer.text for answer in umwelten.open("second")] == [
        "<expected>22</expected> <row.want>2</row.want>|",
        "<expected>LimaLima</expected> <row.want>Lima</row.want>|",
    ]
    again = msgspec.structs.replace(spec, output=msgspec.structs.replace(spec.output, mode="resume"))
    assert preview(again, settings, known, at=0).calls == 0


def test_estimates_count_the_input_and_know_which_models_see_it(server: Provider, here: Path) -> None:
    batch("Read.", "texts", directory="in")
    settings = load(here, dict(os.environ), here)

    def plan(prompt: str, model: str = "openai:a") -> Preview:
        given = {"models": [model], "prompt": prompt, "from_": "texts"}
        asked = settings.with_flags(given, as_argument, arguments=True)
        return preview(build_spec("batch", asked, vendors(asked), []), asked, vendors(asked), at=0)

    assert plan("{{answer}}").picture_tokens == 0
    assert plan("{{answer}}{{input}}").picture_tokens == 1000
    assert plan("{{answer}}", "anthropic:claude-2").unsendable == 0
    assert plan("{{answer}}{{input}}", "anthropic:claude-2").unsendable == 1
