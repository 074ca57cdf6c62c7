"""Settings, where each comes from, and the providers' addresses and keys."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.cli.flag_names import as_flag
from umwelten.config import private_networks
from umwelten.config.addresses import origins, own_addresses
from umwelten.config.endpoints import endpoint, price_overrides, vendors
from umwelten.config.option_types import parse_duration
from umwelten.config.settings import Settings, load
from umwelten.config.trust import Trust
from umwelten.errors import ConfigError, UsageError
from umwelten.pricing import Price, PriceBook, cost_nusd
from umwelten.providers.vendors import VENDORS
from umwelten.types import ModelRef, Secret, Usage

KEY = "sk-do-not-show-me-0123456789"


@pytest.fixture(autouse=True)
def private_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name leads to a private network."""
    monkeypatch.setattr(socket, "getaddrinfo", found("10.0.0.7", "fd00::7", "fe80::1%eth0"))


class Place:
    """A project folder with a subfolder, and a user's config folder."""

    def __init__(self, root: Path) -> None:
        self.project, self.user = root / "project", root / "user"
        self.sub = self.project / "sub"
        self.sub.mkdir(parents=True)
        self.user.mkdir()

    def load(self, cwd: Path | None = None, **environ: str) -> Settings:
        """What is set here, where the project's files are trusted."""
        settings = load(cwd or self.project, environ, self.user)
        return msgspec.structs.replace(settings, trust=Trust(everything=True))

    def toml(self, text: str) -> Path:
        path = self.project / "umwelten.toml"
        path.write_text(text)
        return path

    def dotenv(self, text: str, mode: int = 0o600) -> Path:
        path = self.project / ".env"
        path.write_text(text)
        path.chmod(mode)
        return path

    def endpoint(self, provider: str, **environ: str):  # type: ignore[no-untyped-def]
        settings = self.load(**environ)
        return endpoint(vendors(settings)[provider], settings)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- precedence ------------------------------------------------------------------------------


def test_every_layer_wins_over_those_below_it_and_names_itself(place: Place) -> None:
    def seen(settings: Settings) -> tuple[object, str]:
        return settings.get("retries"), settings.source("retries")

    assert seen(place.load()) == (6, "default")
    (place.user / "umwelten.toml").write_text("[defaults]\nretries = 1")
    assert seen(place.load()) == (1, str(place.user / "umwelten.toml"))
    toml = place.toml("[defaults]\nretries = 2")
    assert seen(place.load()) == (2, str(toml))
    dotenv = place.dotenv("UMWELTEN_RETRIES=3")
    assert seen(place.load()) == (3, f"UMWELTEN_RETRIES ({dotenv})")
    settings = place.load(UMWELTEN_RETRIES="4")
    assert seen(settings) == (4, "UMWELTEN_RETRIES (environment)")
    assert seen(settings.with_flags({"retries": 5}, as_flag)) == (5, "--retries")
    assert seen(settings.with_flags({"retries": None, "prompt": "x", "resume": True})) == seen(settings)
    assert seen(settings) == (4, "UMWELTEN_RETRIES (environment)")  # with_flags changes nothing


def test_the_nearest_files_upward_are_read(place: Place) -> None:
    place.toml("[defaults]\nseed = 1")
    place.dotenv("UMWELTEN_TOP_P=0.5")
    below = place.load(place.sub)
    assert (below.get("seed"), below.get("top_p")) == (1, 0.5)
    (place.sub / "umwelten.toml").write_text("[defaults]\ntemperature = 0")
    (place.sub / ".env").write_text("")
    nearer = place.load(place.sub)
    assert (nearer.get("seed"), nearer.get("top_p"), nearer.get("temperature")) == (None, None, 0)


def test_defaults_without_any_file(place: Place) -> None:
    settings = place.load()
    expected = {
        "max_concurrency": 1,
        "timeout_s": 120.0,
        "retries": 6,
        "output_dir": Path("output"),
        "temperature": None,
        "stream": None,
        "progress": "auto",
        "file_pattern": "*",
        "repeat": 1,
    }
    assert {name: settings.get(name) for name in expected} == expected
    assert settings.notes == ()


