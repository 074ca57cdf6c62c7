"""Messages between coordinator and workers: they arrive as they were; garbage is refused."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.fleet import messages as m
from umwelten.phrases import Named, Phrase
from umwelten.tool_calls import ModelTurn, ToolCall, ToolResult, ToolResults
from umwelten.types import (
    Budget,
    Call,
    Continue,
    Failure,
    FailureKind,
    FinishReason,
    Input,
    Media,
    Message,
    Problem,
    RateLimitHints,
    Reply,
    Resource,
    Role,
    Text,
    Timing,
    ToolStep,
    Usage,
)

# All of Unicode with lone surrogates: names of files that are no UTF-8, halves of emoji.
TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
PATHS = st.binary(max_size=8).map(lambda name: name.decode("utf-8", "surrogateescape"))
WORDS = TEXT | PATHS
SMALL = st.binary(max_size=5)
COUNTS = st.integers(0, 2**63)
SECONDS = st.floats(0, 1e9)

CALLS = st.builds(
    Call,
    id=COUNTS,
    model=COUNTS,
    repeat=COUNTS,
    input=st.none()
    | st.builds(Input, id=COUNTS, name=WORDS, path=WORDS, size=COUNTS, stamp=WORDS, part=WORDS),
)
USAGES = st.builds(
    Usage,
    input_tokens=st.none() | COUNTS,
    service_tier=st.none() | WORDS,
    details=st.dictionaries(WORDS, COUNTS, max_size=2),
)
HINTS = st.builds(
    RateLimitHints,
    retry_after_s=st.none() | SECONDS,
    budgets=st.lists(
        st.builds(Budget, resource=st.sampled_from(Resource), limit=st.none() | SECONDS), max_size=2
    ).map(tuple),
)
TOOL_CALLS = st.builds(ToolCall, id=WORDS, name=WORDS, arguments=WORDS)
PARTS = st.builds(Text, text=WORDS) | st.builds(
    Media, mime=WORDS, data=SMALL, name=WORDS, uri=st.none() | WORDS
)
TURNS = (
    st.builds(Message, role=st.sampled_from(Role), parts=st.lists(PARTS, max_size=2).map(tuple))
    | st.builds(ModelTurn, raw=SMALL, calls=st.lists(TOOL_CALLS, max_size=2).map(tuple), cut=st.booleans())
    | st.builds(
        ToolResults,
        results=st.lists(st.builds(ToolResult, call=TOOL_CALLS, text=WORDS), max_size=2).map(tuple),
        note=WORDS,
    )
)
CONVERSATIONS = st.lists(TURNS, max_size=3).map(tuple)
REPLIES = st.builds(
    Reply,
    text=WORDS,
    data=st.none() | WORDS,
    marks=st.lists(WORDS, max_size=2).map(tuple),
    finish_reason=st.sampled_from(FinishReason),
    usage=USAGES,
    reasoning=st.none() | WORDS,
    hints=HINTS,
    calls=st.lists(TOOL_CALLS, max_size=2).map(tuple),
    turn=SMALL,
)
FAILURES = st.builds(
    Failure,
    kind=st.sampled_from(FailureKind),
    message=WORDS,
    status=st.none() | st.integers(100, 599),
    partial=st.none() | WORDS,
    usage=USAGES,
    hints=HINTS,
    problems=st.lists(
        st.builds(Problem, message=WORDS, path=st.lists(WORDS | st.integers(0, 9), max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
)
TIMINGS = st.builds(Timing, started_at=SECONDS, latency_s=SECONDS, ttft_s=st.none() | SECONDS)
WIRE_TURNS = CONVERSATIONS.map(m.pack_turns)
KNOWN: dict[type, st.SearchStrategy[Any]] = {
    str: WORDS,
    int: COUNTS,
    float: SECONDS,
    bytes: SMALL,
    Call: CALLS,
    Reply: REPLIES,
    Failure: FAILURES,
    Timing: TIMINGS,
    tuple[m.WireTurn, ...]: WIRE_TURNS,
}


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a message's field."""
    if kind in KNOWN:
        return KNOWN[kind]
    if type(None) in get_args(kind):
        rest = [one for one in get_args(kind) if one is not type(None)]
        return st.none() | st.one_of(*map(strategy, rest))
    return st.from_type(kind)


