"""Good replies of every wire with some of their values replaced: the answer stays, and nothing is made up."""

from __future__ import annotations

import json
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.endings import MODES, wire_of
from umwelten.pricing import PriceBook, cost_nusd
from umwelten.providers.protocol import UploadedFile
from umwelten.types import Failure, FailureKind, FinishReason, ModelRef, Outcome, Reply
from wirekit import CUTS, decoded, head, streamed

TEXT = "Hello there"
MODEL = ModelRef("openai", "gpt-4.1")
BOOK = PriceBook(lists={"openai": "openai"})

_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
_GEMINI_USAGE = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "totalTokenCount": 27,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
}
_TOP = {"id": "c1", "object": "chat.completion", "created": 5, "model": "m", "service_tier": "default"}
_GEMINI_TOP = {"modelVersion": "m", "responseId": "r1"}
_CLAUDE = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
_OLLAMA = {"model": "m", "created_at": "2026"}
_OLLAMA_END = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 5,
    "prompt_eval_count": 20,
    "prompt_eval_cached_count": 4,
    "eval_count": 7,
}


def _choice(name: str, content: str | None, reason: str | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, "reasoning_content": "why"}
    choice = {"index": 0, name: message, "logprobs": None, "finish_reason": reason}
    return {**_TOP, "choices": [choice]}


def _candidate(text: str, stop: str | None) -> dict[str, Any]:
    parts: list[Any] = [{"text": text, "thoughtSignature": "s"}] if text else []
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if stop is not None:
        candidate |= {"finishReason": stop, "finishMessage": "fine"}
    return {"candidates": [candidate], "usageMetadata": _GEMINI_USAGE, **_GEMINI_TOP}


def _claude_delta(index: int, delta: dict[str, str]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


REPLIES: dict[str, tuple[Any, list[Any]]] = {
    "openai": (
        {**_choice("message", TEXT, "stop"), "usage": _USAGE},
        [
            _choice("delta", None, None),
            _choice("delta", "Hello", None),
            _choice("delta", " there", None),
            _choice("delta", None, "stop"),
            {**_TOP, "choices": [], "usage": _USAGE},
        ],
    ),
    "anthropic": (
        {
            **_CLAUDE,
            "content": [
                {"type": "thinking", "thinking": "why", "signature": "s"},
                {"type": "text", "text": TEXT, "citations": None},
            ],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 16, "cache_read_input_tokens": 4, "output_tokens": 7},
        },
        [
            {
                "type": "message_start",
                "message": {**_CLAUDE, "content": [], "usage": {"input_tokens": 20, "output_tokens": 1}},
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            _claude_delta(0, {"type": "text_delta", "text": "Hello"}),
            {"type": "ping"},
            _claude_delta(0, {"type": "text_delta", "text": " there"}),
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"input_tokens": 20, "output_tokens": 7},
            },
            {"type": "message_stop"},
        ],
    ),
    "gemini": (
        _candidate(TEXT, "STOP"),
        [_candidate("Hello", None), _candidate(" there", None), _candidate("", "STOP")],
    ),
    "ollama": (
        {**_OLLAMA, "message": {"role": "assistant", "content": TEXT, "thinking": "why"}, **_OLLAMA_END},
        [
            {**_OLLAMA, "message": {"role": "assistant", "content": "Hello", "thinking": "w"}, "done": False},
            {**_OLLAMA, "message": {"role": "assistant", "content": " there"}, "done": False},
            {**_OLLAMA, "message": {"role": "assistant", "content": ""}, **_OLLAMA_END},
        ],
    ),
}
COUNTS = frozenset(
    (
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "reasoning_tokens",
        "input_tokens",
        "output_tokens",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "totalTokenCount",
        "prompt_eval_count",
        "eval_count",
    )
)
BEARING = frozenset(
    (
        "candidates",
        "choices",
        "content",
        "content_block",
        "delta",
        "done",
        "done_reason",
        "finishReason",
        "finish_reason",
        "message",
        "parts",
        "stop_reason",
        "text",
        "type",
    )
)
"""Fields that hold the text, or say where and whether it ends."""