def test_values_of_every_kind_are_read_from_toml(place: Place) -> None:
    place.toml(
        """
        [defaults]
        models = ["ollama:gemma3:12b", "openai/gpt-4o"]
        temperature = 0
        max-tokens = 100
        timeout = "2m"
        max_concurrency = "auto"
        stream = false
        provider_concurrency = { google = 20 }
        param = { top_k = 40, stop = ["x"] }
        """
    )
    settings = place.load()
    assert settings.get("models") == "ollama:gemma3:12b,openai/gpt-4o"
    assert settings.get("temperature") == 0
    assert settings.get("max_tokens") == 100
    assert settings.get("timeout_s") == 120
    assert settings.get("max_concurrency") == "auto"
    assert settings.get("stream") is False
    assert settings.get("provider_concurrency") == {"google": 20}
    assert settings.get("params") == {"top_k": 40, "stop": ["x"]}


def test_values_of_every_kind_are_read_from_the_environment(place: Place) -> None:
    settings = place.load(
        UMWELTEN_TEMPERATURE="0.5",
        UMWELTEN_STREAM="no",
        UMWELTEN_PROVIDER_CONCURRENCY="google=20, openai=5",
        UMWELTEN_MAX_CONCURRENCY="8",
        UMWELTEN_OUTPUT_DIR="results",
        UMWELTEN_UNHEARD_OF="fine",
    )
    assert settings.get("temperature") == 0.5
    assert settings.get("stream") is False
    assert settings.get("provider_concurrency") == {"google": 20, "openai": 5}
    assert settings.get("max_concurrency") == 8
    assert settings.get("output_dir") == Path("results")


def test_the_switch_for_five_in_flight_and_the_number_take_turns_by_precedence(place: Place) -> None:
    place.toml("[defaults]\nmax_concurrency = 20")
    settings = place.load()
    assert settings.with_flags({"concurrent": True}).get("max_concurrency") == 5
    assert settings.with_flags({"concurrent": True, "max_concurrency": 3}).get("max_concurrency") == 3
    assert settings.with_flags({"concurrent": False}).get("max_concurrency") == 20


def test_a_switch_or_list_that_was_not_given_hides_nothing(place: Place) -> None:
    place.toml("[defaults]\nverbose = true\nstream = true\nparam = { a = 1 }")
    settings = place.load().with_flags({"verbose": False, "params": (), "stream": False})
    assert settings.get("verbose") is True
    assert settings.get("params") == {"a": 1}
    assert settings.get("stream") is False
    assert place.load().with_flags({"params": ("b=2",)}).get("params") == {"b": 2}


