"""Pairs of earlier answers are asked about: what is sent and kept, and which changes ask again."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator, Mapping
from itertools import permutations
from pathlib import Path

import msgspec
import pytest
from tests.scoredkit import evaluate, write_table

from corpus import pictures
from provider import Provider, provider
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preview import preview
from umwelten.evaluation.spec import EvaluationSpec, Output
from umwelten.inputs import scan
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.pairs import AnswerPair, pairs_as_inputs
from umwelten.inputs.sources import Inputs
from umwelten.prompts.template import Template
from umwelten.prompts.token_estimates import input_size
from umwelten.records import Derived
from umwelten.report.queries.asked_calls import asked_detail
from umwelten.report.queries.calls import by_id, call_detail
from umwelten.report.render.call import render_call
from umwelten.report.render.csv import render_csv
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.store.asked import asked
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import stored_answers
from umwelten.store.stored_pairs import AnswerPlace, pair_calls
from umwelten.types import ModelRef, Prompt, RequestSettings

JUDGE = ModelRef("openai", "judge")
PROMPT = "Asked: {{prompt}}\nOne: {{first}}\nTwo: {{second}}\nWhich?"


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider(Profile()) as found:
        yield found


def settings_for(server: Provider, folder: Path) -> Settings:
    return load(folder, server.env(), folder, toml=False)


def pairs_of(folder: Path) -> Iterator[AnswerPair]:
    with Reader.open(folder) as reader:
        calls = list(stored_answers(reader))
    for one, other in permutations(calls, 2):
        if one.file == other.file and one.model != other.model:
            first, second = AnswerPlace(call=one.id), AnswerPlace(call=other.id)
            yield AnswerPair(first=first, second=second, name=f"{one.file}.{one.slug}.{other.slug}")


def ranking(folder: Path, prompt: str = PROMPT) -> EvaluationSpec:
    chained = Template(prompt).chained
    inputs = pairs_as_inputs(folder, lambda: pairs_of(folder), chained=chained)
    return EvaluationSpec(
        kind="batch",
        models=(JUDGE,),
        request=RequestSettings(prompts=(Prompt(name="", text=prompt),), source="pairs"),
        inputs=msgspec.structs.replace(inputs, added=AddedValues(framed=in_capitals)),
        derived=Derived(role="rank", of=folder.name, scorer="rank", definition={"of": [folder.name]}),
        output=Output(id=f"{folder.name}.rank", mode="resume", output_dir=folder.parent),
    )


def in_capitals(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return values as they are inserted, which is not how they are kept."""
    return {**values, **{name: values[name].upper() for name in ("first", "second")}}


def ask(spec: EvaluationSpec, server: Provider, folder: Path) -> int:
    """Make the calls that are missing; returns how many requests were sent."""
    before = server.idle().answered
    settings = settings_for(server, folder)
    evaluation = Evaluation.prepare(spec, settings, vendors(settings))
    try:
        asyncio.run(evaluation.run())
    finally:
        evaluation.close()
    return server.idle().answered - before


def test_what_is_asked_is_kept_reported_and_asked_again_only_where_it_changed(
    server: Provider, tmp_path: Path
) -> None:
    table = [{"n": str(n), "a": f"one {n}", "b": f"uno {n}"} for n in (1, 2)]
    models, output = {"echo:a": "a", "echo:b": "b"}, tmp_path / "output"
    folder = evaluate(write_table(tmp_path / "t.csv", table), models, output=output)
    assert ask(ranking(folder), server, tmp_path) == 4
    assert ask(ranking(folder), server, tmp_path) == 0
    with Reader.open(output / "x.rank") as reader:
        verdicts, calls = list(pair_calls(reader)), list(stored_answers(reader))
        texts = [asked_detail(asked(reader, call.id)) for call in calls]
        out = io.StringIO()
        render_csv([reader], out)
        shown = io.StringIO()
        render_call(call_detail(reader, next(by_id(reader, calls[1].id))), shown)
    assert [(call.first, call.second) for call in verdicts] == [
        (pair.first, pair.second) for pair in pairs_of(folder)
    ]
    assert texts[1].text == "Asked: Which is it, 1?\nOne: UNO 1\nTwo: ONE 1\nWhich?"
    assert (texts[1].first_answer, texts[1].second_answer) == ("uno 1", "one 1")
    pair = f"pair {verdicts[1].first} {verdicts[1].second}\n"
    assert pair in shown.getvalue()
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["first_answer"], row["second_answer"]) for row in rows[:2]] == [
        ("one 1", "uno 1"),
        ("uno 1", "one 1"),
    ]

    # Another answer asks about its pairs again, and nothing else does: not the same table under another name.
    table[1]["b"] = "dos"
    other = evaluate(write_table(tmp_path / "other.csv", table), models, id="y", output=output)
    (output / "x").rename(output / "old")
    other.rename(output / "x")
    assert ask(ranking(folder), server, tmp_path) == 2
    with Reader.open(output / "x.rank") as reader:
        assert [call.succeeded for call in pair_calls(reader)] == [True] * 4


