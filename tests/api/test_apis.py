"""OpenAI's two APIs, from outside: chosen by name, learned from a refusal, and kept with the answer."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

import umwelten
from provider import Profile, Provider
from umwelten.simulate.faultserver.profile import Behaviour, Rule
from umwelten.simulate.faultserver.tools.spec import ToolTurns

WORDS = "This model is only supported in v1/responses and not in v1/chat/completions."
BODY = json.dumps({"error": {"message": WORDS, "type": "invalid_request_error", "param": "model"}})
REFUSING = Rule(wire="openai", model="gpt-new", behaviour=Behaviour(fault=404, body=BODY))


def paths(server: Provider) -> list[str]:
    """The wires that were asked, in order."""
    return [record.wire for record in server.ledger.records]


@pytest.mark.parametrize("stream", [False, True])
def test_an_api_that_a_provider_names_is_learned_at_the_cost_of_one_call(
    server: Provider, stream: bool
) -> None:
    notes: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, umwelten.events.Note):
            notes.append(event.text)

    server.use(Profile(rules=(REFUSING,), default=Behaviour(text="four")))
    results = umwelten.run(
        "Hi", "openai:gpt-new", repeat=3, max_concurrency=1, seed=7, stream=stream, on_event=listen
    ).wait()
    assert [answer.text for answer in results] == ["four"] * 3
    assert sorted(answer.attempts for answer in results) == [1, 1, 2]
    assert paths(server) == ["openai", "responses", "responses", "responses"]
    assert [note for note in notes if "reached" not in note] == [
        "openai:gpt-new is asked over the Responses API, as its provider says, without seed"
    ]


def test_the_row_of_each_answer_says_which_api_it_came_from(server: Provider) -> None:
    server.use(Profile(rules=(REFUSING,)))
    results = umwelten.run("Hi", ["openai:gpt-new", "openai:small"], id="which").wait()
    with closing(sqlite3.connect(results.folder / "evaluation.db")) as database:
        said = "json_extract(c.usage_details, '$.api')"
        query = f"SELECT m.name, {said} FROM calls c JOIN models m ON m.id = c.model_id"
        assert dict(database.execute(query)) == {"openai:gpt-new": "responses", "openai:small": None}
    stored = umwelten.open("which")
    assert [answer.text for answer in stored] == [answer.text for answer in results]


def test_an_api_that_is_chosen_is_asked_and_no_other(server: Provider) -> None:
    server.use(Profile(rules=(REFUSING,)))
    notes: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, umwelten.events.Note):
            notes.append(event.text)

    umwelten.run("Hi", "openai:small", api="responses", stop="x", on_event=listen).wait()
    results = umwelten.run("Hi", "openai:gpt-new", api="chat").wait()
    assert paths(server) == ["responses", "openai"]
    assert [note for note in notes if "reached" not in note] == [
        "openai:small does not take stop; it is sent without"
    ]
    assert len(results) == 0


def test_an_answer_from_either_is_the_same_call(server: Provider) -> None:
    umwelten.run("Hi", "openai:small", id="same").wait()
    umwelten.run("Hi", "openai:small", id="same", resume=True, api="responses").wait()
    assert paths(server) == ["openai"]


def test_the_api_is_no_field_of_a_request(server: Provider) -> None:
    with pytest.raises(umwelten.UsageError, match="api is not a field of a request") as caught:
        umwelten.run("Hi", "openai:small", params={"api": "responses"}).wait()
    assert "api" in str(caught.value.hint)


def test_an_api_that_nobody_can_be_asked_by_is_noted(server: Provider) -> None:
    notes: list[str] = []

    def listen(event: object) -> None:
        if isinstance(event, umwelten.events.Note):
            notes.append(event.text)

    umwelten.run("Hi", "google:small", api="responses", on_event=listen).wait()
    assert "api: no provider of this run has a choice of APIs" in notes


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.mark.parametrize("stream", [False, True])
def test_tools_that_chat_completions_refuse_are_called_over_responses(server: Provider, stream: bool) -> None:
    turns = ToolTurns(turns=2, thinking=True)
    server.use(Profile(responses_only=("gpt-*",), default=Behaviour(text="{results}", tool_turns=turns)))
    results = umwelten.run(
        "Add up.", "openai:gpt-new", tools=[add], schema="sum int", stream=stream, max_concurrency=1
    ).wait()
    (answer,) = results
    assert set(answer.data) == {"sum"}
    assert paths(server) == ["openai", "responses", "responses", "responses"]
    assert [record.status for record in server.ledger.records] == [400, 200, 200, 200]