def test_results_go_where_the_projects_file_says_also_from_a_subfolder(place: Place) -> None:
    place.toml('[defaults]\noutput_dir = "results"')
    assert place.load().get("output_dir") == Path("results")
    assert place.load(place.sub).get("output_dir") == place.project / "results"
    assert place.load(place.sub, UMWELTEN_OUTPUT_DIR="here").get("output_dir") == Path("here")


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults]\nretries = ", "line 2"),
        ("a = [1,", "umwelten.toml"),
        ("max_concurency = 4", r"'max_concurency' is no section.*\n.*\[defaults\]: max_concurrency = "),
        ("timeout = 4", r"'timeout' is no section.*\n.*\[defaults\]: timeout = "),
        ("[openai]\nrpm = 4", r"'openai' is no section.*\n.*\[providers.openai\]"),
        ("[default]\nretries = 1", "'default' is not known.*\n.*'defaults'"),
        ("[defaults]\nretrys = 1", r"\[defaults\]: 'retrys' is not known\n.*'retries'"),
        ("[defaults]\nprompt = 'x'", "'prompt' is not known"),
        ("defaults = 1", r"must be a section"),
        ("[defaults]\nretries = -1", "retries: -1 is not allowed\n.*from 0 to 100"),
        ("[defaults]\nretries = true", "retries: True"),
        ("[defaults]\nretries = 1.5", "retries: 1.5"),
        ("[defaults]\ntemperature = nan", "temperature: nan"),
        ("[defaults]\ntemperature = 'warm'", "temperature: 'warm'"),
        ("[defaults]\nmax_concurrency = 0", "max_concurrency: 0.*\n.*auto"),
        ("[defaults]\nmax_concurrency = 10001", "10000"),
        ("[defaults]\nprogress = 'loud'", "choose one of auto|Choose one of auto"),
        ("[defaults]\nstream = 'maybe'", "true or false"),
        ("[defaults]\nmodels = []", "provider:model"),
        ("[defaults]\nmodels = [1]", "provider:model"),
        ("[defaults]\noutput_dir = ''", "folder"),
        ("[defaults]\nmax_cost = 0", "above 0"),
        ("[defaults]\ntimeout = '3 parsecs'", "parsecs.*\n.*1500ms"),
        ("[defaults]\nprovider_concurrency = 'google'", "name=value"),
        ("[defaults]\nprovider_concurrency = 5", "name=value"),
        ("[providers.x]\nwire = 'smoke'", "wire is 'smoke' and must be one of openai"),
        ("[providers.x]\nwirre = 'openai'", "'wirre' is not known\n.*'wire'"),
        ("[providers.X]\nwire = 'openai'", "name is made of"),
        ("[providers.x]\nrecommended = [5, 2]", "recommended"),
        ("[providers.x]\nscope = 'moon'", "scope is 'moon' and must be one of key"),
        ("[providers.x]\nallow_insecure = 1", "true or false"),
        ("[providers.x]\nbase_url = ''", "base_url"),
        ("[providers]\nx = 1", r"\[providers.x\] must be a section"),
        ('[prices."openai:x"]\ninput = 1', "output is missing"),
        ('[prices."openai:x"]\ninput = -1\noutput = 1', "input must be USD"),
        ('[prices."openai:x"]\ninput = inf\noutput = 1', "input must be USD"),
        ('[prices."openai:x"]\ninpt = 1\noutput = 1', "'inpt' is not known\n.*'input'"),
        ('[prices."gpt"]\ninput = 1\noutput = 1', "provider:model"),
        ('[prices."openai:x".flex]\ninput = 1\noutput = 1', "input is missing"),
        (
            '[prices."openai:x"]\ninput = 1\noutput = 1\n[prices."openai:x".flex]\ninput = 1',
            "output is missing",
        ),
        ('[prices."openai:x"]\ninput = 1\noutput = 1\nflex = 2', "'flex' is not known"),
        ('[prices."openai:x"]\ninput = 1\noutput = 1\nflex.x.input = 2', "'x' is not known"),
        ('[prices."openai:x"]\ninput = 1\noutput = 1\ndefault = {input = 1, output = 1}', "standard tier's"),
        ('[prices."openai:x"]\ninput = 1\noutput = 1\nFlex = {input = 1, output = 1}', "small letters"),
    ],
)
def test_a_broken_toml_file_is_an_error_that_names_it(place: Place, text: str, said: str) -> None:
    path = place.toml(text)
    with pytest.raises(ConfigError, match=said) as caught:
        place.load()
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"[defaults]\nsystem = '\xe9'"])
def test_a_file_in_another_encoding_is_named(place: Place, data: bytes) -> None:
    for name in ("umwelten.toml", ".env"):
        (place.project / name).write_bytes(data)
        with pytest.raises(ConfigError, match=rf"{name} is not UTF-8"):
            place.load()
        (place.project / name).unlink()


def test_a_wrong_value_in_the_environment_or_a_flag_is_named(place: Place) -> None:
    with pytest.raises(ConfigError, match=r"UMWELTEN_RETRIES \(environment\): 'many' is not allowed"):
        place.load(UMWELTEN_RETRIES="many")
    with pytest.raises(UsageError, match=r"^max_concurrency: 0 is not allowed"):
        place.load().with_flags({"max_concurrency": 0})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"A=1\n{KEY}\n", 2),
        (f"A=1\n\n\n# note\n\nOPENAI_API_KEY {KEY}\nB=2", 6),
        (f'A=1\r\n\r\nOPENAI_API_KEY="{KEY}\r\nB=2', 3),
        (f"={KEY}", 1),
        (f"A='{KEY}' x", 1),
    ],
)
def test_a_broken_line_in_dotenv_is_named_and_never_shown(place: Place, text: str, line: int) -> None:
    path = place.dotenv(text)
    with pytest.raises(ConfigError) as caught:
        place.load()
    assert f"{path}, line {line}:" in str(caught.value)
    assert KEY not in str(caught.value)


