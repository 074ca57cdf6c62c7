"""The table of providers and the reading of addresses."""

from __future__ import annotations

import httpx
import msgspec
import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import ConfigError, UsageError
from umwelten.pricing import listed_providers, price_of
from umwelten.providers.base_url import is_service, normalise_base_url, reads_differently
from umwelten.providers.capabilities import NOTHING, Capabilities, ModelCapabilities
from umwelten.providers.header_dialects import HeaderDialect, budget_headers
from umwelten.providers.model_names import parse_model
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Head, Quirks, Scope, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES, capabilities_of
from umwelten.types import Failure, ModelRef, Resource

ROWS = [
    ("google", "gemini", "https://generativelanguage.googleapis.com", "key+model", (20, 30)),
    ("openrouter", "openai", "https://openrouter.ai/api/v1", "key", (5, 10)),
    ("ollama", "ollama", "http://127.0.0.1:11434", "host", (2, 5)),
    ("lmstudio", "openai", "http://127.0.0.1:1234/v1", "host", (2, 3)),
    ("openai", "openai", "https://api.openai.com/v1", "key+model", (10, 50)),
    ("anthropic", "anthropic", "https://api.anthropic.com", "key+model", (5, 20)),
]


@pytest.mark.parametrize(("name", "wire", "url", "scope", "recommended"), ROWS)
def test_the_documented_providers_are_as_documented(
    name: str, wire: str, url: str, scope: str, recommended: tuple[int, int]
) -> None:
    row = VENDORS[name]
    assert (row.wire, row.base_url, row.scope, row.recommended) == (wire, url, scope, recommended)