WHOLE = ("null", "0", "12")
"""Values that a count may have, or that state none."""

NO_COUNTS = (
    *("true", "-1", "1.5", "1e400", "-1e400", "NaN", "Infinity", "18446744073709551616", "1" * 5000),
    *('"12"', '""', '"x"', '"\\u0000\\u001b]0;x\\u0007"', '"\\ud800"', f'"{"n" * 3000}"'),
    *("[]", "[1]", "{}", '{"a": {"b": [null, 1e400]}}', "[" * 90 + "]" * 90, "false"),
)

Path = tuple[str | int, ...]


def _places(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value but the whole."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from _places(item, (*at, step))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _names(value: Any) -> set[str]:
    return {step for path in _places(value) for step in path if isinstance(step, str)}


def _bears(reply: Any, path: Path) -> bool:
    """Whether the answer's text or end is lost with what is there."""
    name = next((step for step in reversed(path) if isinstance(step, str)), "")
    return name in BEARING or not BEARING.isdisjoint(_names(_at(reply, path)))


def _put(reply: Any, path: Path, value: Any) -> None:
    """Replace what is there; `...` takes it away."""
    holder, step = _at(reply, path[:-1]), path[-1]
    if value is not ...:
        holder[step] = value
    elif isinstance(holder, dict):
        del holder[step]
    else:
        holder[step] = None


def _bytes(wire: str, stream: bool, value: Any, raw: list[str]) -> bytes:
    """The reply, with these pieces of JSON where the texts "@0@", "@1@", … are."""
    events = value if stream else [value]
    lines = [json.dumps(event) for event in events]
    for number, json_text in enumerate(raw):
        lines = [line.replace(f'"@{number}@"', json_text) for line in lines]
    if not stream:
        return lines[0].encode()
    if wire == "ollama":
        return "".join(f"{line}\n" for line in lines).encode()
    named = [event.get("type") if wire == "anthropic" else None for event in events]
    texts = [
        f"{f'event: {name}{chr(10)}' if isinstance(name, str) else ''}data: {line}\n\n"
        for name, line in zip(named, lines, strict=True)
    ]
    return "".join((*texts, "data: [DONE]\n\n" if wire == "openai" else "")).encode()


def _outcome(wire: str, stream: bool, data: bytes, cuts: tuple[int, ...] = ()) -> tuple[str, Outcome]:
    made, endpoint = wire_of(wire)
    if stream:
        return streamed(made, endpoint, data, cuts)
    return TEXT, decoded(made, endpoint, data)


def _fresh(wire: str, stream: bool) -> Any:
    return json.loads(json.dumps(REPLIES[wire][stream]))


@given(
    wire=st.sampled_from(sorted(REPLIES)),
    stream=st.booleans(),
    edits=st.lists(
        st.tuples(st.integers(0, 10_000), st.sampled_from((*WHOLE, *NO_COUNTS, "...", "[]", "twice"))),
        min_size=1,
        max_size=3,
    ),
    cuts=CUTS,
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_reply_with_odd_values_is_an_answer_or_a_failure(
    wire: str, stream: bool, edits: list[tuple[int, str]], cuts: tuple[int, ...]
) -> None:
    reply, kept, counted = _fresh(wire, stream), True, True
    for number, (draw, value) in enumerate(edits):
        places = list(_places(reply))
        path = places[draw % len(places)] if places else ()
        if not path or (stream and len(path) == 1):
            continue
        if value == "twice" and stream:
            event = reply[path[0]]
            kept = kept and not _bears(reply, path[:1])
            reply.insert(path[0], json.loads(json.dumps(event)))
            continue
        kept = kept and not _bears(reply, path)
        counted = counted and COUNTS.isdisjoint(
            {str(step) for step in path} | {"input_tokens"} & _names(_at(reply, path))
        )
        counted = counted and not any("sage" in str(step) for step in path)
        _put(reply, path, ... if value in ("...", "twice") else f"@{number}@")
    raw = [value for _, value in edits]
    shown, outcome = _outcome(wire, stream, _bytes(wire, stream, reply, raw), cuts)
    _is_sound(outcome)
    if kept:
        assert isinstance(outcome, Reply), outcome
        assert (outcome.text, shown) == (TEXT, TEXT)
        assert outcome.finish_reason in (FinishReason.STOP, FinishReason.UNKNOWN)
        if counted:
            assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (20, 7)


def _is_sound(outcome: Outcome) -> None:
    """Every field has its type, an answer has text, and a cost is known only where the tokens are."""
    assert isinstance(outcome, Reply | Failure)
    msgspec.convert(msgspec.to_builtins(outcome), type(outcome))
    usage = outcome.usage
    counts = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert all(count is None or 0 <= count < 2**60 for count in (*counts, *usage.details.values()))
    cost = cost_nusd(usage, MODEL, BOOK, at=0.0)
    assert cost is None or cost > 0 or isinstance(outcome, Failure)
    if isinstance(outcome, Reply):
        assert outcome.text.strip()
    else:
        assert outcome.message
        assert outcome.kind in (FailureKind.SERVER, FailureKind.EMPTY, FailureKind.BAD_REQUEST)


@pytest.mark.parametrize("stream", MODES, ids=["whole", "stream"])
@pytest.mark.parametrize("wire", sorted(REPLIES))
def test_a_count_that_cannot_be_is_unknown_and_the_answer_stays(wire: str, stream: bool) -> None:
    for value in (*NO_COUNTS, "..."):
        for whole_object in (False, True):
            reply = _fresh(wire, stream)
            for path in list(_places(reply)):
                is_object = path[-1] in ("usage", "usageMetadata")
                if is_object if whole_object else path[-1] in COUNTS:
                    _put(reply, path, ... if value == "..." else "@0@")
            outcome = _outcome(wire, stream, _bytes(wire, stream, reply, [value]))[1]
            assert isinstance(outcome, Reply), (value, outcome)
            assert outcome.text == TEXT
            if wire != "ollama" or not whole_object:
                assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (None, None), value
                assert cost_nusd(outcome.usage, MODEL, BOOK, at=0.0) is None


@pytest.mark.parametrize("stream", MODES, ids=["whole", "stream"])
@pytest.mark.parametrize("wire", sorted(REPLIES))
def test_an_answer_of_which_a_piece_is_no_text_is_a_failure(wire: str, stream: bool) -> None:
    for path in _places(REPLIES[wire][stream]):
        piece = _at(REPLIES[wire][stream], path)
        if path[-1] not in ("content", "text") or not isinstance(piece, str) or not piece:
            continue
        for value in ("5", "true", "1e400", '{"a": 1}'):
            reply = _fresh(wire, stream)
            _put(reply, path, "@0@")
            outcome = _outcome(wire, stream, _bytes(wire, stream, reply, [value]))[1]
            assert isinstance(outcome, Failure), (path, value, outcome)
            assert outcome.kind is FailureKind.SERVER
            assert outcome.retry


@pytest.mark.parametrize("stream", MODES, ids=["whole", "stream"])
@pytest.mark.parametrize("wire", sorted(REPLIES))
def test_a_finish_reason_that_is_no_text_is_a_failure_with_what_was_answered(wire: str, stream: bool) -> None:
    for path in _places(REPLIES[wire][stream]):
        if path[-1] not in ("done_reason", "finishReason", "finish_reason", "stop_reason"):
            continue
        for value in ("true", "false", "17", "-1", "2.5", "[]", '["length"]', "{}", '{"reason": "length"}'):
            reply = _fresh(wire, stream)
            is_last = _at(reply, path) is not None
            _put(reply, path, "@0@")
            outcome = _outcome(wire, stream, _bytes(wire, stream, reply, [value]))[1]
            assert isinstance(outcome, Failure), (path, value, outcome)
            assert (outcome.kind, outcome.retry) == (FailureKind.SERVER, True)
            assert "finish reason cannot be read" in outcome.message
            if is_last:
                assert (outcome.partial, outcome.usage.output_tokens) == (TEXT, 7)


@pytest.mark.parametrize("stream", MODES, ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, FinishReason.STOP),
        (2, FinishReason.LENGTH),
        (3, FailureKind.BAD_REQUEST),
        (4, FailureKind.BAD_REQUEST),
        (5, FailureKind.SERVER),
    ],
)
def test_gemini_may_number_its_finish_reasons(
    number: int, expected: FinishReason | FailureKind, stream: bool
) -> None:
    reply = _fresh("gemini", stream)
    last = reply[-1] if stream else reply
    last["candidates"][0]["finishReason"] = number
    outcome = _outcome("gemini", stream, _bytes("gemini", stream, reply, []))[1]
    assert expected is (outcome.kind if isinstance(outcome, Failure) else outcome.finish_reason)