def message(kind: type) -> st.SearchStrategy[Any]:
    """Return messages of a kind, with all of their fields."""
    fields = msgspec.structs.fields(kind)
    return st.builds(kind, **{field.name: strategy(field.type) for field in fields})


def kinds(union: Any) -> list[type]:
    return [kind for kind in get_args(union) if kind is not m.Escaped]


st.register_type_strategy(str, WORDS)
st.register_type_strategy(bytes, SMALL)
TO_WORKER = st.lists(st.one_of(*map(message, kinds(m.ToWorker))), max_size=5)
FROM_WORKER = st.lists(st.one_of(*map(message, kinds(m.FromWorker))), max_size=5)


@pytest.mark.parametrize("kind", kinds(m.ToWorker), ids=lambda kind: kind.__name__)
def test_every_message_to_a_worker_arrives_as_it_was_sent(kind: type) -> None:
    @settings(max_examples=10)
    @given(message(kind))
    def check(sent: Any) -> None:
        assert m.decode_to_worker(m.encode([sent])) == [sent]

    check()


@pytest.mark.parametrize("kind", kinds(m.FromWorker), ids=lambda kind: kind.__name__)
def test_every_message_of_a_worker_arrives_as_it_was_sent(kind: type) -> None:
    @settings(max_examples=10)
    @given(message(kind))
    def check(sent: Any) -> None:
        assert m.decode_from_worker(m.encode([sent])) == [sent]

    check()


@settings(max_examples=20)
@given(TO_WORKER, FROM_WORKER)
def test_a_frame_keeps_the_order_of_its_messages(there: list[Any], back: list[Any]) -> None:
    assert m.decode_to_worker(m.encode(there)) == there
    assert m.decode_from_worker(m.encode(back)) == back


@settings(max_examples=20)
@given(CONVERSATIONS, REPLIES, FAILURES)
def test_conversations_and_outcomes_of_all_kinds_are_the_same_afterwards(
    turns: Any, reply: Reply, failure: Failure
) -> None:
    assert m.unpack_turns(m.pack_turns(turns)) == turns
    for outcome in (
        reply,
        failure,
        ToolStep(turns=turns, reply=reply),
        Continue(turns=turns, failure=failure),
    ):
        ended = m.completion_of(outcome, n=1, timing=Timing(started_at=0, latency_s=1), held_s=1.0)
        (arrived,) = m.decode_from_worker(m.encode([ended]))
        assert isinstance(arrived, m.Completion)
        assert m.outcome_of(arrived) == outcome


def test_a_message_that_names_options_is_spelt_where_it_arrives() -> None:
    wording = Phrase("{name} is too long: raise {option:timeout=60} or {option:max_tokens}", name="a{b}")
    failure = Failure(kind=FailureKind.TIMEOUT, message="", wording=wording)
    sent = m.completion_of(failure, n=1, timing=Timing(started_at=0, latency_s=1), held_s=1.0)
    (arrived,) = m.decode_from_worker(m.encode([sent]))
    assert isinstance(arrived, m.Completion)
    assert arrived.failure is not None
    assert arrived.failure.wording is not None
    assert arrived.failure.wording.pieces == wording.pieces
    assert Named("timeout", "60") in arrived.failure.wording.pieces


@settings(max_examples=80)
@given(st.binary(max_size=60), TO_WORKER, st.integers(0, 10_000), st.integers(0, 255))
def test_garbage_is_refused_and_nothing_else_is_raised(
    noise: bytes, messages: list[Any], at: int, byte: int
) -> None:
    frame = bytearray(m.encode(messages))
    frame[at % len(frame)] = byte
    for garbage in (noise, bytes(frame), bytes(frame[: at % len(frame)]), m.encode([m.Escaped(data=noise)])):
        for decode in (m.decode_to_worker, m.decode_from_worker):
            try:
                decode(garbage)
            except msgspec.MsgspecError:
                continue


def test_keys_are_not_in_the_text_of_their_message() -> None:
    assert "sk-secret" not in repr(m.Keys(values={"OPENAI_API_KEY": "sk-secret"}))