def test_dotenv_is_read_as_its_users_know_it(place: Place) -> None:
    place.dotenv(
        "\ufeff# a comment\nexport A_KEY=one # said\nB_KEY='two # not said'\nC_KEY=${A_KEY}-${HOST:-x}\n"
        'D_KEY="line\\nbreak"\nexport A_KEY\nEMPTY=\n'
    )
    variables = place.load(HOST="h").variables
    found = {name: var.secret.reveal() for name, var in variables.items()}
    assert found == {
        "A_KEY": "one",
        "B_KEY": "two # not said",
        "C_KEY": "one-h",
        "D_KEY": "line\nbreak",
        "HOST": "h",
    }


def test_a_dotenv_that_others_can_read_is_noted(place: Place) -> None:
    path = place.dotenv("A=1", mode=0o644)
    (note,) = place.load().notes
    assert f"chmod 600 {path}" in note
    path.chmod(0o600)
    assert place.load().notes == ()


# --- durations -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45", 45),
        ("45s", 45),
        ("1500ms", 1.5),
        ("2m", 120),
        ("1h", 3600),
        ("0.5", 0.5),
        (" 1.5 s ", 1.5),
        ("999", 999),
    ],
)
def test_a_duration_is_read_in_its_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == (seconds, None)


def test_a_bare_number_of_a_thousand_or_more_is_milliseconds_with_a_note(place: Place) -> None:
    seconds, note = parse_duration("30000")
    assert seconds == 30
    assert note is not None
    assert "30000" in note
    assert "milliseconds" in note
    assert parse_duration("1000")[0] == 1
    assert parse_duration("1000s") == (1000, None)
    place.toml("[defaults]\ntimeout = 5000")
    settings = place.load()
    assert settings.get("timeout_s") == 5
    assert len(settings.notes) == 1
    given_twice = settings.with_flags({"timeout_s": "6000"})
    assert given_twice.get("timeout_s") == 6
    assert len(given_twice.notes) == 2


@pytest.mark.parametrize(
    "text", ["", "0", "0ms", "-1", "+5", "1e3", "nan", "inf", "5 d", "s", "１", "9" * 400, "1.2.3"]
)
def test_what_is_no_duration_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert repr(text) in caught.value.message
    assert "1500ms" in str(caught.value.hint)


@given(number=st.integers(1, 10**9), unit=st.sampled_from(["ms", "s", "m", "h"]))
def test_units_agree_with_arithmetic(number: int, unit: str) -> None:
    factor = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
    assert parse_duration(f"{number}{unit}") == (pytest.approx(number * factor), None)


# --- providers -------------------------------------------------------------------------------


def test_the_key_is_the_first_variable_that_is_set_and_not_empty(place: Place) -> None:
    place.dotenv("GOOGLE_GENERATIVE_AI_API_KEY=from-file")
    found = place.endpoint("google", GEMINI_API_KEY="second", GOOGLE_GENERATIVE_AI_API_KEY=" ")
    assert found.api_key == Secret("from-file")
    assert place.endpoint("google", GOOGLE_GENERATIVE_AI_API_KEY=f" {KEY}\n").api_key == Secret(KEY)
    place.dotenv("")
    assert place.endpoint("google", GOOGLE_GENERATIVE_AI_API_KEY="", GOOGLE_API_KEY="3").api_key == Secret(
        "3"
    )


def test_a_missing_key_is_an_error_that_names_the_variables_and_the_place(place: Place) -> None:
    with pytest.raises(ConfigError) as caught:
        place.endpoint("google")
    assert (
        "GOOGLE_GENERATIVE_AI_API_KEY is not set (or GEMINI_API_KEY, GOOGLE_API_KEY)" in caught.value.message
    )
    assert ".env" in str(caught.value.hint)