@pytest.mark.parametrize("stream", MODES, ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("pieces", "is_read"),
    [
        (["Hello", " there"], True),
        ([{"type": "text", "text": "Hello"}, {"type": "output_text", "text": " there"}], True),
        ([{"type": "reference", "reference_ids": [1]}, {"type": "text", "text": TEXT}, None], True),
        ([{"type": "thinking", "thinking": [5, {"text": 5}]}, {"type": "text", "text": TEXT}], True),
        ([TEXT, 5], False),
        ([TEXT, [" friend"]], False),
        ([TEXT, {"type": "text", "text": 5}], False),
        ([TEXT, {"type": "text", "text": {"value": " friend"}}], False),
        ([TEXT, {"text": [" friend"]}], False),
        ([TEXT, {"type": "text", "content": " friend"}], False),
        ({"text": TEXT}, False),
    ],
)
def test_no_piece_of_a_list_of_contents_is_dropped(pieces: Any, is_read: bool, stream: bool) -> None:
    reply = _fresh("openai", stream)
    if stream:
        reply[2]["choices"][0]["delta"]["content"] = pieces
        reply[1]["choices"][0]["delta"]["content"] = None
    else:
        reply["choices"][0]["message"]["content"] = pieces
    outcome = _outcome("openai", stream, _bytes("openai", stream, reply, []))[1]
    if is_read:
        assert isinstance(outcome, Reply)
        assert outcome.text == TEXT
    else:
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.retry, outcome.usage.output_tokens) == (FailureKind.SERVER, True, 7)


