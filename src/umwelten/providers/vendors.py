"""The providers that umwelten knows by name, as rows of a table.

A row has all that is known about a vendor: address, key, limits, prices, files, quirks. A new vendor that
speaks a known wire format is a new row, or a section of `umwelten.toml`, never code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from umwelten.providers.capabilities import (
    ANY_SIDE,
    AUDIO,
    BLIND_DEEPSEEK,
    BLIND_OPENAI,
    JPEG_PNG,
    M4A,
    NOTHING,
    VIDEO,
    WAV_MP3,
    Capabilities,
    ModelCapabilities,
    open_models,
)
from umwelten.providers.header_dialects import (
    DAY,
    HOUR,
    MINUTE,
    NO_DIALECT,
    OPENROUTER,
    SECOND,
    BudgetHeaders,
    HeaderDialect,
    budget_headers,
)
from umwelten.providers.protocol import Quirks, Scope, Vendor
from umwelten.types import Resource

_PER_MODEL = Scope.KEY_AND_MODEL
_REQUESTS, _TOKENS = Resource.REQUESTS, Resource.TOKENS
_INPUT, _OUTPUT = Resource.INPUT_TOKENS, Resource.OUTPUT_TOKENS


def _compatible(
    name: str, base_url: str, key: str | None, *, recommended: tuple[int, int] = (5, 20), **more: Any
) -> Vendor:
    """Return a row for a vendor with OpenAI's chat completions; `<NAME>_BASE_URL` sets its address."""
    return Vendor(
        name=name,
        wire="openai",
        base_url=base_url,
        base_url_env=(f"{name.upper().replace('-', '_')}_BASE_URL",),
        key_env=(key,) if key else (),
        recommended=recommended,
        **{"scope": _PER_MODEL, "key_required": bool(key), **more},
    )


def _host(name: str, base_url: str, key: str | None, **more: Any) -> Vendor:
    """Return a row for the user's own server, which may need no key."""
    return _compatible(name, base_url, key, scope=Scope.HOST, key_required=False, **more)


# OpenAI docs, "Images and vision": 512 MB per request; larger sides are scaled there. 50 MB per file and for
# all files of a request: "File inputs". PDF only in chat completions, from gpt-4o on.
_OPENAI = Capabilities(picture_bytes=50_000_000, picture_side=ANY_SIDE, pdf=True, pdf_bytes=50_000_000)
# OpenRouter docs, "PDF inputs": parsed for any model. "Audio", "Video": as the model's host accepts it.
_OPENROUTER = Capabilities(pdf=True, pdf_bytes=50_000_000, audio=AUDIO | M4A, video=VIDEO)
# llama.cpp reads images with stb_image, which does not support webp.
_LLAMA_CPP = open_models(
    Capabilities(pictures=JPEG_PNG | {"image/gif"}, picture_side=ANY_SIDE, audio=WAV_MP3)
)

