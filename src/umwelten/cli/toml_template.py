"""The `umwelten.toml` that `config init` writes: every section, with what is found on this machine.

A line that begins with `#` and a letter is a setting to switch on; `# ` begins a remark.
"""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.config.overview import ConfigOverview, ProviderOverview

_MODELS = {
    "google": "google:gemini-3.5-flash",
    "anthropic": "anthropic:claude-sonnet-5-5",
    "openai": "openai:gpt-5.4-mini",
    "openrouter": "openai/gpt-5.4-mini",
}
EMBEDDED = "local:smollm2"


def starter(found: ConfigOverview) -> str:
    """The text of a new file, in which everything is switched off but what is certain."""
    keyed = [row for row in found.providers if row.key_set]
    models = [_MODELS[row.name] for row in keyed if row.name in _MODELS] or [EMBEDDED]
    return _TEMPLATE.format(keys=_keys(keyed), model=models[0], group=", ".join(map(_quote_key, models)))


def _keys(keyed: Sequence[ProviderOverview]) -> str:
    if not keyed:
        return "# No provider's key was found; local:smollm2 and ollama:… need none."
    rows = [f"#   {row.name}: {row.key}" for row in keyed]
    return "\n".join(["# Providers with a key:", *rows])


def _quote_key(name: str) -> str:
    return f'"{name}"'


_TEMPLATE = """\
# Settings of umwelten: defaults < this file < .env < environment < flags.
# `umwelten config show` shows each value and its source. Lines that start with # are comments.
# Keys are never kept here: put GEMINI_API_KEY=… and the like in a file .env or the environment.
#
{keys}

[defaults]
# Any setting by the long name of its flag; `umwelten eval batch --help` lists them.
#models = "{model}"
#max_concurrency = "auto"
#max_cost = 5.0
#timeout = "120s"
#retries = 6
#output_dir = "output"

[groups]
# Names for lists of models, for --models @fast. A group may name groups.
#fast = [{group}]
#all = ["@fast", "local:smollm2"]

# Names for lists of tools, for --tools @office.
#[tools]
#office = ["calculator", "now", "tools/rates.py"]

# Settings to compare like models: --models {model}@cool,{model}@hot
#[variants.cool]
#temperature = 0
#[variants.hot]
#temperature = 1.2
#system = "Be bold."
#param = {{ reasoning_effort = "low" }}

# Flags that go together, for --profile nightly; what is given on the command line wins.
#[profiles.nightly]
#prompt = "Summarise this in three sentences."
#directory = "texts"
#file_pattern = "*.txt"
#models = "@fast"
#id = "nightly"
#resume = true

# Another provider. wire: openai, responses, gemini, anthropic or ollama. In its place, like = "openai" takes
# over what is known of that provider.
#[providers.mycluster]
#wire = "openai"
#base_url = "https://llm.example.com/v1"
#api_key_env = "MYCLUSTER_KEY"
#recommended = [8, 32]
#price_list = "openai"
#hints = "openai"
#capabilities = {{ images = true, pdf = false }}

# A server of your own is free.
#[providers.gpu]
#like = "vllm"
#base_url = "http://gpu:8000/v1"

# Several servers, or several accounts: each call goes to the one with the fewest under way.
#[providers.vllm]
#base_urls = ["http://gpu1:8000/v1", "http://gpu2:8000/v1"]
#[providers.openai]
#keys = ["OPENAI_KEY_A", "OPENAI_KEY_B"]

# A server whose tools models may call, as mcp:time. It starts only where it is named.
#[mcp.time]
#command = ["mcp-server-time", "--local-timezone", "Europe/Berlin"]
#tools = ["get_*"]

# What a model costs, in USD per million tokens, where the price list does not say or you pay less.
#[prices."mycluster:big-model"]
#input = 0.15
#output = 0.60
"""