@pytest.mark.parametrize("wire", ["openai", "ollama"])
@pytest.mark.parametrize("calls", [{"function": {"name": "f"}}, "f", True, [5], [{"function": 5}]])
def test_a_call_is_one_however_it_is_listed(wire: str, calls: object) -> None:
    reply = _fresh(wire, False)
    message = reply["message"] if wire == "ollama" else reply["choices"][0]["message"]
    message["tool_calls"] = calls
    outcome = _outcome(wire, False, json.dumps(reply).encode())[1]
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.partial) == ("tool_calls", TEXT)


@pytest.mark.parametrize("refusal", [True, ["no"], {"reason": "no"}])
def test_a_refusal_that_is_no_text_is_no_answer(refusal: object) -> None:
    reply = _fresh("openai", False)
    reply["choices"][0]["message"]["refusal"] = refusal
    assert isinstance(_outcome("openai", False, json.dumps(reply).encode())[1], Failure)


@pytest.mark.parametrize("wire", sorted(REPLIES))
def test_a_list_of_models_leaves_out_what_is_no_model(wire: str) -> None:
    name = {"gemini": "models/good"}.get(wire, "good")
    odd: list[str] = [*NO_COUNTS, "null", "12"]
    rows = [f'{{"id": {value}, "name": {value}, "model": {value}}}' for value in odd if value[0] != '"']
    good = [
        json.dumps({"id": name, "name": name, "@": 0}).replace(
            '"@": 0', f'"{field}": {value}, "display_name": {value}, "displayName": {value}'
        )
        for value in odd
        for field in ("max_input_tokens", "inputTokenLimit", "context_length", "pricing", "retires_at")
    ]
    key = "data" if wire in ("openai", "anthropic") else "models"
    body = f'{{"{key}": [{", ".join((*odd, *rows, *good))}], "has_more": 5, "nextPageToken": false}}'
    made, endpoint = wire_of(wire)
    page = made.decode_models(head(), body.encode(), endpoint)
    assert not isinstance(page, Failure), page
    assert {model.id for model in page.models} == {"good"}
    assert len(page.models) == len(good)
    assert page.next is None
    assert all(m.context_tokens is None or 0 <= m.context_tokens <= 2**53 for m in page.models)


