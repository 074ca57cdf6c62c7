from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.api.argument_names import as_argument
from umwelten.cli.flag_names import as_flag
from umwelten.events import CallFailed, CallsRequeued, CallSucceeded, LaneStopped, RunFinished, RunStarted
from umwelten.providers.protocol import Vendor
from umwelten.report import stats
from umwelten.report.advice import advice, advice_on_model
from umwelten.report.run_summary import RecordCount, summarize
from umwelten.tally import Tally
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe
from umwelten.types import Call, Failure, FailureKind, ModelRef, Reply, Timing, Usage

FLASH, GEMMA = ModelRef("google", "gemini-2.5-flash"), ModelRef("ollama", "gemma3:12b")


# --- wording and arithmetic ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "$0"),
        (0.0123, "$0.0123"),
        (0.00012, "$0.00012"),
        (0.5, "$0.50"),
        (0.125, "$0.125"),
        (12.3, "$12.30"),
        (1234.5, "$1,234.50"),
        (1e-9, "$0.000000001"),
    ],
)
def test_money_has_the_digits_that_count(value, text):
    assert formatting.money(value) == text


@given(st.integers(1, 10**12))
def test_money_spent_is_never_shown_as_nothing(nano):
    assert float(formatting.money(stats.usd(nano)).lstrip("$").replace(",", "")) > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.346, "0.35 s"), (12.44, "12.4 s"), (59.96, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_seconds_in_words(value, text):
    assert formatting.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100%"), (0.99999, "99.9%"), (0.0, "0%"), (0.975, "97.5%")]
)
def test_a_hundred_percent_means_all(value, text):
    assert formatting.percent(value) == text


def test_cost_names_the_calls_of_unknown_price():
    assert formatting.cost(0.0123, 4) == "$0.0123 + 4 calls of unknown price"
    assert formatting.cost(0.0123, 1) == "$0.0123 + 1 call of unknown price"
    assert formatting.cost(None, 1) == "unknown (1 call)"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300), st.sampled_from([50, 95]))
def test_a_percentile_has_that_share_at_or_below_it(values, percent):
    values.sort()
    found = values[stats.rank(percent, len(values))]
    assert sum(v <= found for v in values) * 100 >= percent * len(values)
    assert sum(v < found for v in values) * 100 < percent * len(values)


# --- inert text ---


def test_controls_are_shown_and_lines_kept():
    assert (
        safe("a\x1b[31m\tb\r\nc\rd\x7f\x9b\u202e\u2069") == "a\\x1b[31m\tb\nc\\x0dd\\x7f\\x9b\\u202e\\u2069"
    )
    assert safe("é 日本 😀 \u200d") == "é 日本 😀 \u200d"


@given(st.text(alphabet=st.characters()))
def test_safe_text_holds_no_control_and_can_be_encoded(text):
    text += "\udcff"
    shown = safe(text)
    shown.encode()
    assert all(c in "\n\t" or (ord(c) >= 0x20 and not 0x7F <= ord(c) < 0xA0) for c in shown)


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_line_and_not_too_long(text, width):
    line = one_line(text, width)
    assert len(line) <= width
    assert len(line.splitlines()) <= 1


# --- advice ---


@pytest.mark.parametrize(
    ("name", "message", "text"),
    [
        ("openai:gpt-4o-mni", "404: does not exist", "; did you mean openai:gpt-4o-mini?"),
        ("openai:gpt-4o-mini", "404: does not exist", "-p openai`"),
        ("openai:gpt-4o", "403: blocked at the project level", "-p openai`"),
        ("mine:own-model", "404: not found", "-p mine`"),
        ("mine:own-model", "400: no such model for tools.", "-p mine`"),
        (
            "openai:gpt-4o",
            "400: Invalid 'tools[0].function.name'",
            "change the tool that the message names, or take another model",
        ),
        (
            "anthropic:x",
            "400: tools.0.custom.name: too long",
            "change the tool that the message names, or take another model",
        ),
    ],
)
def test_the_advice_on_a_refused_model_lists_names_and_may_suggest_one(name, message, text):
    advised = advice_on_model(name, message)
    assert advised.endswith(text)
    assert ("allow the model" in advised) is message.startswith("403")