ADDRESSES = {
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "deepseek": ("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "together": ("https://api.together.ai/v1", "TOGETHER_API_KEY"),
    "fireworks": ("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "deepinfra": ("https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "cerebras": ("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nvidia": ("https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
    "minimax": ("https://api.minimax.io/v1", "MINIMAX_API_KEY"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_hosted_vendors_need_their_key(name: str) -> None:
    row = VENDORS[name]
    assert (row.base_url, row.key_env[0]) == ADDRESSES[name]
    assert row.key_required and row.wire == "openai" and row.scope.startswith("key")


def test_servers_of_ones_own_need_no_key() -> None:
    own = {name for name, row in VENDORS.items() if row.scope is Scope.HOST}
    assert own == {"ollama", "lmstudio", "local", "vllm", "llamabarn", "llama-swap"}
    assert not any(VENDORS[name].key_required for name in own)
    assert VENDORS["lmstudio"].key_env == ("LM_API_TOKEN",)
    assert VENDORS["vllm"].key_env == ("VLLM_API_KEY",)
    assert VENDORS["local"].base_url == "" and VENDORS["local"].base_url_env == ()


def test_names_of_variables_follow_one_rule_where_no_sdk_sets_another() -> None:
    assert VENDORS["google"].key_env == (
        "GOOGLE_GENERATIVE_AI_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
    )
    assert VENDORS["ollama"].base_url_env == ("OLLAMA_HOST",)
    assert VENDORS["lmstudio"].base_url_env == ("LMSTUDIO_BASE_URL",)
    assert VENDORS["llama-swap"].base_url_env == ("LLAMA_SWAP_BASE_URL",)


def test_every_row_can_be_used() -> None:
    for name, row in VENDORS.items():
        low, high = row.recommended
        assert row.name == name
        assert row.wire in WIRES
        assert 1 <= low <= high
        assert normalise_base_url(row, row.base_url) == row.base_url
        assert not row.base_url.startswith("http://") or row.scope is Scope.HOST


@pytest.mark.parametrize(
    "host",
    [
        "",
        "1.2.3.4",
        ":56789",
        "1.2.3.4:56789",
        "http://1.2.3.4",
        "https://1.2.3.4",
        "https://1.2.3.4:56789",
        "example.com",
        "example.com/",
        "example.com:56789/",
        "http://example.com:11434",
        "example.com/path",
        "https://example.com:56789/path/",
        "[0001:002:003:0004::1]",
        "[0001:002:003:0004::1]:56789/path",
        "http://[0001:002:003:0004::1]",
    ],
)
def test_ollama_host_is_read_as_its_own_client_reads_it(host: str) -> None:
    theirs = ollama.Client(host=host)._client.base_url
    ours = httpx.URL(normalise_base_url(VENDORS["ollama"], host))
    port = {"http": 80, "https": 443}
    assert (ours.scheme, ours.host, ours.path.rstrip("/")) == (
        theirs.scheme,
        theirs.host,
        theirs.path.rstrip("/"),
    )
    assert (ours.port or port[ours.scheme]) == (theirs.port or port[theirs.scheme])


AZURE_MODELS = "https://r.services.ai.azure.com/models"


@pytest.mark.parametrize(
    ("vendor", "raw", "expected"),
    [
        ("ollama", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
        ("ollama", "localhost:11434/v1/", "http://localhost:11434"),
        ("ollama", "http://box:11434/api", "http://box:11434"),
        ("ollama", "0.0.0.0", "http://127.0.0.1:11434"),
        ("ollama", "0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("ollama", "http://[::]:8080", "http://[::1]:8080"),
        ("ollama", "https://ollama.com", "https://ollama.com"),
        ("lmstudio", "http://127.0.0.1:1234", "http://127.0.0.1:1234/v1"),
        ("lmstudio", "http://127.0.0.1:1234/v1/", "http://127.0.0.1:1234/v1"),
        ("lmstudio", "127.0.0.1:1234", "http://127.0.0.1:1234/v1"),
        ("google", "https://g.example/", "https://g.example"),
        ("google", "https://g.example/v1beta/", "https://g.example"),
        ("google", "https://g.example/v1alpha", "https://g.example/v1alpha"),
        ("anthropic", "https://a.example/v1", "https://a.example"),
        ("anthropic", "https://a.example/proxy/", "https://a.example/proxy"),
        ("openai", "https://o.example/v1/", "https://o.example/v1"),
        ("openai", " https://o.example/v1 ", "https://o.example/v1"),
        ("openai", "o.example/v1", "https://o.example/v1"),
        ("openai", "localhost:9/v1", "http://localhost:9/v1"),
        ("openrouter", "https://r.example/api/v1//", "https://r.example/api/v1"),
        ("vllm", "gpu-box:8000/v1", "http://gpu-box:8000/v1"),
        ("openai", "", "https://api.openai.com/v1"),
        ("openai", "'https://o.example/v1'\n", "https://o.example/v1"),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("openai", "https://eu.api.openai.com/", "https://eu.api.openai.com/v1"),
        ("openai", "http://gpu:8000", "http://gpu:8000"),
        ("openai", "http://w:3000/api/chat/completions", "http://w:3000/api"),
        ("openai", "https://r.services.ai.azure.com/models/chat/completions", AZURE_MODELS),
        ("openai", "https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1"),
        ("vllm", "http://gpu:8000", "http://gpu:8000/v1"),
        ("llama-swap", "http://gpu:8080/", "http://gpu:8080/v1"),
        ("openrouter", "https://openrouter.ai", "https://openrouter.ai/api/v1"),
        ("groq", "https://api.groq.com/v1", "https://api.groq.com/openai/v1"),
        ("deepinfra", "https://api.deepinfra.com/v1", "https://api.deepinfra.com/v1/openai"),
        ("deepseek", "https://api.deepseek.com/chat/completions", "https://api.deepseek.com"),
        ("google", "https://g.example/v1beta/openai/chat/completions", "https://g.example"),
        ("anthropic", "http://litellm:4000/v1/chat/completions", "http://litellm:4000"),
        ("ollama", "box/api/generate", "http://box:11434"),
    ],
)
def test_addresses_are_brought_into_one_form(vendor: str, raw: str, expected: str) -> None:
    assert normalise_base_url(VENDORS[vendor], raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        "ftp://x",
        "http://",
        "http://x:port/v1",
        "http://[::1/v1",
        "x:99999",
        "https://https://x/v1",
        "https://{resource}.example/v1",
        "http://my server/v1",
        "http:\\\\x\\v1",
        "http://x/api/chat",
        "http://x/v1beta/models/gemini:streamGenerateContent",
        "https://r.openai.azure.com/openai/deployments/d/chat/completions",
    ],
)
def test_what_is_no_address_is_refused_by_the_variables_name(raw: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        normalise_base_url(VENDORS["openai"], raw)


def test_a_refused_address_does_not_show_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        normalise_base_url(VENDORS["openai"], "ftp://me:hunter2@x/v1")
    assert "hunter2" not in str(caught.value)


PASTED = {
    "openai": [
        "/chat/completions",
        "/completions",
        "/responses",
        "/embeddings",
        "/models",
        "/models/m",
        "/messages",
    ],
    "anthropic": ["/messages", "/messages/count_tokens", "/models", "/chat/completions"],
    "gemini": ["/models", "/models/x:generateContent", "/models/x-1.5:streamGenerateContent", "/openai/"],
    "ollama": ["/chat/completions", "/models"],
}
BASES = {"gemini": "/v1beta", "ollama": "/v1"}


@given(
    st.sampled_from(sorted(set(VENDORS) - {"local"})),
    st.sampled_from(
        ["https://llm.example", "http://gpu:8000", "http://127.0.0.1:9", "https://x.example/team/a"]
    ),
    st.sampled_from(["", "/", "//"]),
    st.sampled_from(["", '"', "'", " ", "\n", "`"]),
    st.data(),
)
def test_what_is_pasted_along_with_an_address_changes_nothing(
    vendor: str, root: str, slash: str, around: str, data: st.DataObject
) -> None:
    row = VENDORS[vendor]
    base = root + BASES.get(row.wire, "/v1")
    tail = data.draw(st.sampled_from(["", *PASTED[row.wire]]))
    twice = data.draw(st.sampled_from(["", BASES.get(row.wire, "/v1")]))
    pasted = around + base + twice + tail + slash + around
    assert normalise_base_url(row, pasted) == normalise_base_url(row, base)
    if row.wire == "ollama":
        assert normalise_base_url(row, f"{root}/api/chat") == root
    # "/openai" behind Google's version is the same API in another format.
    differs = bool(tail.strip("/").removeprefix("openai") or twice)
    assert reads_differently(pasted, normalise_base_url(row, base)) == differs


HOSTS = st.sampled_from(["x", "localhost", "127.0.0.1", "0.0.0.0", "[::1]", "a.example"])
URLS = st.builds(
    lambda scheme, host, port, path: f"{scheme}{host}{port}{path}",
    st.sampled_from(["", "http://", "https://", "HTTP://"]),
    HOSTS,
    st.sampled_from(["", ":80", ":11434"]),
    st.sampled_from(["", "/", "/v1", "/v1/", "/v1beta/", "//v1alpha", "/p/api", "/p/v1//", "/p?q=1"]),
)


@given(st.sampled_from(sorted(set(VENDORS) - {"local"})), URLS)
def test_reading_an_address_twice_changes_nothing_more(vendor: str, raw: str) -> None:
    row = VENDORS[vendor]
    address = normalise_base_url(row, raw)
    assert normalise_base_url(row, address) == address
    assert address == normalise_base_url(row, raw + "/") or "?" in raw
    assert not address.endswith("/")


@given(st.sampled_from(sorted(VENDORS)), st.text(max_size=40))
def test_no_text_makes_reading_an_address_fail_in_another_way_than_refusing(vendor: str, raw: str) -> None:
    try:
        address = normalise_base_url(VENDORS[vendor], raw)
    except ConfigError:
        return
    assert address == VENDORS[vendor].base_url or address.startswith(("http://", "https://"))


NEWCOMER = Vendor(
    name="moonshot",
    wire="openai",
    base_url="https://api.moonshot.example/v1",
    price_list="moonshotai",
    capabilities=ModelCapabilities(
        usual=Capabilities(picture_bytes=1000), families=(("^kimi-text", NOTHING),)
    ),
    nicknames=("kimi",),
    quirks=Quirks(
        hints=HeaderDialect(name="moonshot", budgets=(budget_headers(Resource.REQUESTS, "calls", 60.0),)),
        models_path="../catalog",
    ),
)


def test_a_row_is_all_that_a_vendor_needs() -> None:
    known = {**VENDORS, NEWCOMER.name: NEWCOMER}
    home = Endpoint(vendor=NEWCOMER, base_url=NEWCOMER.base_url)
    assert price_of(ModelRef("moonshot", "kimi-k2-0905-preview"), price_book(known), at=0.0) is not None
    assert capabilities_of(home, ModelRef("moonshot", "kimi-k2")).picture_bytes == 1000
    assert capabilities_of(home, ModelRef("moonshot", "Kimi-Text-1")) == NOTHING
    assert WIRES["openai"].list_models(home).url == "https://api.moonshot.example/catalog"
    with pytest.raises(UsageError, match="Did you mean moonshot:kimi-k2"):
        parse_model("kimi-k2", known)
    headers = {"x-ratelimit-limit-calls": "9", "x-ratelimit-remaining-calls": "0"}
    refused = WIRES["openai"].decode(Head(status=429, headers=headers, now_unix=0.0), b"{}", home)
    assert isinstance(refused, Failure)
    assert [(b.resource, b.limit, b.window_s) for b in refused.hints.budgets] == [(Resource.REQUESTS, 9, 60)]


def test_servers_of_ones_own_are_free_and_others_only_where_their_row_says_so() -> None:
    assert {name for name, row in VENDORS.items() if row.is_free} == {
        name for name, row in VENDORS.items() if row.scope is Scope.HOST
    }
    assert msgspec.structs.replace(NEWCOMER, free=True).is_free
    assert not msgspec.structs.replace(NEWCOMER, scope=Scope.HOST, free=False).is_free


def test_servers_that_swap_models_have_their_calls_ordered_by_model() -> None:
    ordered = {name for name, row in VENDORS.items() if row.orders_by_model}
    assert ordered == {"ollama", "lmstudio", "llama-swap", "llamabarn", "local"}


def test_every_row_names_a_list_of_prices_that_there_is() -> None:
    named = {row.price_list for row in VENDORS.values()} - {None}
    assert named <= listed_providers()


def test_no_nickname_is_used_twice_or_hides_a_provider() -> None:
    nicknames = [nickname for row in VENDORS.values() for nickname in row.nicknames]
    assert len(nicknames) == len(set(nicknames))
    assert not set(nicknames) & set(VENDORS)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://openrouter.ai/api/v1", True),
        ("https://api.openai.com.example/v1", False),
        ("https://notapi.openai.com/v1", False),
        ("http://127.0.0.1:11434", False),
        ("", False),
    ],
)
def test_an_address_is_a_services_or_someone_elses(address: str, expected: bool) -> None:
    assert is_service(address, VENDORS.values()) is expected
