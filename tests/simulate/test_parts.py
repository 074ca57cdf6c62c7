from __future__ import annotations

import asyncio
import random
import time

import click.testing
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.cli.simulate import simulate as command
from umwelten.simulate import faultserver
from umwelten.simulate import profile as p
from umwelten.simulate.clock import run_virtual
from umwelten.simulate.limiters import RequestCost, new_limiter
from umwelten.simulate.providers import VirtualProvider, Work
from umwelten.types import Failure, FailureKind, Outcome

SPECS = st.one_of(
    st.builds(p.Bucket, rate=st.floats(0.1, 500), burst=st.floats(1, 500)),
    st.builds(p.Gcra, rate=st.floats(0.1, 500), tolerance=st.floats(1, 5)),
    st.builds(p.Window, n=st.integers(1, 50), window_s=st.floats(0.5, 100), offset_s=st.floats(0, 50)),
    st.builds(p.Sliding, n=st.integers(1, 50), window_s=st.floats(0.5, 100)),
    st.builds(p.Weighted, n=st.integers(1, 50), window_s=st.floats(0.5, 100), offset_s=st.floats(0, 50)),
    st.builds(p.Window, n=st.integers(100, 900), window_s=st.floats(0.5, 100), count=st.just("input")),
    st.builds(p.TokenBucket, per_minute=st.floats(1000, 1e6), count=st.just("input")),
)


def test_hours_of_virtual_time_pass_at_once() -> None:
    began = time.monotonic()

    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_virtual(wait()) == pytest.approx(3600)
    assert time.monotonic() - began < 5


def test_a_simulation_in_which_nothing_can_happen_any_more_says_so() -> None:
    async def stuck() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="stuck"):
        run_virtual(stuck())


@given(SPECS, st.lists(st.floats(0, 20), min_size=1, max_size=80))
def test_a_hidden_limit_lets_a_call_in_after_the_wait_that_it_told(
    spec: p.AnyLimit, gaps: list[float]
) -> None:
    one = new_limiter(spec)
    assert one is not None
    now, amount = 0.0, one.amount(RequestCost(input_tokens=100))
    for gap in gaps:
        now += gap
        wait = one.wait(now, amount)
        assert wait >= 0
        if wait:
            now += wait + 1e-6
            assert one.wait(now, amount) == 0
        one.take(now, amount)


@given(st.lists(st.floats(0, 1), min_size=30, max_size=200))
def test_a_window_never_lets_in_more_than_its_size(gaps: list[float]) -> None:
    one = new_limiter(p.Window(n=5, window_s=3.0))
    assert one is not None
    now, let_in = 0.0, []
    for gap in gaps:
        now += gap
        if one.wait(now, 1) == 0:
            one.take(now, 1)
            let_in.append(int(now / 3.0))
    assert max(let_in.count(index) for index in set(let_in)) <= 5


def test_a_misspelt_name_in_a_profile_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="raet"):
        p.parse_profile('[[providers]]\n[[providers.limits]]\nkind = "bucket"\nraet = 3\n')


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ('limits = [{ kind = "bucket", rate = 3, wire = "openai" }]', "all wires and models"),
        ('limits = [{ kind = "window", n = 3, per = "model" }]', "leave out `per`"),
        ('outages = [{ from_s = 1, to_s = 2, fault = "hang" }]', "HTTP status"),
    ],
)
def test_what_a_virtual_provider_cannot_play_is_an_error(rule: str, why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        p.parse_profile(f"[[providers]]\n{rule}\n")


def test_one_table_of_a_limit_means_the_same_to_both_simulators() -> None:
    table = 'kind = "window"\nn = 2\nwindow_s = 10.0\nhints = "ceil"\nheaders = "none"\n'
    virtual = p.parse_profile(f"[[providers]]\n[[providers.limits]]\n{table}").providers[0].limits
    assert faultserver.parse_profile(f"[[limiters]]\n{table}", "toml").limiters == virtual


def test_a_virtual_refusal_says_what_its_limit_says() -> None:
    limit = p.Window(n=1, window_s=10.0, hints="ceil", headers="none", status=503)
    provider = p.Provider(limits=(limit,), network_s=0.25)
    virtual = VirtualProvider(provider, Work(provider, 2, random.Random(1)), random.Random(1))

    async def ask() -> list[Outcome]:
        return [(await virtual.ask(number, 0))[0] for number in range(2)]

    answer, refusal = run_virtual(ask())
    assert isinstance(refusal, Failure)
    assert (refusal.kind, refusal.status) == (FailureKind.SERVER, 503)
    assert (refusal.hints.retry_after_s, refusal.hints.budgets) == (10.0, ())
    assert answer.hints.budgets == ()


def test_the_command_prints_efficiency_refusals_and_a_chart(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "mine"\ncap = 20\n[[providers]]\n[[providers.limits]]\nkind = "bucket"\nrate = 10\n'
    )
    result = click.testing.CliRunner().invoke(command, [str(path), "--calls", "200"])
    assert result.exit_code == 0
    assert "mine: 200 calls in" in result.output
    assert "efficiency" in result.output
    assert "in flight" in result.output
    assert "higher tier" in result.output


def test_the_command_names_what_is_wrong_with_a_profile(tmp_path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("providers = 3\n")
    result = click.testing.CliRunner().invoke(command, [str(path)])
    assert result.exit_code == 2
    assert "providers" in result.output