@pytest.mark.parametrize(
    ("message", "option"),
    [
        ("temperature must be between 0 and 2", "temperature"),
        ("Invalid 'max_completion_tokens': integer below minimum value", "max_tokens"),
        ("stop: at most 4 sequences are allowed", "stop"),
        ("top_p: must be in (0, 1]", "top_p"),
    ],
)
def test_the_advice_on_a_value_names_its_option(message, option):
    assert advice("bad_request", message=f"400: {message}") == f"correct {option} as the message says"


@pytest.mark.parametrize("kind", list(FailureKind))
def test_every_kind_has_advice(kind):
    assert "NO_PROXY" in advice(kind, code="proxy")
    assert advice(kind) != advice("no such kind")


def test_a_refused_key_names_the_variables_of_its_provider_alone():
    text = advice("unavailable", message="401: API key not valid", providers=("google",))
    assert "GOOGLE_GENERATIVE_AI_API_KEY" in text
    assert "GEMINI_API_KEY" in text
    assert "OPENAI" not in text


def test_a_silent_host_names_its_address_variable():
    text = advice("unavailable", message="connection refused", providers=("ollama",))
    assert "OLLAMA_HOST" in text
    assert "key" not in text


@pytest.mark.parametrize(
    ("code", "nobody"),
    [("refused", True), ("connect", True), ("dns", False), ("tls", False), ("redirect", False)],
)
@pytest.mark.parametrize("kind", ["unavailable", "connection"])
def test_an_address_of_ones_own_where_no_provider_answered_is_known_by_the_code(kind, code, nobody):
    text = advice(
        kind,
        message="401 monkeys",
        providers=("openai",),
        code=code,
        addresses={"openai": "VARIABLE (gpu:1)"},
    )
    server = " and that a server is running there" if nobody else ""
    assert text == f"check the address in VARIABLE (gpu:1){server}"


def test_a_provider_that_talks_of_connections_is_no_address_where_nobody_answered():
    said = "the upstream refused the connection, TLS to it cannot be reached"
    text = advice(
        "unavailable", message=said, providers=("openai",), addresses={"openai": "VARIABLE (gpu:1)"}
    )
    assert text.startswith("check the provider's status")


def test_the_name_of_a_host_is_not_taken_for_a_refused_key():
    text = advice(
        "unavailable", message="monkey403:1 cannot be reached", providers=("ollama",), code="connect"
    )
    assert text == "check that the server is running and the address in OLLAMA_HOST"


def test_advice_names_options_as_the_front_end_does():
    assert advice("timeout", spelling=as_flag) == (
        "check connectivity, lower --max-concurrency, or give more time with --timeout"
    )
    assert advice("timeout", spelling=as_argument) == (
        "check connectivity, lower max_concurrency, or give more time with timeout_s"
    )


def test_a_server_that_asks_for_a_key_names_its_key():
    assert "LM_API_TOKEN" in advice("unavailable", message="401: unauthorized", providers=("lmstudio",))


def test_a_provider_of_the_user_is_known_by_its_variable():
    mine = {"mine": Vendor(name="mine", wire="openai", base_url="http://x", key_env=("MY_KEY",))}
    assert "MY_KEY" in advice("unavailable", providers=("mine",), vendors=mine)


def test_used_up_credit_is_named():
    assert "credit" in advice("unavailable", message="402: insufficient balance", providers=("openai",))


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("This model's maximum context length is 8192", "shorten"),
        ("413: payload too large", "smaller files"),
        ("model 'gemma9' not found", "models list"),
        ("blocked by safety filter", "content"),
        ("who knows", "message"),
    ],
)
def test_a_bad_request_is_told_apart_by_its_message(message, word):
    assert word in advice("bad_request", message=message)