def test_the_plan_counts_pairs_and_all_that_is_sent(server: Provider, tmp_path: Path) -> None:
    table = [{"n": "1", "a": "word " * 400, "b": "Wort " * 400}]
    folder = evaluate(
        write_table(tmp_path / "t.csv", table), {"echo:a": "a", "echo:b": "b"}, output=tmp_path / "output"
    )
    settings = settings_for(server, tmp_path)
    plan = preview(ranking(folder), settings, vendors(settings), at=0.0)
    assert (plan.source, plan.files, sum(plan.by_model.values())) == ("pairs", 2, 2)
    assert plan.first == ("row-1.echo_a.echo_b", "row-1.echo_b.echo_a")
    # Both answers have 4,000 bytes, and the row, which the question may have, as many.
    assert plan.file_bytes == pytest.approx(2 * 8_000, rel=0.01)
    assert plan.input_tokens == pytest.approx(plan.file_bytes / 4, rel=0.05)


def test_the_picture_that_both_answers_are_about_is_sent_with_them(server: Provider, tmp_path: Path) -> None:
    server.use(Profile(default=Behaviour(text="{model}: {files}")))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "moon.png").write_bytes(pictures.saved(pictures.drawn(), "PNG"))
    first = EvaluationSpec(
        kind="batch",
        models=(ModelRef("openai", "a"), ModelRef("openai", "b")),
        request=RequestSettings(prompts=(Prompt(name="", text="What is it?"),)),
        inputs=Inputs(files=lambda: scan(tmp_path / "in")),
        output=Output(id="x", output_dir=tmp_path / "output"),
    )
    ask(first, server, tmp_path)
    folder = tmp_path / "output" / "x"
    spec = ranking(folder, "{{input}}\n{{first}} or {{second}}")
    assert ask(spec, server, tmp_path) == 2
    assert spec.inputs is not None
    size = input_size(next(spec.inputs.files()))
    assert (size.name, size.file_bytes) == ("moon.png", (tmp_path / "in" / "moon.png").stat().st_size)
    with Reader.open(tmp_path / "output" / "x.rank") as reader:
        calls = list(stored_answers(reader))
        sent = [asked(reader, call.id) for call in calls]
    mark = str(calls[0].text).removeprefix("judge: ")  # of the picture, which all three have seen
    assert mark
    assert [one.text for one in sent] == [
        f"[moon.png]\nA: {mark.upper()} or B: {mark.upper()}",
        f"[moon.png]\nB: {mark.upper()} or A: {mark.upper()}",
    ]
    assert [one.media[0].path for one in sent] == [str(tmp_path / "in" / "moon.png")] * 2
    # A judge must not see another picture than the models did.
    (tmp_path / "in" / "moon.png").write_bytes(pictures.saved(pictures.drawn((9, 9)), "PNG"))
    (tmp_path / "output" / "x.rank").rename(tmp_path / "output" / "other")
    assert ask(spec, server, tmp_path) == 0
    with Reader.open(tmp_path / "output" / "x.rank") as reader:
        assert all("not as evaluation 'x' sent it" in str(call.error_message) for call in pair_calls(reader))
