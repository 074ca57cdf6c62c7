"""The fault server speaks four formats well enough for their own clients."""

from __future__ import annotations

import json

import anthropic
import ollama
import openai
import pytest
from google.ai.generativelanguage import Candidate, GenerateContentResponse, ListModelsResponse

from provider import KEYS, Provider, chat, contents, fetch, provider
from umwelten.simulate.faultserver import (
    Behaviour,
    Profile,
    digest,
)

USAGE = Behaviour(input_tokens=100, cached_tokens=40, output_tokens=30, reasoning_tokens=20, text="four")


def openai_client(server: Provider, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + path, api_key=KEYS["OPENAI_API_KEY"], max_retries=0)


def anthropic_client(server: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key=KEYS["ANTHROPIC_API_KEY"], max_retries=0)


def gemini(server: Provider, verb: str, *parts: dict[str, object], key: str = "k") -> tuple[int, bytes]:
    url = f"{server.url}/v1beta/models/gem:{verb}"
    return fetch(url, contents(*parts), {"x-goog-api-key": key})[:2]


# --- the wires, read by their vendors' own code ------------------------------------------------


def test_openais_client_reads_a_whole_answer() -> None:
    with provider(Profile(default=USAGE)) as server, openai_client(server) as client:
        reply = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert reply.choices[0].message.content == "four"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (
        100,
        30,
        130,
    )
    assert reply.usage.prompt_tokens_details.cached_tokens == 40
    assert reply.usage.completion_tokens_details.reasoning_tokens == 20


def test_openais_client_reads_a_stream_with_its_usage() -> None:
    profile = Profile(default=Behaviour(text="one two three", chunks=3, chunk_gap_s=0.01))
    with provider(profile) as server, openai_client(server) as client:
        chunks = list(
            client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    text = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(piece or "" for piece in text) == "one two three"
    assert sum(1 for piece in text if piece) == 3
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 3


def test_a_stream_of_openai_has_no_usage_unless_it_is_asked_for() -> None:
    with provider() as server:
        plain = fetch(server.url + "/v1/chat/completions", chat("hi", stream=True))[1]
        router = fetch(server.url + "/api/v1/chat/completions", chat("hi", stream=True))[1]
    assert plain.endswith(b"data: [DONE]\n\n")
    assert b"usage" not in plain
    assert router.startswith(b": OPENROUTER PROCESSING\n\n")
    assert b'"usage":{' in router


def test_openrouter_states_the_cost_and_prices_as_strings() -> None:
    with provider(Profile(default=Behaviour(cost_usd=0.0125))) as server:
        reply = json.loads(fetch(server.url + "/api/v1/chat/completions", chat("hi"))[1])
        listed = json.loads(fetch(server.url + "/api/v1/models")[1])
    assert reply["usage"]["cost"] == 0.0125
    assert isinstance(listed["data"][0]["pricing"]["prompt"], str)


def test_anthropics_client_reads_a_whole_answer() -> None:
    with provider(Profile(default=USAGE)) as server, anthropic_client(server) as client:
        reply = client.messages.create(model="m", max_tokens=50, messages=[{"role": "user", "content": "hi"}])
    assert reply.content[0].text == "four"
    assert reply.stop_reason == "end_turn"
    assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens) == (60, 40)
    assert reply.usage.output_tokens == 30


def test_anthropics_client_reads_a_stream() -> None:
    profile = Profile(default=Behaviour(text="one two three", chunks=3, chunk_gap_s=0.01))
    with provider(profile) as server, anthropic_client(server) as client:
        with client.messages.stream(
            model="m", max_tokens=50, messages=[{"role": "user", "content": "hi"}]
        ) as stream:
            pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert ("".join(pieces), len(pieces)) == ("one two three", 3)
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 3)


def test_ollamas_client_reads_answers_streams_and_lists() -> None:
    with provider(Profile(models=("gemma3:12b",))) as server:
        client = ollama.Client(host=server.url)
        asked = [{"role": "user", "content": "hi"}]
        reply = client.chat(model="m", messages=asked)
        lines = list(client.chat(model="m", messages=asked, stream=True))
        listed, loaded, shown = client.list(), client.ps(), client.show("gemma3:12b")
        pulled = [line.status for line in client.pull("x", stream=True)]
        client._client.close()
    assert reply.message.content == "".join(line.message.content or "" for line in lines)
    assert reply.message.content == f"m says {digest('hi')}: hi"
    assert (reply.done_reason, reply.eval_count) == ("stop", 4)
    assert [line.done for line in lines] == [False] * 4 + [True]
    assert listed.models[0].model == loaded.models[0].model == "gemma3:12b"
    assert shown.capabilities == ["completion", "vision", "tools"]
    assert pulled[-1] == "success"


