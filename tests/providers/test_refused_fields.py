"""The field that a refusal blames, whoever says it and how."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.providers.common import bodies
from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.common.refused_fields import refused_parameter
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind
from wirekit import head, place

FIELDS = {
    # as it is sent on any wire: our name
    "temperature": "temperature",
    "top_p": "top_p",
    "topP": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "random_seed": "seed",
    "stop": "stop",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "maxOutputTokens": "max_tokens",
    "num_predict": "max_tokens",
    "response_format": "schema",
    "responseJsonSchema": "schema",
    "stream_options": "stream_options",
    "reasoning_effort": "reasoning_effort",
    "reasoningEffort": "reasoning_effort",
    "presencePenalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logprobs": "logprobs",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "service_tier": "service_tier",
    "enable_thinking": "enable_thinking",
}
QUOTED = [
    # Sentences of OpenAI, NVIDIA, Anthropic, Groq, Google, Bedrock, Cohere, LiteLLM, and of JSON parsers.
    "Unsupported parameter: '{}' is not supported with this model.",
    "Validation: Unsupported parameter(s): `{}`",
    "Unknown parameter: '{}'.",
    "Unsupported value: '{}' does not support 0.2 with this model. Only the default (1) value is supported.",
    "`{}` is deprecated for this model.",
    "property '{}' is unsupported",
    "unknown field `{}`, expected one of `model`, `messages`",
    'json: unknown field "{}"',
    "Completions.create() got an unexpected keyword argument '{}'",
    "Additional properties are not allowed ('{}' was unexpected)",
    "litellm.UnsupportedParamsError: openai does not support parameters: ['{}'], for model=x.",
    "VertexAIException doesn't support parameters: {{'{}': 1}}",
    'Invalid JSON payload received. Unknown name "{}": Cannot find field.',
    "Malformed input request: #: extraneous key [{}] is not permitted, please reformat your input",
    "unknown field: parameter '{}' is not a valid field",
    "'{}' is currently not supported",
    "Please remove the parameter `{}` and try again",
    "parameter '{}' cannot be set for this model",
    "The following parameters are not supported: '{}'",
    "[{{'type': 'extra_forbidden', 'loc': ('body', '{}'), 'msg': 'Extra inputs are not permitted'}}]",
]
BARE = [
    "Unsupported parameter(s): {}",
    "Unrecognized request argument supplied: {}",
    "Unrecognized request arguments supplied: {}, user",
    "{}: Extra inputs are not permitted",
    "1 validation error for Request\nbody -> {}\n  extra fields not permitted (type=value_error.extra)",
    "Argument not supported on this model: {}",
    "Model grok does not support parameter {}.",
    "This model does not support the {} parameter",
    "Thinking mode does not support this {}",
    "{} is not supported by this model",
    "{} are not supported",
    "parameter {} is no longer supported",
    "invalid {}: only 1 is allowed for this model",
    "only 1 is allowed for {}",
    "The parameter {} must be unset",
    "{} may only be set to 1 when thinking is enabled",
    "{} must be 1 for this model",
    "不支持的参数: {}",
    "参数 {} 不支持",
]


def of(message: str, **fields: Any) -> str | None:
    return refused_parameter(
        bodies.read(
            json.dumps({"error": {"message": message, "type": "invalid_request_error", **fields}}).encode()
        )
    )


@pytest.mark.parametrize("words", [*QUOTED, *BARE])
def test_a_field_is_named_by_every_sentence_that_refuses_it(words: str) -> None:
    found = {name: of(words.format(name)) for name in FIELDS}
    assert found == FIELDS


@pytest.mark.parametrize("words", QUOTED)
def test_a_quoted_field_need_not_be_known(words: str) -> None:
    assert of(words.format("frobnication_level")) == "frobnication_level"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Reasoning effort is not supported", "reasoning_effort"),
        ("does not support stop sequences", "stop"),
        ("logit bias is not supported", "logit_bias"),
    ],
)
def test_a_field_may_be_spelled_in_words(words: str, name: str) -> None:
    assert of(words) == name


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(FIELDS)), st.sampled_from([*QUOTED, *BARE]), st.data())
def test_gateways_may_wrap_it_as_often_as_they_like(name: str, words: str, data: st.DataObject) -> None:
    body: object = {"error": {"message": words.format(name), "type": "invalid_request_error"}}
    for _ in range(data.draw(st.integers(0, 3))):
        inner = json.dumps(body, ensure_ascii=data.draw(st.booleans()))
        body = data.draw(
            st.sampled_from(
                [
                    {"error": inner},
                    {"error": {"message": f"Error from provider: {inner} (request id: 1)", "type": "<nil>"}},
                    {"message": inner, "code": 400},
                    {"detail": f"upstream: {inner}"},
                    {"object": "error", "message": inner, "param": None},
                ]
            )
        )
    assert refused_parameter(bodies.read(json.dumps(body).encode())) == FIELDS[name]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "top_p"),
        ("top_p and temperature are mutually exclusive", "top_p"),
        ("Error from provider (Anthropic): temperature and top_p cannot both be specified", "top_p"),
        ("Unsupported parameter(s): `seed`, `stop`", "seed"),
        ("temperature is not supported, neither is seed", "temperature"),
    ],
)
def test_of_several_fields_one_goes_at_a_time(words: str, name: str) -> None:
    assert of(words) == name


MENTIONS = [
    # A field or something like one is named, and what is wrong is something else.
    "Please reduce max_tokens or the length of the messages",
    "max_tokens is too large: 99999. This model supports at most 4096 completion tokens.",
    "temperature must be between 0 and 2",
    "Invalid value for parameter temperature: must be less than or equal to 2",
    "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
    "'top_p' should be in (0, 1]",
    "stop: too many sequences, at most 4",
    "Invalid image: `image_url` is not supported by this model",
    "unknown variant `image_url`, expected `text`",
    "The model 'gpt-9' does not support image input",
    "The model `x` is not supported",
    "This file format is not supported",
    "does not support the image format",
    "Invalid value: 'developer'. Supported values are: 'system', 'user'",
    "You are not allowed to sample from this model",
    "API key sk-abcdef is not allowed",
    "invalid key: sk-abcdef",
    "Invalid argument: The prompt is empty",
    "user is not allowed",
    "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
    "Only user, system and assistant roles are supported",
    "the system prompt and the messages are too long",
    "the stream was closed",
    "the body ended before the stream",
    "messages.0.content: Input should be a valid string",
]


@pytest.mark.parametrize("words", MENTIONS)
def test_a_field_that_is_only_mentioned_is_not_refused(words: str) -> None:
    assert of(words) is None


SYSTEM = [
    # Templates of Gemma and Mistral, LM Studio, OpenAI's o1, Bedrock, Google, MiniMax, jsonschema, serde.
    "System role not supported",
    "Conversation roles must alternate user/assistant/user/assistant/...",
    'Error rendering prompt with jinja template: "Only user, assistant and tool roles are supported, got '
    'system."',
    "Only user and assistant roles are supported!",
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
    "This model doesn't support system messages.",
    "Developer instruction is not enabled for models/gemma-3-27b-it",
    "System instruction is not supported for this model",
    "system prompts are currently not supported",
    "invalid params, invalid role: system",
    "'system' is not one of ['user', 'assistant'] - 'messages.0.role'",
    "unknown variant `system`, expected `user` or `assistant`",
]
STREAM = [
    "Your organization must be verified to stream this model.",
    "Unsupported value: 'stream' does not support true with this model.",
    "streaming is not supported for this model",
    "This model does not support streaming",
    "Streaming is disabled for your account",
    "stream must be false",
    # The other way round.
    "This model only support stream mode, please enable the stream parameter to access the model.",
    "parameter.enable_thinking must be set to false for non-streaming calls",
    "Requests with max_tokens > 4096 must have stream=true",
    "non-streaming requests are not supported",
]


@pytest.mark.parametrize(
    ("words", "name"), [*((words, "system") for words in SYSTEM), *((words, "stream") for words in STREAM)]
)
@pytest.mark.parametrize("vendor", ["openai", "anthropic", "google", "ollama", "openrouter"])
def test_system_message_and_stream_are_fields_on_every_wire(vendor: str, words: str, name: str) -> None:
    wire = WIRES[VENDORS[vendor].wire]
    body = json.dumps({"error": {"message": words}}).encode()
    outcome = wire.decode(head(400), body, place(VENDORS[vendor].wire, "https://h"))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.parameter) == (FailureKind.BAD_REQUEST, name)


@settings(deadline=None, max_examples=30)
@given(st.text(min_size=1, max_size=30))
def test_no_text_takes_long_to_read(piece: str) -> None:
    started = time.process_time()
    refused_parameter(ErrorBody(message=piece * (200_000 // len(piece))))
    # A tenth of a second; what grows with the square takes minutes.
    assert time.process_time() - started < 5
