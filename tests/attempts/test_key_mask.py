"""A key comes back in nothing: any text of a reply, on every wire, in every spelling, however it is split."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from base64 import b64encode
from collections.abc import Callable
from itertools import pairwise
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawserver import raw_server
from umwelten.attempts.key_mask import MASK, PLAIN, KeyMask
from umwelten.attempts.transport import Transport
from umwelten.phrases import Phrase
from umwelten.providers.protocol import Endpoint, HttpRequest
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ToolCall
from umwelten.types import Failure, FailureKind, FinishReason, Outcome, Problem, Reply, Usage
from wirekit import KEY, place, question, sse

DRAWS = 250
SLASHED = "sk/live+0aB1cD2eF3gH4=="
LONG = "sk-proj-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "in words": lambda key: f"the key {key}, is wrong",
    "in a URL": lambda key: f"https://x/?key={quote(key, safe='')}&y=1",
    "all percent": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "percent twice": lambda key: "".join(f"%25{ord(c):02X}" for c in key),
    "basic": lambda key: "Basic " + b64encode(f":{key}".encode()).decode(),
    "basic with a user": lambda key: "Basic " + b64encode(f"me:{key}".encode()).decode(),
    "base64": lambda key: b64encode(key.encode()).decode(),
    "JSON in JSON": lambda key: json.dumps({"e": "".join(f"\\u{ord(c):04x}" for c in key)}),
    "slashes": lambda key: key.replace("/", "\\/"),
    "HTML": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "cut": lambda key: f"wrong: {key[:-2]}…",
    "upper case": str.upper,
    "hexadecimal": lambda key: key.encode().hex().upper(),
    "UTF-16": lambda key: key.encode("utf-16-le").decode("latin-1"),
    "on two lines": lambda key: f"{key[:7]}\n  {key[7:]}",
    "no width": "\u200b".join,
    "octal": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "braces": lambda key: "".join(f"\\u{{{ord(c):x}}}" for c in key),
    "without its beginning": lambda key: f"wrong: {key[3:]} is",
}
_UNFIT_FOR_HEADS = frozenset(("UTF-16", "on two lines", "no width"))
IN_ANSWERS = ("plain", "in words", "in a URL", "basic", "basic with a user", "base64", "slashes")

_USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
REPLIES: dict[str, tuple[Any, list[Any]]] = {
    "openai": (
        {
            "id": "id",
            "model": "m",
            "service_tier": "t",
            "choices": [
                {"message": {"content": "text", "reasoning_content": "why"}, "finish_reason": "stop"}
            ],
            "usage": _USAGE,
        },
        [
            {"id": "id", "model": "m", "choices": [{"delta": {"content": "te", "reasoning": "why"}}]},
            {"choices": [{"delta": {"content": "xt"}, "finish_reason": "stop"}], "service_tier": "t"},
        ],
    ),
    "gemini": (
        {
            "candidates": [
                {
                    "content": {"parts": [{"text": "why", "thought": True}, {"text": "text"}]},
                    "finishReason": "STOP",
                    "finishMessage": "m",
                }
            ],
            "modelVersion": "m",
            "responseId": "id",
        },
        [
            {"candidates": [{"content": {"parts": [{"text": "te"}]}}], "modelVersion": "m"},
            {"candidates": [{"content": {"parts": [{"text": "xt"}]}, "finishReason": "STOP"}]},
        ],
    ),
    "anthropic": (
        {
            "id": "id",
            "model": "m",
            "content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "text"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 3, "output_tokens": 2, "service_tier": "t"},
        },
        [
            {"type": "message_start", "message": {"id": "id", "model": "m", "usage": {"input_tokens": 3}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "text"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ],
    ),
    "ollama": (
        {
            "model": "m",
            "message": {"content": "text", "thinking": "why"},
            "done": True,
            "done_reason": "stop",
        },
        [
            {"model": "m", "message": {"content": "te", "thinking": "why"}, "done": False},
            {"model": "m", "message": {"content": "xt"}, "done": True, "done_reason": "stop"},
        ],
    ),
}
ERROR = {
    "error": {
        "message": "Unsupported parameter: 'top_p'",
        "code": "c",
        "type": "t",
        "param": "top_p",
        "status": "s",
        "metadata": {"raw": "r"},
    },
    "detail": [{"loc": ["body", "x"], "msg": "m", "type": "t"}],
}
HEADERS = ("x-request-id", "request-id", "location", "content-type", "retry-after", "x-ratelimit-reset")
STATUSES = (200, 200, 200, 400, 401, 404, 422, 429, 500, 302, 407)


def _leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the strings in a JSON value are."""
    if isinstance(value, str):
        return [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [leaf for step, item in items for leaf in _leaves(item, (*at, step))]


def _put(value: Any, at: tuple[Any, ...], text: str) -> Any:
    whole = json.loads(json.dumps(value))
    place = whole
    for step in at[:-1]:
        place = place[step]
    place[at[-1]] = text
    return whole


def _coded(wire: str, values: list[Any]) -> bytes:
    if wire == "ollama":
        return b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return sse(*values, named=wire == "anthropic")


def _draw(rng: random.Random, wire: str, stream: bool, key: str) -> tuple[bytes, str]:
    """A reply with the key in one place, and what it is."""
    status = rng.choice(STATUSES)
    name = rng.choice(list(SPELLINGS))
    whole, pieces = REPLIES[wire]
    value: Any = (pieces if stream else whole) if status == 200 else ERROR
    headers = {"content-type": "application/json"}
    reason = "Some reason"
    heads = () if name in _UNFIT_FOR_HEADS else (*HEADERS, "reason")
    where: Any = rng.choice([*heads, *_leaves(value) * 2])
    if isinstance(where, tuple):
        if {"content", "text", "reasoning", "thinking", "reasoning_content"} & set(map(str, where)):
            name = rng.choice(IN_ANSWERS)
        value = _put(value, where, SPELLINGS[name](key))
    elif where == "reason":
        reason = SPELLINGS[name](key)
    else:
        text = SPELLINGS[name](key)
        headers[where] = f"https://{text}/" if where == "location" else text
    body = _coded(wire, value) if stream and status == 200 else json.dumps(value).encode()
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{n}: {v}" for n, v in headers.items())]
    lines += [f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode() + body, f"{wire} {stream} {status} {where} {name}"


def _shown(outcome: Outcome) -> str:
    """Every text of an outcome."""
    return msgspec.json.encode(outcome, enc_hook=str).decode()


def leak(text: str, key: str) -> str | None:
    """A form of the key that is in the text."""
    forms = {key, key[: len(key) * 2 // 3], key.upper(), key.lower(), quote(key, safe="")}
    forms |= {SPELLINGS[name](key) for name in ("all percent", "percent twice", "HTML", "slashes")}
    forms |= {"".join(f"\\u{ord(c):04x}" for c in key), key.encode().hex(), key[3:]}
    forms |= {SPELLINGS[name](key) for name in ("octal", "braces", "no width", "hexadecimal")}
    bare = re.sub(r"\\u00[01].|\\n|[^!-~]", "", text)
    if key in bare:
        return key
    forms |= {b64encode(b"x" * shift + key.encode()).decode()[4:-4] for shift in range(3)}
    return next((form for form in forms if form in text.replace("\\\\", "\\")), None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("wire", list(REPLIES))
def test_no_text_of_a_reply_holds_the_key(wire: str, stream: bool) -> None:
    rng = random.Random(f"{wire} {stream}")
    keys = (KEY, SLASHED)
    draws = [_draw(rng, wire, stream, keys[n % 2]) for n in range(DRAWS)]

    async def go() -> list[tuple[Outcome, str]]:
        left = iter(draws)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r")[0])
            await reader.readexactly(length)
            writer.write(next(left)[0])
            await writer.drain()

        found = []
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            for n in range(DRAWS):
                endpoint = place(wire, url, key=keys[n % 2])
                http = WIRES[wire].encode(question(stream=stream, top_p=0.5), endpoint)
                pieces: list[str] = []
                outcome, _ = await transport.ask(
                    http, WIRES[wire], endpoint, stream=stream, on_text=pieces.append
                )
                found.append((outcome, "".join(pieces)))
        return found

    for n, (outcome, text) in enumerate(asyncio.run(asyncio.wait_for(go(), 60))):
        key = keys[n % 2]
        assert leak(_shown(outcome), key) is None, (draws[n][1], outcome)
        assert leak(text, key) is None, (draws[n][1], text)


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_a_plain_request_returns_no_key_in_its_headers_and_body(spelling: str) -> None:
    text = SPELLINGS[spelling](SLASHED)
    body = json.dumps({"models": [text, "ok"], "next": text}).encode()
    name = "ok" if spelling in _UNFIT_FOR_HEADS else text
    head = f"HTTP/1.1 200 OK\r\nx-request-id: {name}\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()

    async def go() -> Any:
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            endpoint: Endpoint = place("openai", url, key=SLASHED)
            return await transport.fetch(HttpRequest(method="GET", url=f"{url}/m", headers={}), endpoint)

    got, content = asyncio.run(asyncio.wait_for(go(), 30))
    assert leak("\n".join(got.headers.values()) + content.decode(), SLASHED) is None
    assert json.loads(content)["models"][1] == "ok"


def _streamed(key: str, pieces: list[str]) -> list[str]:
    """What is shown of the pieces of an answer, the rest of it last."""
    shown: list[str] = []
    show = KeyMask([key]).pieces(shown.append)
    for piece in pieces:
        show(piece)
    show.end()
    return shown


def _split(whole: str, cuts: list[int]) -> list[str]:
    ends = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [whole[start:end] for start, end in pairwise(ends)]


CUTS = st.lists(st.integers(0, 80), max_size=12)


@given(
    CUTS,
    st.sampled_from((KEY, SLASHED, LONG)),
    st.sampled_from(("plain", "in a URL", "basic", "base64", "slashes")),
    st.text("sk-/te", max_size=9),
)
def test_pieces_hold_no_key_wherever_they_are_split(
    cuts: list[int], key: str, spelling: str, around: str
) -> None:
    whole = f"{around} {SPELLINGS[spelling](key)} {around}{key[:5]}"
    shown = "".join(_streamed(key, _split(whole, cuts)))
    assert shown == _masked_answer(key, whole)
    assert leak(shown, key) is None


@given(CUTS, st.integers(1, 70), st.sampled_from((KEY, SLASHED, LONG)))
def test_pieces_hold_no_half_of_a_key_that_follows_a_whole_one(cuts: list[int], size: int, key: str) -> None:
    for whole in (f"{key} {key[:size]}", f"{key} {key[:size]}, {key}{key[:size]}"):
        assert "".join(_streamed(key, _split(whole, cuts))) == _masked_answer(key, whole)
    assert "".join(_streamed(key, [f"{key} {key[:size]}", f"{key[size:]}."])) == f"{MASK} {MASK}."


def test_half_of_a_key_without_its_beginning_is_masked_inside_a_piece() -> None:
    shown = _streamed(LONG, ["It ends ", f"with {LONG[20:]}, and ", "so on"])
    assert "".join(shown) == f"It ends with {MASK}, and so on"


@pytest.mark.parametrize("size", [16, 17, 40])
def test_half_of_the_shortest_secret_is_masked(size: int) -> None:
    key = LONG[8 : 8 + size]
    for half in (key[: max(8, size // 2)], key[-max(8, size // 2) :]):
        assert _masked_answer(key, f"It is {half}, or so") == f"It is {MASK}, or so"


def _masked_answer(key: str, text: str) -> str:
    return KeyMask([key]).outcome(Reply(text=text)).text


@pytest.mark.parametrize("prefix", ["sk-proj-", "sk-ant-api03-", "sk-ant-admin01-", "sk-or-v1-"])
@pytest.mark.parametrize("after", [".", "…", "", " and then something secret."])
def test_the_public_beginning_of_keys_stays_in_answers(prefix: str, after: str) -> None:
    key = prefix + "aB3dE5fG7hJ9kL1m" * 4
    answer = f"Such keys begin with {prefix}{after}"
    partial = KeyMask([key]).outcome(Failure(kind=FailureKind.SERVER, message=key, partial=answer)).partial
    assert _masked_answer(key, answer) == partial == answer
    assert "".join(_streamed(key, [*answer])) == "".join(_streamed(key, [answer])) == answer
    for half in (key[: len(key) // 2], key[-(len(key) // 2) :]):
        assert _masked_answer(key, f"It is {half}{after}") == f"It is {MASK}{after}"
    cut = Failure(kind=FailureKind.SERVER, message=f"wrong key {key[:20]}...")
    assert KeyMask([key]).outcome(cut).message == f"wrong key {MASK}..."


def test_what_is_not_the_key_is_left_as_it_is() -> None:
    reply = Reply(
        text="100 % of sk-live \\u0041 &#65; " + "é" * 50,
        finish_reason=FinishReason.STOP,
        usage=Usage(service_tier="standard", details={"web_searches": 1}),
        request_id="req_1%2F",
    )
    assert KeyMask([KEY, SLASHED]).outcome(reply) is reply
    assert KeyMask([""]).outcome(reply) is reply


@pytest.mark.parametrize("text", ["\\", "%", "&#0", "%25", SLASHED[:4], SLASHED[:-1] + " "])
def test_no_text_makes_the_search_slow(text: str) -> None:
    mask = KeyMask([SLASHED])
    failure = Failure(kind=FailureKind.SERVER, message=text * (1_000_000 // len(text)))
    started_at = time.process_time()
    mask.outcome(failure)
    assert time.process_time() - started_at < 2


@pytest.mark.parametrize("key", ["ollama", "not-needed", "123456", "sk-1234", "sk-1234567890ab"])
def test_a_dummy_key_is_left_in_answers_and_in_nothing_else(key: str) -> None:
    mask = KeyMask([key])
    answer = f"Use {key}789, {b64encode(key.encode()).decode()} or {quote(key)}"
    failure = Failure(kind=FailureKind.SERVER, message=f"key {key}", code=key, request_id=key, partial=answer)
    hidden = mask.outcome(failure)
    assert (hidden.message, hidden.code, hidden.request_id) == (f"key {MASK}", MASK, MASK)
    assert mask.outcome(Reply(text=answer, data=answer, reasoning=answer)).text == hidden.partial == answer
    assert "".join(_streamed(key, [*answer])) == answer


def test_a_short_password_is_masked_in_any_spelling_of_an_error() -> None:
    failure = Failure(kind=FailureKind.SERVER, message="user%3Ap%40ss%2Dw0rd9 or cEBzcy13MHJkOQ==")
    assert KeyMask(["p@ss-w0rd9"]).outcome(failure).message == f"user%3A{MASK} or {MASK}OQ=="


def test_every_text_of_an_outcome_is_masked() -> None:
    failure = Failure(
        kind=FailureKind.SCHEMA,
        message=KEY,
        code=KEY,
        parameter=KEY,
        partial=KEY,
        request_id=KEY,
        usage=Usage(service_tier=KEY, details={KEY: 1}),
        problems=(Problem(message=KEY, path=(KEY, 1)),),
        wording=Phrase("{a} {name} {option:params=" + KEY + "}", a=KEY[:7], name=KEY),
    )
    reply = Reply(text=KEY, data=KEY, marks=(KEY,), reasoning=KEY, served_model=KEY, request_id=KEY)
    for outcome in (failure, reply):
        assert KEY not in _shown(KeyMask([KEY]).outcome(outcome))


def test_a_message_that_names_options_is_masked_however_it_is_spelled() -> None:
    for wording in (
        Phrase("the function {name} is not run: take it out of {option:params}", name=KEY),
        Phrase("{a}{b} ({rest})", a=KEY[:9], b=KEY[9:], rest=Phrase("raise {option:max_tokens}")),
    ):
        hidden = KeyMask([KEY]).outcome(Failure(kind=FailureKind.SERVER, message="", wording=wording)).wording
        assert hidden is not None
        told = hidden.spell(lambda name, value: f"--{name}")
        assert told == wording.spell(lambda name, value: f"--{name}").replace(KEY, MASK)
        assert MASK in told


def _leaf_types(kind: object) -> set[object]:
    """The types of values that a field of this type may hold, as far as they are no containers."""
    inner = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return set().union(*map(_leaf_types, get_type_hints(kind).values()))
    if get_origin(kind) in (tuple, dict, UnionType, Union):
        return set().union(*map(_leaf_types, inner))
    return set() if kind is ... else {kind}


def test_calls_of_tools_hold_no_key_and_what_they_say_is_left_alone() -> None:
    said = json.dumps({"query": f"the key {SLASHED} is ollama, naïve"}, ensure_ascii=False)
    call = ToolCall(id="call_1", name="ollama", arguments=said)
    reply = Reply(text="", calls=(call,), turn=msgspec.json.encode([said]))
    assert KeyMask(["ollama"]).outcome(reply) is reply
    masked = KeyMask([SLASHED]).outcome(reply)
    for text in (masked.calls[0].arguments, json.loads(masked.turn)[0]):
        assert text == said.replace(SLASHED, MASK)


def test_what_a_tool_gave_holds_no_key_and_dummies_are_left_alone() -> None:
    mask = KeyMask([LONG, "lm-studio", "sk-1234"])
    said = f"key={LONG} {b64encode(LONG.encode()).decode()} {LONG[: len(LONG) // 2]}, lm-studio and sk-1234"
    hidden = mask.text(said)
    assert hidden.startswith(f"key={MASK} {MASK}") and hidden.endswith(f" {MASK}, lm-studio and sk-1234")


def test_keys_that_are_half_alike_are_masked_once() -> None:
    for other in ("sk-test-" + LONG[8:], f"{LONG}-and-more", LONG[:20]):
        assert KeyMask([LONG, other]).text(f"{other} and {LONG}") == f"{MASK} and {MASK}"


def test_no_field_of_an_outcome_has_a_type_that_is_not_searched() -> None:
    assert _leaf_types(Outcome) <= {str, bytes, Phrase, type(None), *PLAIN}