# --- the closing figures ---


def ended(
    n: int, outcome: Reply | Failure, cost: int | None, lane: str = "google"
) -> CallSucceeded | CallFailed:
    shared = {
        "call": Call(id=n, model=1, input=None),
        "model": FLASH,
        "lane": lane,
        "timing": Timing(started_at=0, latency_s=2),
        "attempts": 1,
        "time_s": 2.0,
        "cost_nusd": cost,
    }
    if isinstance(outcome, Reply):
        return CallSucceeded(reply=outcome, **shared)
    return CallFailed(failure=outcome, **shared)


def tally_of(*events, models=(FLASH, GEMMA), total=10, done=2, pending=4) -> Tally:
    tally = Tally()
    tally(RunStarted(id="demo", total=total, done=done, models=models, max_concurrency=5, at_unix=0))
    for event in events:
        tally(event)
    tally(RunFinished(status="stopped", reason=None, wall_s=4.0, pending=pending, peak_in_flight=3))
    return tally


GOOD = Reply(text="x", usage=Usage(input_tokens=10, output_tokens=3))
BAD = Failure(kind=FailureKind.BAD_REQUEST, message="model not found", status=404)
REFUSED = Failure(kind=FailureKind.UNAVAILABLE, message="API key not valid", status=401, lane_down=True)


def test_figures_add_up():
    tally = tally_of(*(ended(n, GOOD, 1000) for n in range(3)), ended(9, BAD, None))
    found = summarize(tally, folder="output/demo", resume="umwelten …")
    assert found.total == found.done_before + found.succeeded + found.failed + found.pending == 10
    assert (found.wall_s, found.sequential_s, found.speedup) == (4.0, 8.0, 2.0)
    assert (found.cost_usd, found.unpriced_calls) == (0.000003, 1)
    (group,) = found.failures
    assert (group.kind, group.count, group.example) == ("bad_request", 1, "404: model not found")


def test_a_failed_call_that_is_made_again_counts_once_and_an_unknown_cost_stays_unknown():
    seen, invalid = RecordCount(), Failure(kind=FailureKind.SCHEMA, message="no JSON")
    again = CallsRequeued(calls=1, kinds={"schema": 1}, lanes={"google": 1}, models={str(FLASH): 1})
    events = (ended(1, invalid, None), again, ended(1, GOOD, None))
    for event in events:
        seen(event)
    found = summarize(tally_of(*events), folder="f", resume="r", seen=seen)
    assert (found.succeeded, found.failed, found.records, found.cost_usd) == (1, 0, None, None)
    assert found.models[0].cost_usd is None


def test_a_stopped_lane_names_its_key():
    found = summarize(
        tally_of(LaneStopped(lane="google:gemini-2.5-flash", failure=REFUSED)), folder="f", resume="r"
    )
    (lane,) = found.stopped
    assert lane.reason == "401: API key not valid"
    assert "GEMINI_API_KEY" in lane.advice


def test_there_is_a_command_that_resumes_only_when_something_is_left():
    left = summarize(tally_of(pending=1), folder="f", resume="again")
    failed = summarize(tally_of(ended(1, BAD, 0), pending=0), folder="f", resume="again")
    done = summarize(tally_of(ended(1, GOOD, 0), pending=0), folder="f", resume="again")
    assert (left.resume, failed.resume, done.resume) == ("again", "again", None)


def test_unknown_cost_is_not_0_and_local_models_are_free():
    unknown = summarize(tally_of(ended(1, GOOD, None)), folder="f", resume="r")
    local = summarize(tally_of(ended(1, GOOD, 0, "ollama"), models=(GEMMA,)), folder="f", resume="r")
    assert unknown.cost_usd is None
    assert not unknown.free
    assert local.free
    assert local.cost_usd == 0
