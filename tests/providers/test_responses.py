"""The Responses API: what is read, held against the official client's types."""

from __future__ import annotations

import json
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from providers.responsekit import (
    CALL,
    HOME,
    REASONING,
    TURN,
    WIRE,
    asking,
    events,
    message,
    response,
    sent,
    stream,
)
from umwelten.tool_calls import ModelTurn, ToolCall, ToolResult, ToolResults
from umwelten.types import (
    FailureKind,
    FinishReason,
    Reply,
)
from wirekit import (
    CUTS,
    answered,
    decoded,
    failed,
    head,
    noisy,
    sse,
    streamed,
)


def test_the_answer_is_every_text_but_commentary_and_reasoning_comes_first() -> None:
    thought = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "Hm."}]}
    items = (thought, message("Let me see.", phase="commentary"), message("Rain", " today."))
    for reply in (decoded(WIRE, HOME, response(*items)), stream(sse(*events(*items)))[1]):
        reply = answered(reply)
        assert (reply.text, reply.reasoning, reply.api) == ("Rain today.", "Hm.", "responses")
        assert (reply.finish_reason, reply.served_model) == (FinishReason.STOP, "gpt-6")
        usage = reply.usage
        assert (usage.input_tokens, usage.cached_tokens, usage.cache_write_tokens) == (30, 20, 5)
        assert (usage.output_tokens, usage.reasoning_tokens, usage.service_tier) == (12, 8, "default")
    assert stream(sse(*events(*items)))[0] == "Rain today."
    only = answered(decoded(WIRE, HOME, response(message("That is all.", phase="commentary"))))
    assert only.text == "That is all."


def test_searches_of_the_web_are_counted_for_their_price() -> None:
    searches = [
        {"type": "web_search_call", "action": {"type": kind}} for kind in ("search", "open_page", "search")
    ]
    counted = answered(decoded(WIRE, HOME, response(*searches, message("Rain."))))
    assert counted.usage.details == {"web_searches": 2}
    stated = response(*searches, message("Rain."), tool_usage={"web_search": {"num_requests": 1}})
    assert answered(stream(sse(*events(*searches, message("Rain."), end=stated)))[1]).usage.details == {
        "web_searches": 1
    }
    assert answered(decoded(WIRE, HOME, response(message("Rain.")))).usage.details == {}


def test_a_text_of_the_officials_clients_making_is_read_by_it_too() -> None:
    body = response(message("a", "b"), tools=[], tool_choice="auto", parallel_tool_calls=True, created_at=1.0)
    official = Response.model_validate(body)
    assert official.output_text == answered(decoded(WIRE, HOME, body)).text == "ab"


@pytest.mark.parametrize(
    ("fields", "kind", "retry", "code"),
    [
        (
            {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "m"}},
            "rate_limit",
            True,
            None,
        ),
        (
            {"status": "failed", "error": {"code": "server_error", "message": "overloaded"}},
            "server",
            True,
            None,
        ),
        (
            {"status": "failed", "error": {"code": "vector_store_timeout", "message": "m"}},
            "server",
            True,
            None,
        ),
        (
            {"status": "failed", "error": {"code": "bio_policy", "message": "m"}},
            "bad_request",
            False,
            "blocked",
        ),
        (
            {"status": "failed", "error": {"code": "image_too_large", "message": "m"}},
            "bad_request",
            False,
            None,
        ),
        (
            {"status": "failed", "error": {"code": "empty_image_file", "message": "m"}},
            "bad_request",
            False,
            None,
        ),
        (
            {"status": "failed", "error": {"code": "image_content_policy_violation", "message": "m"}},
            "bad_request",
            False,
            "blocked",
        ),
        ({"status": "failed", "error": None}, "server", True, None),
        ({"status": "cancelled"}, "server", True, None),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "bad_request",
            False,
            "content_filter",
        ),
    ],
)
def test_a_reply_with_status_200_may_be_a_failure(
    fields: dict[str, Any], kind: str, retry: bool, code: str | None
) -> None:
    whole = response(message("half"), **fields)
    told = events(message("half"), end=whole)
    for outcome in (decoded(WIRE, HOME, whole), stream(sse(*told))[1]):
        failure = failed(outcome)
        assert (str(failure.kind), failure.retry, failure.partial) == (kind, retry, "half")
        assert code is None or failure.code == code
        assert failure.usage.output_tokens == 12