@pytest.mark.parametrize("provider", ["ollama", "lmstudio", "local", "vllm", "llama-swap"])
def test_servers_of_ones_own_need_no_key(place: Place, provider: str) -> None:
    assert place.endpoint(provider).api_key is None


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "kéy", "tab\tbed"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(place: Place, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place.endpoint("openai", OPENAI_API_KEY=key)
    assert "OPENAI_API_KEY" in str(caught.value)
    assert key not in str(caught.value)


def test_keys_never_show_themselves(place: Place) -> None:
    place.dotenv(f"OPENAI_API_KEY={KEY}\nSOMETHING_ELSE={KEY}")
    settings = place.load(ANTHROPIC_API_KEY=KEY)
    found = endpoint(vendors(settings)["openai"], settings)
    for shown in (repr(settings), str(settings), f"{settings}", repr(found), repr(settings.variables)):
        assert KEY not in shown
    with pytest.raises(TypeError):
        pickle.dumps(settings)
    assert found.api_key is not None
    assert found.api_key.reveal() == KEY


def test_an_address_comes_from_default_file_and_variable_in_this_order(place: Place) -> None:
    def found(**environ: str) -> tuple[str, str]:
        settings = place.load(**environ)
        vendor = vendors(settings)["ollama"]
        return endpoint(vendor, settings).base_url, origins(vendor, settings).base_url

    assert found() == ("http://127.0.0.1:11434", "default")
    toml = place.toml('[providers.ollama]\nbase_url = "http://10.0.0.5:11434/"')
    assert found() == ("http://10.0.0.5:11434", str(toml))
    assert found(OLLAMA_HOST="gpu-box:9999") == ("http://gpu-box:9999", "OLLAMA_HOST (environment)")
    assert found(OLLAMA_HOST="") == ("http://10.0.0.5:11434", str(toml))


def test_a_key_tells_where_it_comes_from_and_not_what_it_is(place: Place) -> None:
    path = place.dotenv(f"OPENAI_API_KEY={KEY}")
    settings = place.load()
    assert origins(VENDORS["openai"], settings).api_key == f"OPENAI_API_KEY ({path})"
    assert origins(VENDORS["groq"], settings).api_key is None


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1",
        "http://localhost/v1",
        "http://[::1]:80/v1",
        "http://192.168.1.7/v1",
        "http://10.1.2.3/v1",
        "http://100.64.0.9/v1",
        "http://gpu-box:8000/v1",
        "http://gpu.local/v1",
        "http://host.docker.internal:1234/v1",
        "https://example.com/v1",
        "https://8.8.8.8/v1",
    ],
)
def test_plain_http_may_stay_in_the_private_network(place: Place, address: str) -> None:
    assert place.endpoint("openai", OPENAI_API_KEY="k", OPENAI_BASE_URL=address).base_url == address


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "8.8.8.8",
        "[2001:4860:4860::8888]",
        "134744072",
        "0x08080808",
        "[::ffff:8.8.8.8]",
        "[2002:808:808::1]",
        "localhost.evil.com",
    ],
)
def test_plain_http_to_anywhere_else_is_refused_unless_allowed(place: Place, host: str) -> None:
    address = f"http://{host}/v1"
    for provider, variables in (
        ("openai", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": address}),
        ("vllm", {"VLLM_BASE_URL": address}),
    ):
        with pytest.raises(ConfigError, match="unencrypted") as caught:
            place.endpoint(provider, **variables)
        assert KEY not in str(caught.value)
    place.toml("[providers.openai]\nallow_insecure = true")
    assert place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=address).base_url == address


def found(*addresses: str) -> Callable[..., list[Any]]:
    """A look-up that finds these for every name, or nothing."""

    def look_up(host: str, *_: object, **__: object) -> list[Any]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, f"{host} not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    return look_up


@pytest.mark.parametrize(
    "addresses", [("8.8.8.8",), ("10.0.0.1", "8.8.8.8"), ("10.0.0.1", "2001:4860:4860::8888"), ("odd",)]
)
@pytest.mark.parametrize("host", ["gpu", "gpu.local", "x.internal", "x.lan", "x.home.arpa", "x.localhost"])
def test_a_private_name_counts_by_where_it_leads(
    place: Place, monkeypatch: pytest.MonkeyPatch, host: str, addresses: tuple[str, ...]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", found(*addresses))
    variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"http://{host}/v1"}
    with pytest.raises(ConfigError, match="no private address") as caught:
        place.endpoint("openai", **variables)
    assert "https" in str(caught.value) and "allow_insecure" in str(caught.value)
    place.endpoint("openai", **variables | {"OPENAI_BASE_URL": f"https://{host}/v1"})
    place.toml("[providers.openai]\nallow_insecure = true")
    place.endpoint("openai", **variables)