def test_gemini_answers_are_what_googles_types_describe() -> None:
    with provider(Profile(default=USAGE, models=("a", "b", "c"), page_size=2)) as server:
        status, body = gemini(server, "generateContent", {"text": "hi"})
        page = ListModelsResponse.from_json(fetch(server.url + "/v1beta/models")[1].decode())
        rest = ListModelsResponse.from_json(
            fetch(f"{server.url}/v1beta/models?pageToken={page.next_page_token}")[1].decode()
        )
    reply = GenerateContentResponse.from_json(body.decode(), ignore_unknown_fields=True)
    assert status == 200
    assert reply.candidates[0].content.parts[0].text == "four"
    assert reply.candidates[0].finish_reason == Candidate.FinishReason.STOP
    usage = json.loads(body)["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (100, 40)
    assert (usage["candidatesTokenCount"], usage["thoughtsTokenCount"]) == (10, 20)
    assert [model.name for model in (*page.models, *rest.models)] == ["models/a", "models/b", "models/c"]
    assert not rest.next_page_token


def test_a_gemini_stream_ends_with_its_finish_reason_in_either_framing() -> None:
    with provider(Profile(default=Behaviour(text="one two three", chunks=3))) as server:
        events = gemini(server, "streamGenerateContent?alt=sse", {"text": "hi"})[1]
        array = gemini(server, "streamGenerateContent", {"text": "hi"})[1]
    chunks = [json.loads(line[6:]) for line in events.decode().splitlines() if line]
    for streamed in (chunks, json.loads(array)):
        replies = [
            GenerateContentResponse.from_json(json.dumps(chunk), ignore_unknown_fields=True)
            for chunk in streamed
        ]
        assert "".join(reply.candidates[0].content.parts[0].text for reply in replies) == "one two three"
        finishes = [reply.candidates[0].finish_reason for reply in replies]
        assert finishes == [0, 0, Candidate.FinishReason.STOP]
        assert [reply.usage_metadata.candidates_token_count for reply in replies] == [1, 2, 3]


def test_the_clients_list_models_page_by_page() -> None:
    with provider(Profile(models=("a", "b", "c"), page_size=2)) as server:
        with openai_client(server) as client:
            assert [model.id for model in client.models.list()] == ["a", "b", "c"]
        with anthropic_client(server) as client:
            assert [model.id for model in client.models.list()] == ["a", "b", "c"]
        assert server.ledger.listings == 3


def test_max_tokens_cuts_the_answer_on_every_wire() -> None:
    with provider(Profile(default=Behaviour(text="one two three four"))) as server:
        openai_reply = json.loads(fetch(server.url + "/v1/chat/completions", chat("hi", max_tokens=2))[1])
        limited = contents({"text": "hi"}) | {"generationConfig": {"maxOutputTokens": 2}}
        gemini_reply = json.loads(fetch(server.url + "/v1beta/models/g:generateContent", limited)[1])
        asked = chat("hi", stream=False, options={"num_predict": 2})
        ollama_reply = json.loads(fetch(server.url + "/api/chat", asked)[1])
        with anthropic_client(server) as client:
            reply = client.messages.create(
                model="m", max_tokens=2, messages=[{"role": "user", "content": "hi"}]
            )
    choice = openai_reply["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two", "length")
    candidate = gemini_reply["candidates"][0]
    assert (candidate["content"]["parts"][0]["text"], candidate["finishReason"]) == ("one two", "MAX_TOKENS")
    assert (ollama_reply["message"]["content"], ollama_reply["done_reason"]) == ("one two", "length")
    assert (reply.content[0].text, reply.stop_reason) == ("one two", "max_tokens")


@pytest.mark.parametrize(
    ("status", "openais", "anthropics"),
    [
        (400, openai.BadRequestError, anthropic.BadRequestError),
        (401, openai.AuthenticationError, anthropic.AuthenticationError),
        (403, openai.PermissionDeniedError, anthropic.PermissionDeniedError),
        (404, openai.NotFoundError, anthropic.NotFoundError),
        (413, openai.APIStatusError, anthropic.RequestTooLargeError),
        (422, openai.UnprocessableEntityError, anthropic.UnprocessableEntityError),
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (500, openai.InternalServerError, anthropic.InternalServerError),
        (529, openai.InternalServerError, anthropic.OverloadedError),
    ],
)
def test_the_clients_raise_their_own_error_for_a_status(
    status: int, openais: type[Exception], anthropics: type[Exception]
) -> None:
    with provider(Profile(default=Behaviour(fault=status))) as server:
        with openai_client(server) as client, pytest.raises(openais) as caught:
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["message"]
        with anthropic_client(server) as client, pytest.raises(anthropics) as caught:
            client.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}])
        assert caught.value.body["type"] == "error"
        status_seen, body = gemini(server, "generateContent", {"text": "hi"})
        error = json.loads(body)["error"]
        assert (status_seen, error["code"]) == (status, status)
        assert error["status"].isupper()
        ollamas = ollama.Client(host=server.url)
        with pytest.raises(ollama.ResponseError) as response:
            ollamas.chat(model="m", messages=[{"role": "user", "content": "hi"}])
        ollamas._client.close()
        assert response.value.status_code == status