def test_a_refusal_is_blocked_and_a_cut_answer_is_kept() -> None:
    refused = message(content=[{"type": "refusal", "refusal": "I can't."}])
    failure = failed(decoded(WIRE, HOME, response(refused)))
    assert (failure.code, failure.retry, failure.message) == ("refusal", False, "blocked: I can't.")
    told = events(message())[:-2]
    told.append({"type": "response.refusal.delta", "output_index": 0, "delta": "I can't."})
    failure = failed(stream(sse(*told, {"type": "response.completed", "response": response()}))[1])
    assert failure.message == "blocked: I can't."
    cut = response(message("Ra"), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    for outcome in (decoded(WIRE, HOME, cut), stream(sse(*events(message("Ra"), end=cut)))[1]):
        assert answered(outcome).finish_reason is FinishReason.LENGTH
        assert answered(outcome).usage.output_tokens == 12


@pytest.mark.parametrize("end", ["cut", "error", "failed"])
def test_a_stream_that_breaks_keeps_what_it_told(end: str) -> None:
    told = events(message("Rain today."))[:-2]
    if end == "error":
        told.append({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None})
    if end == "failed":
        error = {"code": "rate_limit_exceeded", "message": "slow down"}
        told.append({"type": "response.failed", "response": {"status": "failed", "error": error}})
    text, outcome = stream(sse(*told))
    failure = failed(outcome)
    assert text == failure.partial == "Rain today."
    assert failure.kind is (FailureKind.SERVER if end == "cut" else FailureKind.RATE_LIMIT)


# --- calls -------------------------------------------------------------------------------------


def _without_end(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*told[:-1], {"type": "response.completed", "response": response()}]


def _deltas_only(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ended = ("response.output_item.done", "response.function_call_arguments.done")
    return _without_end([event for event in told if event["type"] not in ended])


def _done_only(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in told if not event["type"].endswith(".delta")]


def _hollow(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: type(value)() if name in ("arguments", "content") else value for name, value in item.items()
    }


def _hollow_ends(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    *others, end = told
    others = [
        event | {"item": _hollow(event["item"])} if event["type"].endswith("item.done") else event
        for event in others
    ]
    whole = end["response"]
    return [*others, end | {"response": whole | {"output": list(map(_hollow, whole["output"]))}}]


@pytest.mark.parametrize(
    "telling",
    [list, _without_end, _deltas_only, _done_only, _hollow_ends],
    ids=["whole", "empty end", "deltas", "done", "hollow ends"],
)
def test_calls_are_read_wherever_a_server_tells_them(telling: Any) -> None:
    second = CALL | {"id": "fc_2", "call_id": "call_2", "arguments": ""}
    told = telling(events(REASONING, message("Looking.", phase="commentary"), CALL, second))
    for step in (0, 1):
        text, outcome = stream(sse(*told), tools=True, step=step)
        reply = answered(outcome)
        assert (text, reply.text, reply.finish_reason) == ("", "", FinishReason.TOOL)
        assert reply.calls == (TURN.calls[0], ToolCall(id="call_2", name="weather"))
        turn = json.loads(reply.turn)
        assert [item["type"] for item in turn] == ["reasoning", "message", "function_call", "function_call"]
        sealed = None if telling is _deltas_only else "gAAAA"
        assert turn[0].get("encrypted_content") == sealed
        assert turn[2]["arguments"] == '{"town": "Ulm"}'


def test_a_text_that_was_told_is_the_answer_whatever_its_end_leaves_out() -> None:
    told = events(message("Rain today."))
    for telling in (_hollow_ends, _without_end, _deltas_only):
        text, outcome = stream(sse(*telling(told)))
        assert text == answered(outcome).text == "Rain today."


def test_the_turn_is_the_output_as_it_came() -> None:
    items = [REASONING, CALL, {"type": "something_new", "n": 1.5, "x": [None]}]
    outcome = WIRE.decode(head(), json.dumps(response(*items)).encode(), HOME, tools=True)
    assert json.loads(answered(outcome).turn) == items


@pytest.mark.parametrize("streams", [False, True])
def test_calls_that_nobody_offered_are_a_failure(streams: bool) -> None:
    outcome = stream(sse(*events(CALL)))[1] if streams else decoded(WIRE, HOME, response(CALL))
    failure = failed(outcome)
    assert failure.code == "tool_calls" and "weather" in failure.message


def test_odd_calls_get_an_id_and_arguments_as_text() -> None:
    odd = {"type": "function_call", "name": "weather", "arguments": {"town": "Ulm"}}
    reply = answered(WIRE.decode(head(), json.dumps(response(odd, odd)).encode(), HOME, tools=True))
    first, second = (call.id for call in reply.calls)
    assert first and second and first != second
    assert reply.calls[0].arguments == '{"town":"Ulm"}'
    turn = ModelTurn(raw=reply.turn, calls=reply.calls)
    results = ToolResults(results=tuple(ToolResult(call=call, text="x") for call in reply.calls))
    ids = [item.get("call_id") for item in sent(asking(turn, results))["input"]]
    assert ids == [None, first, second, first, second]


def test_a_cut_call_says_so() -> None:
    cut = response(CALL, status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    reply = answered(WIRE.decode(head(), json.dumps(cut).encode(), HOME, tools=True))
    assert reply.finish_reason is FinishReason.LENGTH and reply.calls


# --- streams -----------------------------------------------------------------------------------


WHOLE = sse(*events(REASONING, message("Grüße, 世界", " und mehr"), CALL), named=True)


def test_no_cut_changes_an_answer() -> None:
    expected = stream(WHOLE, tools=True)
    assert expected[0] == "Grüße, 世界 und mehr"
    for cut in range(len(WHOLE)):
        decoder = WIRE.stream(head(), HOME, tools=True)
        text = decoder.feed(WHOLE[:cut]) + decoder.feed(WHOLE[cut:])
        assert (text, decoder.finish()) == expected


def test_an_answer_that_is_to_be_fetched_later_is_none() -> None:
    failure = failed(decoded(WIRE, HOME, response(status="queued")))
    assert failure.message == "the provider did not finish the answer (queued)"


@settings(max_examples=50, deadline=None)
@given(data=noisy(WHOLE, *(sse(event) for event in events(message("Hi"), CALL))), cuts=CUTS)
def test_no_bytes_make_it_raise_and_no_cut_changes_what_they_mean(data: bytes, cuts: tuple[int, ...]) -> None:
    (text, outcome), (same, again) = streamed(WIRE, HOME, data, cuts), streamed(WIRE, HOME, data)
    assert (text, type(outcome), outcome.usage) == (same, type(again), again.usage)
    WIRE.decode(head(), data, HOME, tools=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**70) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_value_of_any_field_makes_it_raise(data: st.DataObject) -> None:
    told = json.loads(json.dumps(events(REASONING, message("Hi"), CALL)))
    target: Any = data.draw(st.sampled_from(told))
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [value for value in target.values() if isinstance(value, dict)]
        inner += [
            v for value in target.values() if isinstance(value, list) for v in value if isinstance(v, dict)
        ]
        target = data.draw(st.sampled_from(inner)) if inner else target
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    stream(sse(*told), tools=True)
    WIRE.decode(head(), json.dumps(told[-1].get("response")).encode(), HOME, tools=True)


def _value(kind: Any, depth: int = 0) -> Any:
    """Some value of a type of the official client's."""
    origin, inner = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        return _value(inner[0], depth)
    if origin is Literal:
        return inner[0]
    if origin is list:
        return [] if depth > 3 else [_value(inner[0], depth + 1)]
    if origin is dict:
        return {}
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return None if type(None) in inner else _value(inner[0], depth + 1)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields.items()
        return {field.alias or name: _value(field.annotation, depth + 1) for name, field in fields}
    return {str: "x", int: 0, float: 0.5, bool: True}.get(kind)


EVENT_TYPES = get_args(get_args(ResponseStreamEvent)[0])
ENDS = {"error", "response.completed", "response.failed", "response.incomplete"}
OURS = ("response.output_item", "response.output_text.d", "response.refusal", "response.function_call")


@pytest.mark.parametrize("official", EVENT_TYPES, ids=lambda official: official.__name__)
def test_every_event_of_the_official_client_is_survived(official: type[BaseModel]) -> None:
    event = _value(official)
    official.model_validate(event)
    kind = event["type"]
    told = events(message("Rain today."))
    text, outcome = stream(sse(*told[:2], event, *told[2:], named=True))
    if kind not in ENDS and not kind.startswith(OURS):
        assert text == answered(outcome).text == "Rain today."
    else:
        assert isinstance(outcome, Reply) or outcome.message


def test_there_are_as_many_events_as_are_known() -> None:
    assert len(EVENT_TYPES) >= 50
