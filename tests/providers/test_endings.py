"""Replies that are complete and hold no answer, or half of one: the same on every wire, whole or streamed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.endings import LENGTH, MODES, STOP, TOOL, outcome, wire_of
from umwelten.providers.anthropic.requests import ANSWER_TOOL
from umwelten.types import FailureKind, FinishReason, Usage
from wirekit import CUTS, answered, decoded, failed

WIRES = ("openai", "responses", "anthropic", "gemini", "ollama")
on_every_wire = pytest.mark.parametrize(("wire", "stream"), [(w, s) for w in WIRES for s in MODES])


@on_every_wire
@pytest.mark.parametrize("pieces", [(), ("",), (" ",), ("\n", "\n\t ")])
def test_an_answer_of_nothing_is_empty_and_paid_for(wire: str, stream: bool, pieces: tuple[str, ...]) -> None:
    text, found = outcome(wire, stream, pieces)
    failure = failed(found)
    assert (failure.kind, failure.retry, failure.lane_down) == (FailureKind.EMPTY, True, False)
    assert (failure.usage.input_tokens, failure.usage.output_tokens) == (20, 7)
    assert "empty" in failure.message
    assert not text.strip()


@on_every_wire
def test_thinking_without_an_answer_is_empty(wire: str, stream: bool) -> None:
    failure = failed(outcome(wire, stream, thinking="Let me see.")[1])
    assert (failure.kind, failure.retry) == (FailureKind.EMPTY, True)
    assert "thinking" in failure.message


@on_every_wire
@pytest.mark.parametrize("thinking", ["", "Let me see."])
@pytest.mark.parametrize("pieces", [(), ("<think>Let me", " see."), ("<thinking>Let me see.</think",)])
def test_tokens_that_went_into_thinking_alone_are_not_spent_again(
    wire: str, stream: bool, thinking: str, pieces: tuple[str, ...]
) -> None:
    text, found = outcome(wire, stream, pieces, stop=LENGTH[wire], thinking=thinking)
    failure = failed(found)
    assert (failure.kind, failure.retry, failure.code) == (FailureKind.EMPTY, False, "max_tokens")
    assert "thinking" in failure.message and "max_tokens" in failure.message
    assert failure.wording is not None
    assert "--max-tokens" in failure.wording.spell(lambda name, value: f"--{name.replace('_', '-')}")
    assert failure.usage.output_tokens == 7
    assert text == ""


@on_every_wire
@pytest.mark.parametrize("pieces", [(), ("Let me ", "look that up.")])
def test_a_call_of_a_function_is_no_answer_and_names_it(
    wire: str, stream: bool, pieces: tuple[str, ...]
) -> None:
    failure = failed(outcome(wire, stream, pieces, stop=TOOL[wire], call="get_weather")[1])
    assert (failure.kind, failure.retry, failure.code) == (FailureKind.BAD_REQUEST, False, "tool_calls")
    assert "get_weather" in failure.message
    assert failure.partial == ("".join(pieces) or None)
    assert failure.usage.output_tokens == 7


@on_every_wire
def test_it_is_one_whatever_the_stop_reason_says(wire: str, stream: bool) -> None:
    for stop in (STOP[wire], LENGTH[wire], "something_new"):
        assert failed(outcome(wire, stream, ("Hm.",), stop=stop, call="f")[1]).code == "tool_calls"


def test_a_stop_for_a_function_that_is_not_named_is_one_too() -> None:
    failure = failed(outcome("openai", False, stop="tool_calls")[1])
    assert (failure.kind, failure.code) == (FailureKind.BAD_REQUEST, "tool_calls")
    assert outcome("openai", False, ("Hi",), stop="tool_calls")[1].usage.output_tokens == 7


@pytest.mark.parametrize("stream", MODES)
def test_the_tool_that_takes_the_answer_is_an_answer(stream: bool) -> None:
    reply = answered(outcome("anthropic", stream, ("Here it is:",), stop="tool_use", call=ANSWER_TOOL)[1])
    assert (reply.text, reply.finish_reason) == ("{}", FinishReason.STOP)


@pytest.mark.parametrize("stream", MODES)
def test_a_turn_that_pauses_is_half_an_answer(stream: bool) -> None:
    failure = failed(outcome("anthropic", stream, ("I am ", "searching."), stop="pause_turn")[1])
    assert (failure.kind, failure.retry, failure.code) == (FailureKind.BAD_REQUEST, False, "pause_turn")
    assert failure.partial == "I am searching."
    assert "paused" in failure.message


@on_every_wire
@pytest.mark.parametrize(
    "stop", ["content_filter_v2", "SAFETY_2", "guardrail_intervened", "policy_violation"]
)
def test_an_unknown_stop_reason_that_speaks_of_a_block_is_one(wire: str, stream: bool, stop: str) -> None:
    failure = failed(outcome(wire, stream, stop=stop)[1])
    assert (failure.kind, failure.retry, failure.code) == (FailureKind.BAD_REQUEST, False, stop)
    assert "block" in failure.message


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
@pytest.mark.parametrize("stream", MODES)
def test_a_filter_that_cut_an_answer_short_is_a_block_on_either_wire(wire: str, stream: bool) -> None:
    failure = failed(outcome(wire, stream, ("Half",), stop="content_filter")[1])
    assert (failure.kind, failure.retry) == (FailureKind.BAD_REQUEST, False)
    assert (failure.code, failure.partial) == ("content_filter", "Half")


@on_every_wire
def test_any_other_unknown_stop_reason_needs_a_text(wire: str, stream: bool) -> None:
    failure = failed(outcome(wire, stream, stop="something_new")[1])
    assert (failure.kind, failure.retry) == (FailureKind.EMPTY, True)
    assert "something_new" in failure.message
    reply = answered(outcome(wire, stream, ("Hi",), stop="something_new")[1])
    assert (reply.text, reply.finish_reason) == ("Hi", FinishReason.UNKNOWN)


# --- images and audio ------------------------------------------------------------------------

_PNG = "data:image/png;base64,iVBORw0KGgo="


def _chat(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def _candidate(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": "STOP"}]}


PICTURES: list[tuple[str, Any, Any, str]] = [
    (
        "openai",
        _chat(content=None, images=[{"type": "image_url", "image_url": {"url": _PNG}}]),
        _chat(content="A cat.", images=[{"type": "image_url", "image_url": {"url": _PNG}}]),
        "an image",
    ),
    (
        "openai",
        _chat(content=[{"type": "image_url", "image_url": {"url": _PNG}}]),
        _chat(content=[{"type": "text", "text": "A cat."}, {"type": "output_image", "image": _PNG}]),
        "an image",
    ),
    (
        "openai",
        _chat(content=None, audio={"id": "a", "data": "UklGRg=="}),
        _chat(content=None, audio={"id": "a", "data": "UklGRg==", "transcript": "A cat."}),
        "audio",
    ),
    (
        "gemini",
        _candidate({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
        _candidate({"text": "A cat."}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}),
        "an image",
    ),
    (
        "gemini",
        _candidate({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}),
        _candidate({"text": "A cat."}, {"fileData": {"mimeType": "audio/wav", "fileUri": "files/1"}}),
        "audio",
    ),
]


@pytest.mark.parametrize(("wire", "alone", "beside", "word"), PICTURES)
def test_an_image_or_audio_is_no_text(wire: str, alone: Any, beside: Any, word: str) -> None:
    made, endpoint = wire_of(wire)
    failure = failed(decoded(made, endpoint, alone))
    assert (failure.kind, failure.retry, failure.code) == (FailureKind.BAD_REQUEST, False, "media")
    assert word in failure.message and "only text is kept" in failure.message
    reply = answered(decoded(made, endpoint, beside))
    assert (reply.text, reply.marks) == ("A cat.", ("media dropped",))


# --- counts of nothing -----------------------------------------------------------------------


@on_every_wire
def test_counts_of_zero_beside_an_answer_are_unknown(wire: str, stream: bool) -> None:
    assert outcome(wire, stream, ("Hi",), usage=(0, 0))[1].usage == Usage()
    half = outcome(wire, stream, ("Hi",), usage=(20, 0))[1].usage
    assert (half.input_tokens, half.output_tokens) == (20, None)
    assert outcome(wire, stream, ("Hi",), usage=None)[1].usage == Usage()
    # An answer without text may well have cost nothing but its input.
    assert outcome(wire, stream, usage=(20, 0))[1].usage.output_tokens == 0


# --- thinking in tags ------------------------------------------------------------------------


@on_every_wire
def test_thinking_in_tags_is_kept_apart(wire: str, stream: bool) -> None:
    text, found = outcome(wire, stream, ("<thi", "nk>Let me see.</", "think>\n\nThe ", "answer."))
    reply = answered(found)
    assert (reply.text, reply.reasoning) == ("The answer.", "Let me see.")
    assert text == ("The answer." if stream else "")


@given(wire=st.sampled_from(WIRES), cuts=CUTS, sizes=st.lists(st.integers(1, 9), max_size=30))
@settings(max_examples=60)
def test_wherever_a_stream_is_cut_it_comes_to_what_the_whole_does(
    wire: str, cuts: tuple[int, ...], sizes: list[int]
) -> None:
    words = "\n<think>\nIs <b> a tag?\n</think>\n\nYes: <think> is one, too.\n"
    pieces, at = [], 0
    for size in sizes:
        pieces.append(words[at : at + size])
        at += size
    pieces.append(words[at:])
    text, found = outcome(wire, True, tuple(pieces), cuts=cuts)
    whole = answered(outcome(wire, False, (words,))[1])
    reply = answered(found)
    assert (reply.text, reply.reasoning) == (whole.text, whole.reasoning)
    assert text == reply.text == "Yes: <think> is one, too.\n"


@on_every_wire
def test_thinking_that_is_never_closed_is_no_answer(wire: str, stream: bool) -> None:
    text, found = outcome(wire, stream, ("<think>Let me", " see."))
    failure = failed(found)
    assert (failure.kind, failure.retry, text) == (FailureKind.EMPTY, True, "")
    assert "thinking" in failure.message
