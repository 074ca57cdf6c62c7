"""What models refuse is known of some before the first call, and learned of all others at once."""

from __future__ import annotations

import json

import umwelten
from provider import Profile, Provider
from umwelten.simulate.faultserver.profile import Behaviour, Rule

MESSAGE = 'tool_choice: type "tool" and "any" are not supported for this model.'
REFUSAL = json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": MESSAGE}})
REFUSING = Rule(wire="anthropic", forced_tool=True, behaviour=Behaviour(fault=400, body=REFUSAL))


def test_no_call_is_lost_to_a_tool_that_a_known_model_cannot_be_made_to_call(server: Provider) -> None:
    server.use(Profile(rules=(REFUSING,), keep_bodies=True))
    models = ["anthropic:claude-opus-5-5", "anthropic:claude-sonnet-5-5-20260901"]
    results = umwelten.run("Describe it", models, schema="title, year? int", repeat=2).wait()
    assert [answer.attempts for answer in results] == [1, 1, 1, 1]
    assert all(answer.data for answer in results)


def test_one_is_lost_to_it_where_the_model_is_not_known(server: Provider) -> None:
    server.use(Profile(rules=(REFUSING,), keep_bodies=True))
    results = umwelten.run(
        "Describe it", "anthropic:claude-new", schema="title, year? int", repeat=3, max_concurrency=1
    ).wait()
    assert sorted(answer.attempts for answer in results) == [1, 1, 2]
    assert all(answer.data for answer in results)


def test_a_parameter_that_a_model_is_known_to_refuse_is_said_once_and_never_sent(server: Provider) -> None:
    notes: list[str] = []
    server.use(Profile(keep_bodies=True))

    def listen(event: object) -> None:
        if isinstance(event, umwelten.events.Note):
            notes.append(event.text)

    job = umwelten.run(
        "x",
        ["anthropic:claude-opus-4-8", "anthropic:claude-haiku-4-5"],
        temperature=0.5,
        repeat=2,
        on_event=listen,
    )
    assert len(job.wait()) == 4
    assert [note for note in notes if "does not take" in note] == [
        "anthropic:claude-opus-4-8 does not take temperature; it is sent without"
    ]
