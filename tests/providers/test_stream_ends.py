"""Streams as servers and gateways really send them, on every wire: kept alive, cut, or not streamed."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.providers.protocol import Endpoint, Wire
from umwelten.providers.wires import WIRES
from umwelten.types import FailureKind
from wirekit import CUTS, answered, decoded, failed, head, place, sse, streamed

TEXT = "Grüße, 世界"


class Format(NamedTuple):
    """A wire and what it says: a text in two pieces, its end, what may follow, and all of it in one body."""

    wire: Wire
    place: Endpoint
    pieces: tuple[object, ...]
    finish: object
    after: tuple[object, ...]
    whole: object
    error: object


def _choice(text: str, finish: str | None = None) -> object:
    return {"id": "x", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


def _candidate(text: str, finish: str | None = None) -> dict[str, object]:
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})]}


def _delta(text: str) -> object:
    delta = {"type": "text_delta", "text": text}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def _line(text: str, done: bool = False) -> dict[str, object]:
    end = {"done_reason": "stop", "prompt_eval_count": 3, "eval_count": 2} if done else {}
    return {"model": "m", "message": {"role": "assistant", "content": text}, "done": done, **end}


def _text_delta(text: str) -> object:
    return {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text}


def _response(text: str, status: str = "completed") -> dict[str, object]:
    message = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return {"status": status, "output": [message], "usage": {"input_tokens": 3, "output_tokens": 2}}


FORMATS = {
    "openai": Format(
        WIRES["openai"],
        place("openai", "http://x/v1"),
        (_choice(TEXT[:3]), _choice(TEXT[3:])),
        _choice("", "stop"),
        ({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},),
        {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]},
        {"error": {"message": "no credit", "code": "insufficient_quota"}},
    ),
    "responses": Format(
        WIRES["responses"],
        place("responses", "http://x/v1"),
        (_text_delta(TEXT[:3]), _text_delta(TEXT[3:])),
        {"type": "response.completed", "response": _response(TEXT)},
        (),
        _response(TEXT),
        {"error": {"message": "no credit", "code": "insufficient_quota"}},
    ),
    "gemini": Format(
        WIRES["gemini"],
        place("gemini", "http://x"),
        (_candidate(TEXT[:3]), _candidate(TEXT[3:])),
        _candidate("", "STOP"),
        ({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}},),
        _candidate(TEXT, "STOP"),
        {"error": {"code": 429, "message": "credits are depleted", "status": "RESOURCE_EXHAUSTED"}},
    ),
    "anthropic": Format(
        WIRES["anthropic"],
        place("anthropic", "http://x"),
        (_delta(TEXT[:3]), _delta(TEXT[3:]), {"type": "content_block_stop", "index": 0}),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        ({"type": "message_stop"},),
        {"type": "message", "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
        {"type": "error", "error": {"type": "billing_error", "message": "credit balance is too low"}},
    ),
    "ollama": Format(
        WIRES["ollama"],
        place("ollama", "http://x"),
        (_line(TEXT[:3]), _line(TEXT[3:])),
        _line("", done=True),
        (),
        _line(TEXT, done=True),
        {"error": "model requires more system memory"},
    ),
}
EVENTS = ["openai", "responses", "gemini", "anthropic"]
every = pytest.mark.parametrize("name", FORMATS)
on_events = pytest.mark.parametrize("name", EVENTS)

# What gateways send so that nobody hangs up.
IDLE = (
    b": OPENROUTER PROCESSING\n\n",
    b": keep-alive\n",
    b"id: 7\nretry: 1000\n\n",
    b"event: ping\n\n",
    b"data:\n\n",
    b"data: \n\n",
    b"event: ping\ndata: \n\n",
    b'event: ping\ndata: ""\n\n',
    b"data: : OPENROUTER PROCESSING\n\n",
    b"data: ping\n\n",
    b"data: [PING]\n\n",
    b"data: keep-alive 12:30\n\n",
    b"data: null\n\n",
    b"data: []\n\n",
    b"data: {}\n\n",
    b"\n\n",
)


def frames(name: str, *values: object) -> bytes:
    if name == "ollama":
        return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)
    return sse(*values, named=name == "anthropic")


def whole_stream(name: str) -> bytes:
    form = FORMATS[name]
    return frames(name, *form.pieces, form.finish, *form.after)


@on_events
@pytest.mark.parametrize("idle", IDLE, ids=repr)
def test_events_that_only_keep_the_connection_open_are_passed_over(name: str, idle: bytes) -> None:
    form = FORMATS[name]
    events = (frames(name, value) for value in (*form.pieces, form.finish, *form.after))
    text, outcome = streamed(form.wire, form.place, idle + idle.join(events) + idle)
    assert text == answered(outcome).text == TEXT


@pytest.mark.parametrize("idle", [b"\n", b"\r\n", b"   \n"], ids=repr)
def test_blank_lines_between_lines_of_json_are_passed_over(idle: bytes) -> None:
    form = FORMATS["ollama"]
    lines = (frames("ollama", value) for value in (*form.pieces, form.finish))
    text, outcome = streamed(form.wire, form.place, idle + idle.join(lines) + idle)
    assert text == answered(outcome).text == TEXT


@on_events
@settings(max_examples=150)
@given(idle=st.lists(st.sampled_from(IDLE), max_size=6), end=st.sampled_from(["\n", "\r\n", "\r"]), cuts=CUTS)
def test_no_framing_changes_the_answer(name: str, idle: list[bytes], end: str, cuts: tuple[int, ...]) -> None:
    form = FORMATS[name]
    values = (*form.pieces, form.finish, *form.after)
    events = [frames(name, value) for value in values]
    for at, keep_alive in enumerate(idle):
        events.insert(at * 2 % len(events), keep_alive)
    data = b"".join(events).replace(b"\n", end.encode())
    text, outcome = streamed(form.wire, form.place, data, cuts)
    whole = answered(streamed(form.wire, form.place, whole_stream(name))[1])
    assert (text, outcome) == (TEXT, whole)


@on_events
@pytest.mark.parametrize("broken", ['{"choices": [{"delta": {"cont', 'ent": "x"}}]}', "}", '": "half'])
def test_a_broken_piece_of_json_is_a_failure_even_if_the_answer_goes_on(name: str, broken: str) -> None:
    form = FORMATS[name]
    event = f"data: {broken}\n\n".encode()
    first, *others = (*form.pieces, form.finish, *form.after)
    _, outcome = streamed(form.wire, form.place, frames(name, first) + event + frames(name, *others))
    assert failed(outcome).kind is FailureKind.SERVER


@on_events
def test_events_without_an_empty_line_between_them_are_read_one_by_one(name: str) -> None:
    form = FORMATS[name]
    values = (*form.pieces, form.finish, *form.after)
    data = b"".join(b"data: %b\n" % json.dumps(value).encode() for value in values)
    assert answered(streamed(form.wire, form.place, data)[1]).text == TEXT


@on_events
def test_an_object_over_several_data_lines_is_one_event(name: str) -> None:
    form = FORMATS[name]
    data = b""
    for value in (*form.pieces, form.finish, *form.after):
        lines = json.dumps(value, indent=1).encode().split(b"\n")
        data += b"".join(b"data: %b\n" % line for line in lines) + b"\n"
    assert answered(streamed(form.wire, form.place, data)[1]).text == TEXT


@on_events
def test_a_sentence_in_place_of_json_is_quoted_where_the_answer_then_ends(name: str) -> None:
    form = FORMATS[name]
    data = frames(name, form.pieces[0]) + b"data: upstream timed out after 30 s\n\n"
    failure = failed(streamed(form.wire, form.place, data)[1])
    assert "upstream timed out after 30 s" in failure.message
    assert failure.partial == TEXT[:3]


@on_events
def test_the_end_mark_of_another_format_ends_an_answer_that_is_finished_and_no_other(name: str) -> None:
    form = FORMATS[name]
    done = b"data: [DONE]\n\n"
    text, outcome = streamed(form.wire, form.place, frames(name, *form.pieces, form.finish) + done)
    assert text == answered(outcome).text == TEXT
    if name != "openai":
        failed(streamed(form.wire, form.place, frames(name, *form.pieces) + done)[1])


@on_events
def test_an_event_named_error_is_a_failure_in_any_words(name: str) -> None:
    form = FORMATS[name]
    data = frames(name, form.pieces[0]) + b"event: error\ndata: the engine overloaded\n\n"
    failure = failed(streamed(form.wire, form.place, data)[1])
    assert "the engine overloaded" in failure.message


# --- ends -------------------------------------------------------------------------------------


@every
def test_an_answer_is_complete_from_its_finish_reason_on_and_not_before(name: str) -> None:
    form = FORMATS[name]
    decoder = form.wire.stream(head(), form.place)
    for value in form.pieces:
        decoder.feed(frames(name, value))
        assert not decoder.complete
    failed(decoder.finish())
    decoder.feed(frames(name, form.finish))
    assert decoder.complete
    assert answered(decoder.finish()).text == TEXT


@on_events
def test_half_an_event_after_the_finish_reason_changes_nothing(name: str) -> None:
    form = FORMATS[name]
    data = frames(name, *form.pieces, form.finish) + frames(name, *form.after)[:-6]
    assert answered(streamed(form.wire, form.place, data)[1]).text == TEXT


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_a_finish_reason_in_every_chunk_completes_nothing_until_the_stream_ends(name: str) -> None:
    form = FORMATS[name]
    make, stop = (_choice, "stop") if name == "openai" else (_candidate, "STOP")
    decoder = form.wire.stream(head(), form.place)
    # Before any text, as gateways do that translate an empty chunk of thinking.
    decoder.feed(frames(name, make("", stop)))
    assert not decoder.complete
    decoder.feed(frames(name, make(TEXT[:3], stop), make(TEXT[3:], stop)))
    assert not decoder.complete
    assert answered(decoder.finish()).text == TEXT


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_a_finish_reason_other_than_stop_completes_a_reply_without_text(name: str) -> None:
    form = FORMATS[name]
    value = _choice("", "content_filter") if name == "openai" else _candidate("", "SAFETY")
    decoder = form.wire.stream(head(), form.place)
    decoder.feed(frames(name, value))
    assert decoder.complete
    assert failed(decoder.finish()).kind is FailureKind.BAD_REQUEST


# --- bodies -----------------------------------------------------------------------------------


@every
@settings(max_examples=30)
@given(
    indent=st.sampled_from([None, 0, 2]), bom=st.booleans(), blank=st.sampled_from(["", "\n \n"]), cuts=CUTS
)
def test_one_json_body_in_place_of_a_stream_is_the_answer(
    name: str, indent: int | None, bom: bool, blank: str, cuts: tuple[int, ...]
) -> None:
    form = FORMATS[name]
    body = (blank + json.dumps(form.whole, indent=indent) + blank).encode()
    outcome = streamed(form.wire, form.place, (b"\xef\xbb\xbf" if bom else b"") + body, cuts)[1]
    assert answered(outcome).text == TEXT


@every
def test_a_json_error_in_place_of_a_stream_is_that_error(name: str) -> None:
    form = FORMATS[name]
    body = json.dumps(form.error, indent=2).encode()
    outcome = failed(streamed(form.wire, form.place, body)[1])
    expected = failed(decoded(form.wire, form.place, form.error))
    assert (outcome.kind, outcome.lane_down, outcome.message) == (
        expected.kind,
        expected.lane_down,
        expected.message,
    )


@every
@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_half_a_json_body_is_a_failure(name: str, cut: float) -> None:
    form = FORMATS[name]
    body = json.dumps(form.whole, indent=2).encode()
    assert failed(streamed(form.wire, form.place, body[: int(len(body) * cut)])[1]).kind is FailureKind.SERVER


@every
@pytest.mark.parametrize("before", [b"", b": keep-alive\n\n", b"\n", b"\xef\xbb\xbf"], ids=repr)
def test_a_stream_in_place_of_one_body_is_the_answer(name: str, before: bytes) -> None:
    form = FORMATS[name]
    before = b"\n" if name == "ollama" else before
    assert answered(decoded(form.wire, form.place, before + whole_stream(name))).text == TEXT


@every
def test_a_stream_in_place_of_one_body_that_is_cut_off_is_a_failure(name: str) -> None:
    form = FORMATS[name]
    failed(decoded(form.wire, form.place, frames(name, *form.pieces)))


def test_chunks_in_a_list_are_an_answer_once_one_has_a_finish_reason() -> None:
    form = FORMATS["gemini"]
    listed = json.dumps([*form.pieces, form.finish, *form.after], indent=1).encode()
    assert answered(streamed(form.wire, form.place, listed)[1]).text == TEXT
    assert answered(decoded(form.wire, form.place, listed)).text == TEXT
    # Cut before its last bracket, as a connection that was closed leaves it.
    assert answered(streamed(form.wire, form.place, listed.rstrip(b"\n]"))[1]).text == TEXT
    unfinished = json.dumps(list(form.pieces)).encode()
    failed(streamed(form.wire, form.place, unfinished)[1])
    failed(decoded(form.wire, form.place, unfinished))
