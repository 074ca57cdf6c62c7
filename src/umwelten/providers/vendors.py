"""The providers umwelten knows by name, as rows of a table, and the reading of their addresses.

A vendor that speaks a known wire format is a row here or a section of `umwelten.toml`, never code.
"""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.providers.protocol import Quirks, Vendor


def _compatible(
    name: str,
    base_url: str,
    key: str | None,
    *,
    scope: str = "key+model",
    recommended: tuple[int, int] = (5, 20),
    quirks: Quirks | None = None,
    required: bool = True,
    env: str | None = None,
) -> Vendor:
    """A row for a vendor with OpenAI's chat completions; its address comes from `<NAME>_BASE_URL`."""
    return Vendor(
        name=name,
        wire="openai",
        base_url=base_url,
        base_url_env=(env or f"{name.upper().replace('-', '_')}_BASE_URL",),
        key_env=(key,) if key else (),
        key_required=bool(key) and required,
        scope=scope,
        recommended=recommended,
        quirks=quirks or Quirks(),
    )


def _host(name: str, base_url: str, key: str | None, recommended: tuple[int, int]) -> Vendor:
    """A row for a server of one's own: a key only if it was given one."""
    return _compatible(name, base_url, key, scope="host", recommended=recommended, required=False)


_ROWS = (
    Vendor(
        name="google",
        wire="gemini",
        base_url="https://generativelanguage.googleapis.com",
        base_url_env=("GOOGLE_BASE_URL",),
        key_env=("GOOGLE_GENERATIVE_AI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"),
        scope="key+model",
        recommended=(20, 30),
    ),
    _compatible(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        scope="key",
        recommended=(5, 10),
        quirks=Quirks(
            hints="openrouter",
            headers={"X-Title": "umwelten"},
            strict="plain",
            # Else it may route to a host that passes over the schema.
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
        scope="host",
        recommended=(2, 5),
    ),
    _host("lmstudio", "http://127.0.0.1:1234/v1", "LM_API_TOKEN", (2, 3)),
    _compatible(
        "openai",
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        recommended=(10, 50),
        quirks=Quirks(
            hints="openai", max_tokens_field="max_completion_tokens", strict="full", tell_schema=False
        ),
    ),
    Vendor(
        name="anthropic",
        wire="anthropic",
        base_url="https://api.anthropic.com",
        base_url_env=("ANTHROPIC_BASE_URL",),
        key_env=("ANTHROPIC_API_KEY",),
        scope="key+model",
        recommended=(5, 20),
        quirks=Quirks(hints="anthropic"),
    ),
    # The child's address and key exist only once it runs.
    Vendor(
        name="local",
        wire="openai",
        base_url="",
        key_required=False,
        scope="host",
        recommended=(1, 4),
        quirks=Quirks(small_models=frozenset(("smollm2",))),
    ),
    _compatible("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", quirks=Quirks(hints="groq")),
    _compatible(
        "deepseek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        recommended=(10, 50),
        quirks=Quirks(schema="json_object"),
    ),
    _compatible(
        "mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        recommended=(2, 10),
        quirks=Quirks(hints="mistral", seed_field="random_seed", stream_usage=False, strict="plain"),
    ),
    _compatible(
        "together",
        "https://api.together.ai/v1",
        "TOGETHER_API_KEY",
        quirks=Quirks(hints="together", stream_usage=False),
    ),
    _compatible(
        "fireworks",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        scope="key",
        # Left to itself it cuts prompts that are too long, and says nothing.
        quirks=Quirks(
            hints="fireworks", stream_usage=False, body={"context_length_exceeded_behavior": "error"}
        ),
    ),
    _compatible(
        "deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY", recommended=(10, 50)
    ),
    _compatible(
        "xai",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        quirks=Quirks(hints="none", reasoning_outside=True, strict="plain"),
    ),
    _compatible(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        recommended=(2, 10),
        quirks=Quirks(hints="cerebras", max_tokens_field="max_completion_tokens", strict="plain"),
    ),
    _compatible(
        "nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", scope="key", recommended=(2, 5)
    ),
    _compatible(
        "minimax",
        "https://api.minimax.io/v1",
        "MINIMAX_API_KEY",
        scope="key",
        recommended=(2, 10),
        # Its current models know no schemas.
        quirks=Quirks(schema="none"),
    ),
    _compatible(
        "github-models",
        "https://models.github.ai/inference",
        "GITHUB_TOKEN",
        recommended=(1, 2),
        quirks=Quirks(hints="github", models_path="../catalog/models"),
    ),
    _host("vllm", "http://127.0.0.1:8000/v1", "VLLM_API_KEY", (8, 64)),
    _host("llamabarn", "http://127.0.0.1:2276/v1", None, (1, 4)),
    _host("llama-swap", "http://127.0.0.1:8080/v1", None, (2, 10)),
)

VENDORS: Mapping[str, Vendor] = {row.name: row for row in _ROWS}