def peak_kb() -> int:
    """The most that this process held since `reset_peak`."""
    return int(re.findall(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[0])


def reset_peak() -> int | None:
    """Forget the peak of before; returns what is held now, `None` where the system has no such thing."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        return peak_kb()
    except OSError:
        return None


def test_a_reply_of_millions_of_values_is_neither_repaired_nor_read_as_an_error() -> None:
    for wire in sorted(REPLIES):
        made, endpoint = wire_of(wire)
        whole = json.dumps(REPLIES[wire][0])[:-1]
        body = f'{whole}, "error": {{"a": 1e400}}, "x": [{"[]," * 2_000_000}0]}}'.encode()
        before, started_at = reset_peak(), time.process_time()
        made.decode(head(), body, endpoint)
        made.decode_models(head(), body, endpoint)
        refusal = made.decode(head(400), body.replace(b"1e400", b"1"), endpoint)
        assert isinstance(refusal, Failure)
        assert len(refusal.message) < 5000
        # Half a second as a rule. What repairs JSON goes over each of six million letters in Python's steps.
        assert time.process_time() - started_at < 6
        assert before is None or peak_kb() - before < 150_000


FILE = {
    "name": "files/abc",
    "displayName": "a.pdf",
    "mimeType": "application/pdf",
    "sizeBytes": "5",
    "expirationTime": "2026-01-01T00:00:00Z",
    "uri": "https://api.example/v1beta/files/abc",
    "state": "ACTIVE",
    "error": {"code": 5, "message": "m"},
    "videoMetadata": {"videoDuration": "5s"},
}


@pytest.mark.parametrize("wrapped", [True, False], ids=["sent", "polled"])
def test_a_stored_file_is_known_by_its_name_whatever_else_is_said_of_it(wrapped: bool) -> None:
    made, endpoint = wire_of("gemini")
    assert made.uploads is not None
    for path in list(_places(FILE)):
        for value in (*NO_COUNTS, "null", '"1000000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+23:59"'):
            file = json.loads(json.dumps(FILE))
            _put(file, path, "@0@")
            data = _bytes("gemini", False, {"file": file} if wrapped else file, [value])
            found = made.uploads.decode_file(head(), data, endpoint)
            if path[-1] in ("name", "uri", "state"):
                assert isinstance(found, Failure | UploadedFile)
                if path[-1] == "name":
                    assert isinstance(found, Failure), value
            else:
                assert isinstance(found, UploadedFile), (path, value, found)
                assert (found.name, found.uri, found.ready) == ("files/abc", FILE["uri"], True)
                made.uploads.poll(found, endpoint)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "//evil.example/u",
            "/upload/x",
            "u",
            "",
            "https://api.example.evil/u",
            "https://api.example@evil/u",
        ),
        *("http://api.example/u", "https://api.example:444/u", "https://[::1/u", "https://api.example:x/u"),
        *("HTTPS://evil.example/u", "https://evil\x00.example/", "https:\\\\evil\\u", "ftp://api.example/u"),
    ],
)
def test_bytes_of_a_file_go_to_no_other_place(url: str) -> None:
    made, endpoint = wire_of("gemini")
    assert made.uploads is not None
    found = made.uploads.decode_start(head(x_goog_upload_url=url), b"", endpoint)
    assert isinstance(found, Failure)
