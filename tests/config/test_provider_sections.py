"""What `[providers.x]` can say of a provider, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.config.addresses import own_addresses
from umwelten.config.endpoints import endpoint, price_overrides, vendors
from umwelten.config.overview import overview
from umwelten.config.problems import Problems
from umwelten.config.settings import Settings, load
from umwelten.config.toml_positions import TomlPosition
from umwelten.config.toml_sections import check_sections
from umwelten.errors import ConfigError, UsageError
from umwelten.pricing import cost_nusd, price_of
from umwelten.providers.capabilities import MP4, PICTURES, WAV_MP3, Capabilities, CapabilityOverrides
from umwelten.providers.model_names import parse_model
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Scope, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES, capabilities_of
from umwelten.types import ModelRef, Usage

AT = 1_795_514_400.0
USED = Usage(input_tokens=1000, output_tokens=500)


def read(folder: Path, text: str) -> Settings:
    (folder / "umwelten.toml").write_text(text)
    return load(folder, {}, folder / "nobody")


def section(folder: Path, text: str) -> Vendor:
    return vendors(read(folder, f"[providers.x]\n{text}"))["x"]


def cost(folder: Path, text: str, model: str = "gpt-4o-mini") -> int | None:
    settings = read(folder, text)
    prices = price_book(vendors(settings), price_overrides(settings))
    return cost_nusd(USED, ModelRef("x", model), prices, at=AT)


def test_one_section_is_all_that_a_vendor_needs(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """
        [providers.kimi]
        wire = "openai"
        base_url = "https://api.moonshot.example/v1"
        scope = "key"
        recommended = [3, 30]
        price_list = "moonshotai"
        hints = "openai"
        models_path = "catalog"
        nicknames = ["moonshot"]
        capabilities = { images = false, pdf = true, pdf_bytes = 1000 }
        """,
    )
    known = vendors(settings)
    row = known["kimi"]
    assert (row.scope, row.recommended) == (Scope.KEY, (3, 30))
    assert row.quirks.hints is VENDORS["openai"].quirks.hints
    listing = WIRES[row.wire].list_models(Endpoint(vendor=row, base_url=row.base_url))
    assert listing.url == "https://api.moonshot.example/v1/catalog"
    model = ModelRef("kimi", "kimi-k2-0905-preview")
    assert price_of(model, price_book(known), at=AT) is not None
    takes = capabilities_of(Endpoint(vendor=row, base_url=row.base_url), model)
    assert (takes.pictures, takes.pdf, takes.pdf_bytes) == (frozenset(), True, 1000)
    with pytest.raises(UsageError, match="Did you mean kimi:moonshot-v1"):
        parse_model("moonshot-v1", known)


# --- like ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(VENDORS) - {"local"}))
def test_a_section_that_is_like_a_vendor_is_that_vendor_by_another_name(tmp_path: Path, name: str) -> None:
    twin, row = section(tmp_path, f'like = "{name}"'), VENDORS[name]
    changed = {field for field in row.__struct_fields__ if getattr(twin, field) != getattr(row, field)}
    assert changed <= {"name", "nicknames"}
    assert (twin.name, twin.nicknames) == ("x", ())
    settings = load(tmp_path, {}, tmp_path / "nobody")
    assert own_addresses([vendors(settings)["x"]], settings) == {}


def test_elsewhere_a_vendors_key_and_prices_are_not_taken_over(tmp_path: Path) -> None:
    text = 'like = "openai"\nbase_url = "https://gateway.example/v1"'
    there, row = section(tmp_path, text), VENDORS["openai"]
    assert (there.key_env, there.base_url_env, there.key_required, there.price_list) == ((), (), False, None)
    assert (there.wire, there.quirks, there.scope, there.capabilities) == (
        (row.wire, row.quirks, row.scope, row.capabilities)
    )  # fmt: skip
    environ = {"OPENAI_API_KEY": "sk-secret", "OPENAI_BASE_URL": "https://other.example/v1"}
    settings = load(tmp_path, environ, tmp_path / "nobody")
    found = endpoint(vendors(settings)["x"], settings)
    assert (found.api_key, found.base_url) == (None, "https://gateway.example/v1")
    regional = section(tmp_path, 'like = "openai"\nbase_url = "https://eu.api.openai.com/v1"')
    assert (regional.key_env, regional.price_list) == (row.key_env, "openai")


def test_what_is_sent_whole_to_a_vendor_is_sent_whole_to_one_like_it(tmp_path: Path) -> None:
    there = section(tmp_path, 'like = "openai"\nbase_url = "https://gateway.example/v1"')
    at_home = Endpoint(vendor=there, base_url=there.base_url)
    assert capabilities_of(at_home, ModelRef("x", "gpt-5")).pdf
    assert not capabilities_of(at_home, ModelRef("x", "gpt-3.5-turbo")).pictures


# --- prices ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nusd"),
    [
        # 1000 × 0.15 + 500 × 0.60 = 450 µUSD
        ('like = "openai"', 450_000),
        ('like = "openai"\nbase_url = "https://gateway.example/v1"', None),
        ('like = "openai"\nbase_url = "https://gateway.example/v1"\nprice_list = "openai"', 450_000),
        ('like = "openai"\nprice_list = "none"', None),
        ('like = "openai"\nscope = "host"', 0),
        ('like = "openai"\nscope = "host"\nprice_list = "openai"', 450_000),
        ('like = "openai"\nfree = true', 0),
        ('like = "vllm"\nbase_url = "https://gpu.example/v1"', 0),
        ('like = "vllm"\nscope = "key"', None),
        ('wire = "openai"\nbase_url = "http://gpu:8000/v1"', 0),
        ('wire = "openai"\nbase_url = "http://10.0.0.7/v1"\nscope = "host"', 0),
        ('wire = "openai"\nbase_url = "http://gpu:8000/v1"\nfree = false', None),
        ('wire = "openai"\nbase_url = "http://gpu:8000/v1"\napi_key_env = "K"', None),
        ('wire = "openai"\nbase_url = "https://gateway.example/v1"', None),
        ('wire = "openai"\nbase_url = "https://gpu.example/v1"\nscope = "host"', 0),
        ('wire = "openai"\nbase_url = "https://gateway.example/v1"\nprice_list = "openai"', 450_000),
    ],
)
def test_a_server_of_ones_own_is_free_and_anything_else_unknown_until_it_is_priced(
    tmp_path: Path, text: str, nusd: int | None
) -> None:
    assert cost(tmp_path, f"[providers.x]\n{text}") == nusd
    # 1000 × 1 + 500 × 2 = 2 mUSD: the user's own price wins over all of it.
    own = '[prices."x:gpt-4o-mini"]\ninput = 1\noutput = 2\n'
    assert cost(tmp_path, f"{own}[providers.x]\n{text}") == 2_000_000


def test_a_known_vendor_at_another_address_keeps_its_prices(tmp_path: Path) -> None:
    settings = read(tmp_path, '[providers.openai]\nbase_url = "https://gateway.example/v1"')
    assert cost_nusd(USED, ModelRef("openai", "gpt-4o-mini"), price_book(vendors(settings)), at=AT) == 450_000


# --- limits ----------------------------------------------------------------------------------


def test_only_servers_that_swap_models_have_their_calls_ordered(tmp_path: Path) -> None:
    address = 'base_url = "http://gpu:8000/v1"'
    assert not section(tmp_path, f'wire = "openai"\n{address}').orders_by_model
    assert section(tmp_path, f'wire = "ollama"\n{address}').orders_by_model
    assert section(tmp_path, f'like = "llama-swap"\n{address}').orders_by_model
    assert not section(tmp_path, f'like = "vllm"\n{address}').orders_by_model
    assert not section(tmp_path, f'like = "llama-swap"\n{address}\norders_by_model = false').orders_by_model
    assert section(tmp_path, f'wire = "openai"\n{address}\norders_by_model = true').orders_by_model


# --- capabilities ----------------------------------------------------------------------------

MEDIA = st.none() | st.booleans() | st.frozensets(st.sampled_from(["image/png", "image/webp"]))
SIZES = st.none() | st.integers(1, 1 << 40)
OVERRIDES = st.builds(
    CapabilityOverrides,
    images=MEDIA,
    pdf=st.none() | st.booleans(),
    audio=MEDIA,
    video=MEDIA,
    image_bytes=SIZES,
    image_side=SIZES,
    pdf_bytes=SIZES,
    request_bytes=SIZES,
)
KNOWN = st.sampled_from(
    [
        capabilities_of(Endpoint(vendor=row, base_url=row.base_url), ModelRef(name, model))
        for name, row in VENDORS.items()
        for model in ("gpt-5", "gpt-3.5-turbo", "qwen3", "gemma-3-27b-it")
    ]
)


@given(OVERRIDES, KNOWN)
def test_what_the_user_says_of_files_holds_and_all_else_stays(
    said: CapabilityOverrides, known: Capabilities
) -> None:
    takes = said.on(known)
    for value, now, before, usual in (
        (said.images, takes.pictures, known.pictures, PICTURES),
        (said.audio, takes.audio, known.audio, WAV_MP3),
        (said.video, takes.video, known.video, MP4),
    ):
        if value is None:
            assert now == before
        elif value is True:
            assert now == (before or usual)
        else:
            assert now == (value or frozenset())
    assert takes.pdf == (known.pdf if said.pdf is None else said.pdf)
    assert takes.picture_side == (said.image_side or known.picture_side)
    assert takes.picture_bytes == (said.image_bytes or known.picture_bytes)
    assert takes.pdf_bytes == (said.pdf_bytes or known.pdf_bytes)
    assert takes.inline_bytes == (said.request_bytes or known.inline_bytes)
    assert takes.upload == known.upload
    assert said.on(takes) == takes


def test_what_the_user_says_of_files_holds_at_every_address(tmp_path: Path) -> None:
    settings = read(tmp_path, "[providers.openai.capabilities]\nimages = ['image/png']\n")
    row = vendors(settings)["openai"]
    for address in (row.base_url, "http://127.0.0.1:1/v1"):
        for model in ("gpt-5", "gpt-3.5-turbo"):
            takes = capabilities_of(Endpoint(vendor=row, base_url=address), ModelRef("openai", model))
            assert takes.pictures == {"image/png"}


# --- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('like = "opnai"', "like is 'opnai' and must be one of google, .*\nDid you mean 'openai'"),
        ('like = "mycluster"', "like is 'mycluster' and must be one of google, "),
        ('wire = "opnai"', "must be one of openai, responses, gemini, .*\nDid you mean 'openai'"),
        ('scope = "hots"', "scope is 'hots' and must be one of key, key.model, host\nDid you mean 'host'"),
        ('price_list = "antropic"', "be one of none, anthropic, .*\nDid you mean 'anthropic'"),
        ('hints = "grok"', "hints is 'grok' and must be one of none, openrouter, .*\nDid you mean 'groq'"),
        ("hints = 3", "hints must be one of none, "),
        ("free = 1", "free must be true or false"),
        ('orders_by_model = "yes"', "orders_by_model must be true or false"),
        ("orders_by_modl = true", "'orders_by_modl' is not known\nDid you mean 'orders_by_model'"),
        ('nicknames = "x"', "nicknames must be a list of names"),
        ("models_path = ''", "models_path must be a text in quotes"),
        ("models_path = 'https://evil.example/models'", "models_path must be a path"),
        ("models_path = '//evil.example/models'", "models_path must be a path"),
        ("models_path = 'http:models'", "models_path must be a path"),
        ("models_path = '//[x'", "models_path must be a path"),
        ("capabilities = 3", "capabilities. must be a section"),
        ("capabilities = { image = true }", "capabilities.: 'image' is not known\nDid you mean 'images'"),
        ("capabilities = { images = 'png' }", "images must be true, false or a list of types such as"),
        ("capabilities = { audio = ['image/png'] }", r'audio must be .* such as \["audio/wav"\]'),
        ("capabilities = { pdf = 1 }", "pdf must be true or false"),
        ("capabilities = { image_bytes = 0 }", "image_bytes must be a whole number, 1 or more"),
        ("capabilities = { image_bytes = true }", "image_bytes must be a whole number, 1 or more"),
        ("rpm = 0", "rpm must be a number a minute, from 0.001 to 1,000,000,000"),
        ("rpm = nan", "rpm must be a number a minute"),
        ("tpm = inf", "tpm must be a number a minute"),
        ("tpm = '1'", "tpm must be a number a minute"),
        ("share = 1.1", "share must be a number from 0.001 to 1"),
        ('api = "respones"', "must be one of auto, chat, responses\nDid you mean 'responses'"),
        ("share = true", "share must be a number from 0.001 to 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_an_error_with_its_line_and_the_nearest_name(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=rf"umwelten.toml, line 3, \[providers\.x[\s\S]*{said}"):
        read(tmp_path, f"[providers.x]\nrecommended = [1, 2]\n{line}\n")


def test_a_known_provider_is_like_itself_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2, .*openai is known already"):
        read(tmp_path, '[providers.openai]\nlike = "groq"')


@pytest.mark.parametrize(
    ("text", "missing"),
    [('wire = "openai"', "base_url"), ('base_url = "http://gpu/v1"', "wire"), ('like = "local"', "base_url")],
)
def test_what_a_section_lacks_is_named(tmp_path: Path, text: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[providers\.x\]: {missing} is missing"):
        section(tmp_path, text)


@given(st.sampled_from(sorted(VENDORS)), st.text(max_size=30))
def test_no_name_that_is_not_a_providers_is_taken_for_one(near: str, text: str) -> None:
    wrong = near[:-1] + text
    place = TomlPosition(path=Path("umwelten.toml"), text="")
    if wrong not in VENDORS:
        problems = Problems()
        check_sections({"providers": {"x": {"like": wrong}}}, place, problems)
        with pytest.raises(ConfigError, match=r"like .*must be one of"):
            problems.check(["umwelten.toml"])


# --- show ------------------------------------------------------------------------------------


def test_show_tells_the_facts_of_a_section(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[providers.x]\nlike = "openai"\nbase_url = "https://gateway.example/v1"\nscope = "key"\n'
        'price_list = "azure"\nhints = "groq"\ncapabilities = { pdf = false }\n'
        "rpm = 500\ntpm = 200_000\nshare = 0.5\n",
    )
    row = next(row for row in overview(settings).providers if row.name == "x")
    assert (row.source, row.like) == (str(tmp_path / "umwelten.toml"), "openai")
    assert (row.scope, row.recommended) == ("key", (10, 50))
    assert (row.free, row.price_list, row.hints) == (False, "azure", "groq")
    assert (row.orders_by_model, row.capabilities) == (False, {"pdf": False})
    assert (row.rpm, row.tpm, row.share) == (500, 200_000, 0.5)


_TWO = """
[defaults]
{}
[providers.x]
wire = "openai"
base_url = "https://x.example/v1"
{}
"""


@pytest.mark.parametrize(
    ("defaults", "section", "environ", "flag", "expected"),
    [
        ("", "", {}, None, "auto"),
        ('api = "chat"', "", {}, None, "chat"),
        ('api = "chat"', 'api = "responses"', {}, None, "responses"),
        ("", 'api = "responses"', {"UMWELTEN_API": "chat"}, None, "chat"),
        ("", 'api = "responses"', {"UMWELTEN_API": "responses"}, "chat", "chat"),
        ("", 'api = "responses"', {}, "auto", "responses"),
    ],
)
def test_the_api_of_a_section_stands_between_a_files_defaults_and_what_is_given_for_a_run(
    tmp_path: Path, defaults: str, section: str, environ: dict[str, str], flag: str | None, expected: str
) -> None:
    (tmp_path / "umwelten.toml").write_text(_TWO.format(defaults, section))
    settings = load(tmp_path, environ, tmp_path / "nobody").with_flags({"api": flag})
    known = vendors(settings)
    assert known["x"].api == expected
    assert known["google"].api == "auto"


def test_a_provider_of_another_wire_has_no_api_to_choose(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[providers.x\] api: x has one API, in the format gemini"):
        section(tmp_path, 'wire = "gemini"\nbase_url = "https://x.example"\napi = "chat"')