def test_a_private_name_that_is_not_found_has_nothing_sent_to_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection will say so; or a proxy knows the name.
    monkeypatch.setattr(socket, "getaddrinfo", found())
    place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://gpu/v1")


@pytest.mark.parametrize(
    "error", [socket.gaierror(socket.EAI_AGAIN, ""), socket.gaierror(socket.EAI_FAIL, ""), OSError(24, "")]
)
def test_a_look_up_that_fails_says_nothing_of_a_name(
    place: Place, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def look_up(*_: object, **__: object) -> list[Any]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ConfigError, match="unencrypted"):
        place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://gpu/v1")


def test_a_look_up_is_not_waited_for_without_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        asked.set()
        over.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(private_networks, "_RESOLVE_S", 0.05)
    with pytest.raises(ConfigError, match="unencrypted"):
        place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://gpu/v1")
    assert asked.is_set()
    over.set()


def test_numbers_and_this_machine_are_never_looked_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    for host in ("127.0.0.1", "localhost", "[::1]", "192.168.3.4"):
        place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL=f"http://{host}/v1")
    with pytest.raises(ConfigError):
        place.endpoint("openai", OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://example.com/v1")


@pytest.mark.parametrize(
    "address",
    [
        f"https://user:{KEY}@example.com/v1",
        f"https://{KEY}@example.com/v1",
        f"https://example.com/v1?key={KEY}",
    ],
)
def test_an_address_that_holds_a_key_is_refused_unseen(place: Place, address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place.endpoint("openai", OPENAI_API_KEY="k", OPENAI_BASE_URL=address)
    assert "OPENAI_BASE_URL" in str(caught.value)
    assert KEY not in str(caught.value)
    path = place.toml(f'[providers.x]\nwire = "openai"\nbase_url = "{address}"')
    with pytest.raises(ConfigError) as caught:
        vendors(place.load())
    assert str(path) in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "better"),
    [
        ("foo", "https://foo"),
        ("llm.example.com/v1", "https://llm.example.com/v1"),
        ("//llm.example.com", "https://llm.example.com"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_address_without_a_scheme_is_an_error_that_writes_it_out(
    place: Place, raw: str, better: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        place.endpoint("openai", OPENAI_API_KEY="k", OPENAI_BASE_URL=raw)
    assert str(caught.value) == f"OPENAI_BASE_URL: {raw!r} has no scheme: write {better}"


def test_a_key_in_place_of_an_address_is_not_repeated(place: Place) -> None:
    key = "sk-" + "a1" * 20
    with pytest.raises(ConfigError, match="has no scheme") as caught:
        place.endpoint("openai", OPENAI_API_KEY="k", OPENAI_BASE_URL=key)
    assert key not in str(caught.value)


def test_only_addresses_that_are_not_the_vendors_own_are_told_with_their_source(place: Place) -> None:
    place.toml('[providers.groq]\nbase_url = "https://llm.example.com/v1"')
    settings = place.load(OPENAI_BASE_URL="http://127.0.0.1:1/v1", OLLAMA_HOST="127.0.0.1:11434")
    assert own_addresses(vendors(settings).values(), settings) == {
        "openai": "OPENAI_BASE_URL (127.0.0.1:1)",
        "groq": "[providers.groq] base_url (llm.example.com)",
    }


def test_a_user_adds_a_provider_and_changes_one(place: Place) -> None:
    (place.user / "umwelten.toml").write_text(
        '[providers.mycluster]\nwire = "openai"\nbase_url = "https://first/v1"\nrecommended = [4, 9]'
    )
    place.toml(
        """
        [providers.mycluster]
        base_url = "https://llm.example.com/v1/"
        api_key_env = ["MY_KEY", "MY_OTHER_KEY"]
        [providers.desk]
        wire = "ollama"
        base_url = "http://desk:11434"
        [providers.openai]
        recommended = [1, 2]
        """
    )
    settings = place.load(MY_OTHER_KEY=KEY)
    known = vendors(settings)
    cluster = known["mycluster"]
    assert (cluster.wire, cluster.scope, cluster.recommended) == ("openai", "key", (4, 9))
    assert cluster.key_env == ("MY_KEY", "MY_OTHER_KEY")
    found = endpoint(cluster, settings)
    assert (found.base_url, found.api_key) == ("https://llm.example.com/v1", Secret(KEY))
    with pytest.raises(ConfigError, match="MY_KEY is not set"):
        endpoint(cluster, place.load())
    assert (known["desk"].scope, known["desk"].key_required) == ("host", False)
    assert endpoint(known["desk"], settings).api_key is None
    assert known["openai"].recommended == (1, 2)
    assert known["openai"].key_env == VENDORS["openai"].key_env
    assert set(VENDORS) <= set(known)
    assert VENDORS["openai"].recommended != (1, 2)


def test_a_new_provider_without_an_address_is_refused(place: Place) -> None:
    path = place.toml("[providers.mycluster]\nwire = 'openai'")
    with pytest.raises(ConfigError, match=r"mycluster\]: base_url is missing") as caught:
        vendors(place.load())
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "line", [f'api_key = "{KEY}"', f'api_key_env = "{KEY}"', f'wire = "{KEY}"', f'scope = "{KEY}"']
)
def test_a_key_in_the_toml_file_is_refused_unseen(place: Place, line: str) -> None:
    place.toml(f"[providers.x]\n{line}")
    with pytest.raises(ConfigError) as caught:
        place.load()
    assert KEY not in str(caught.value)


# --- prices ----------------------------------------------------------------------------------


def test_the_users_prices_are_exact_and_bind_to_their_models(place: Place) -> None:
    place.toml(
        """
        [prices."ollama:gemma3:12b"]
        input = 0.1
        output = 0.7
        [prices."openai/gpt-4o:free"]
        input = 0
        output = 0
        cached = 0.05
        """
    )
    prices = price_overrides(place.load())
    gemma = ModelRef("ollama", "gemma3:12b")
    assert prices == {
        gemma: Price(input=Decimal("0.1"), output=Decimal("0.7")),
        ModelRef("openrouter", "openai/gpt-4o:free"): Price(
            input=Decimal(0), output=Decimal(0), cached=Decimal("0.05")
        ),
    }
    # 3 × 0.1 + 3 × 0.7 = 2.4 µUSD
    assert cost_nusd(Usage(input_tokens=3, output_tokens=3), gemma, PriceBook(own=prices), at=0.0) == 2400


def test_prices_of_tiers_and_of_kinds_of_tokens(place: Place) -> None:
    place.toml(
        """
        [prices."openai:a"]
        input = 1
        output = 4
        cached = 0.1
        cache_write_1h = 2
        input_audio = 8
        [prices."openai:a".priority]
        input = 2
        output = 8.5
        """
    )
    (price,) = price_overrides(place.load()).values()
    assert (price.cache_write_1h, price.input_audio) == (Decimal(2), Decimal(8))
    assert price.cached_audio == Decimal("0.1")  # not given: as what is cached
    assert price.tiers == {"priority": Price(input=Decimal(2), output=Decimal("8.5"))}


def test_a_price_of_an_unknown_provider_is_refused_with_the_nearest(place: Place) -> None:
    place.toml('[prices."opnai:gpt-4o"]\ninput = 1\noutput = 1')
    with pytest.raises(ConfigError, match=r"'opnai' is not known\nDid you mean 'openai'"):
        price_overrides(place.load())


def test_a_misspelt_variable_is_noted_with_the_nearest_name(place: Place) -> None:
    notes = place.load(UMWELTEN_MAX_TOKEN="3", UMWELTEN_CACHE_DIR="/tmp/x").notes
    assert notes == ("UMWELTEN_MAX_TOKEN sets nothing; did you mean UMWELTEN_MAX_TOKENS?",)