_ROWS = (
    Vendor(
        name="google",
        wire="gemini",
        base_url="https://generativelanguage.googleapis.com",
        base_url_env=("GOOGLE_BASE_URL",),
        key_env=("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        scope=_PER_MODEL,
        recommended=(20, 30),
        price_list="google",
        nicknames=("gemini",),
    ),
    _compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        scope=Scope.KEY,
        recommended=(5, 10),
        price_list="openrouter",
        # Names there begin with the model's vendor.
        capabilities=ModelCapabilities(
            usual=_OPENROUTER,
            families=(
                (
                    rf"^openai/{BLIND_OPENAI}|^[^/]*/{BLIND_DEEPSEEK}",
                    Capabilities(pictures=frozenset(), pdf=True, pdf_bytes=50_000_000),
                ),
            ),
        ),
        quirks=Quirks(
            hints=OPENROUTER,
            headers={"X-Title": "umwelten"},
            # Its support looks requests up by the id in the body.
            id_in_body=True,
            lists_parameters=True,
            strict="plain",
            # Otherwise it may route to a host that ignores the schema.
            schema_body={"provider": {"require_parameters": True}},
        ),
    ),
    Vendor(
        name="ollama",
        wire="ollama",
        base_url="http://127.0.0.1:11434",
        base_url_env=("OLLAMA_HOST",),
        key_env=("OLLAMA_API_KEY",),
        key_required=False,
        scope=Scope.HOST,
        recommended=(2, 5),
        orders_by_model=True,
        nicknames=("gemma", "llama", "qwen"),
    ),
    _host(
        "lmstudio",
        "http://127.0.0.1:1234/v1",
        "LM_API_TOKEN",
        recommended=(2, 3),
        capabilities=open_models(Capabilities(pictures=JPEG_PNG | {"image/webp"}, picture_side=ANY_SIDE)),
        orders_by_model=True,
        nicknames=("lm-studio",),
        quirks=Quirks(path="/v1"),
    ),
    _compatible(
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        recommended=(10, 50),
        price_list="openai",
        capabilities=ModelCapabilities(
            usual=_OPENAI,
            families=(
                (r"audio", Capabilities(pictures=frozenset(), audio=WAV_MP3)),
                (rf"^{BLIND_OPENAI}", NOTHING),
                (r"^gpt-4-turbo", msgspec.structs.replace(_OPENAI, pdf=False)),
            ),
        ),
        imitated=True,
        nicknames=("chatgpt", "gpt"),
        quirks=Quirks(
            hints=HeaderDialect(
                name="openai",
                budgets=(
                    budget_headers(_REQUESTS, "requests"),
                    budget_headers(_TOKENS, "tokens", MINUTE),
                    budget_headers(_TOKENS, "project-tokens", MINUTE),
                ),
            ),
            max_tokens_field="max_completion_tokens",
            strict="full",
            tell_schema=False,
        ),
    ),
    Vendor(
        name="anthropic",
        wire="anthropic",
        base_url="https://api.anthropic.com",
        base_url_env=("ANTHROPIC_BASE_URL",),
        key_env=("ANTHROPIC_API_KEY",),
        scope=_PER_MODEL,
        recommended=(5, 20),
        price_list="anthropic",
        nicknames=("claude",),
        quirks=Quirks(
            # `tokens` repeats the tightest of the finer limits, so it is read only where those are absent;
            # the priority and fast budgets belong to other service tiers.
            hints=HeaderDialect(
                name="anthropic",
                budgets=tuple(
                    BudgetHeaders(
                        resource=resource,
                        limit=f"anthropic-ratelimit-{unit}-limit",
                        remaining=f"anthropic-ratelimit-{unit}-remaining",
                        reset=f"anthropic-ratelimit-{unit}-reset",
                        window_s=MINUTE,
                    )
                    for resource, unit in (
                        (_REQUESTS, "requests"),
                        (_INPUT, "input-tokens"),
                        (_OUTPUT, "output-tokens"),
                        (_TOKENS, "tokens"),
                    )
                ),
            )
        ),
    ),
    # The child's address and key exist only once it runs, and it is started without the projector that
    # models need for images and audio.
    Vendor(
        name="local",
        wire="openai",
        base_url="",
        key_required=False,
        scope=Scope.HOST,
        recommended=(1, 4),
        capabilities=ModelCapabilities(usual=NOTHING),
        orders_by_model=True,
        nicknames=("smollm2",),
        quirks=Quirks(small_models=frozenset(("smollm2",))),
    ),
    _compatible(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        price_list="groq",
        # 4 MB per request with base64, 33 megapixels per image: Groq docs, "Images and vision".
        capabilities=open_models(
            Capabilities(picture_bytes=2_900_000, picture_side=5_700, inline_bytes=2_900_000)
        ),
        quirks=Quirks(
            hints=HeaderDialect(
                name="groq",
                budgets=(
                    budget_headers(_REQUESTS, "requests", DAY),
                    budget_headers(_TOKENS, "tokens", MINUTE),
                ),
            )
        ),
    ),
    _compatible(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        recommended=(10, 50),
        price_list="deepseek",
        # Its models accept text only: DeepSeek docs, "Create chat completion".
        capabilities=ModelCapabilities(usual=NOTHING),
        quirks=Quirks(schema="json_object"),
    ),
    _compatible(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        recommended=(2, 10),
        price_list="mistral",
        # 10 MB per image: Mistral docs, "Vision".
        capabilities=open_models(Capabilities(picture_bytes=10_000_000, audio=WAV_MP3)),
        quirks=Quirks(
            hints=HeaderDialect(
                name="mistral",
                budgets=tuple(
                    budget_headers(resource, unit, MINUTE, minute=True)
                    for resource, unit in ((_REQUESTS, "req-minute"), (_TOKENS, "tokens-minute"))
                ),
                zero_excludes=True,
            ),
            seed_field="random_seed",
            stream_usage=False,
            strict="plain",
            # Status 400 otherwise: "Tool call id … must be a-z, A-Z, 0-9, with a length of 9", and
            # "Unexpected role 'user' after role 'tool'".
            call_ids="[a-zA-Z0-9]{9}",
            user_after_tools=False,
        ),
    ),
    _compatible(
        "together",
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        price_list="together",
        quirks=Quirks(
            hints=HeaderDialect(
                name="together",
                budgets=tuple(
                    budget_headers(resource, unit, SECOND, prefix=prefix)
                    for resource, prefix in ((_REQUESTS, "x-ratelimit"), (_TOKENS, "x-tokenlimit"))
                    for unit in ("", "dynamic")
                ),
            ),
            stream_usage=False,
        ),
    ),
    _compatible(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        scope=Scope.KEY,
        price_list="fireworks",
        # 10 MB for all images of a request in base64: Fireworks docs, "Vision models".
        capabilities=open_models(Capabilities(picture_bytes=7_000_000, inline_bytes=7_000_000)),
        quirks=Quirks(
            # Its docs state two different windows, so it is left open.
            hints=HeaderDialect(
                name="fireworks",
                budgets=(
                    budget_headers(_INPUT, "tokens-prompt"),
                    budget_headers(_INPUT, "tokens-cache-adjusted-prompt"),
                    budget_headers(_OUTPUT, "tokens-generated"),
                ),
            ),
            stream_usage=False,
            # By default it silently truncates prompts that are too long.
            body={"context_length_exceeded_behavior": "error"},
        ),
    ),
    _compatible(
        "deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", recommended=(10, 50)
    ),
    _compatible(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        price_list="x-ai",
        # 20 MiB per image, jpeg or png: xAI docs, "Image understanding".
        capabilities=open_models(
            Capabilities(pictures=JPEG_PNG, picture_bytes=20_000_000, picture_side=ANY_SIDE)
        ),
        nicknames=("grok",),
        quirks=Quirks(reasoning_outside=True, strict="plain"),
    ),
    _compatible(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        recommended=(2, 10),
        price_list="cerebras",
        quirks=Quirks(
            hints=HeaderDialect(
                name="cerebras",
                budgets=tuple(
                    budget_headers(resource, f"{unit}-{window}", window_s)
                    for resource, unit in ((_REQUESTS, "requests"), (_TOKENS, "tokens"))
                    for window, window_s in (("minute", MINUTE), ("hour", HOUR), ("day", DAY))
                ),
                should_retry=False,
            ),
            max_tokens_field="max_completion_tokens",
            strict="plain",
        ),
    ),
    _compatible(
        "nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", scope=Scope.KEY, recommended=(2, 5)
    ),
    _compatible(
        "minimax",
        "https://api.minimax.io/v1",
        "MINIMAX_API_KEY",
        scope=Scope.KEY,
        recommended=(2, 10),
        price_list="minimax",
        # Its current models do not support schemas.
        quirks=Quirks(schema="none"),
    ),
    _host("vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", recommended=(8, 64)),
    _host(
        "llamabarn",
        "http://127.0.0.1:2276/v1",
        None,
        recommended=(1, 4),
        capabilities=_LLAMA_CPP,
        orders_by_model=True,
    ),
    _host(
        "llama-swap",
        "http://127.0.0.1:8080/v1",
        None,
        recommended=(2, 10),
        capabilities=_LLAMA_CPP,
        orders_by_model=True,
    ),
)

VENDORS: Mapping[str, Vendor] = {row.name: row for row in _ROWS}

WIRE_NAMES = ("openai", "responses", "gemini", "anthropic", "ollama")
"""The wire formats by name. `wires` has what they do, which takes a tenth of a second to load."""

DIALECTS: Mapping[str, HeaderDialect] = {
    dialect.name: dialect for dialect in (NO_DIALECT, *(row.quirks.hints for row in _ROWS))
}
"""The dialects of rate-limit headers, by their values for `hints` in `umwelten.toml`."""
