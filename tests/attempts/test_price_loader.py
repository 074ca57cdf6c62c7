"""An answer is kept whatever becomes of its price."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from umwelten.attempts.price_loader import PriceLoader
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.target import Target
from umwelten.attempts.transport import Transport
from umwelten.pricing import Price, PriceBook
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver.profile import Profile
from umwelten.simulate.faultserver.server import FaultServer
from umwelten.types import Call, ModelRef, Prompt, Reply, RequestSettings, Usage
from wirekit import place

MODEL = ModelRef("openai", "m")
CALL = Call(id=1, model=1, input=None)
SLOW_S = 0.5


class Slow(dict[ModelRef, Price]):
    """Prices that take their time."""

    def get(self, *args: Any) -> Any:
        time.sleep(SLOW_S)
        return super().get(*args)


class Broken(dict[ModelRef, Price]):
    """A list of prices that can't be read."""

    def get(self, *args: Any) -> Any:
        raise OSError("the list is gone")


def price(usage: Usage, model: ModelRef) -> int:
    return 7


def gone(usage: Usage, model: ModelRef) -> int:
    raise OSError("the list is gone")


def test_loading_is_done_once_and_for_all_who_wait() -> None:
    async def go() -> None:
        loading = PriceLoader([MODEL], PriceBook(own=Slow()))
        first, second = asyncio.create_task(loading.wait()), asyncio.create_task(loading.wait())
        await asyncio.sleep(0.05)
        first.cancel()
        await second
        assert loading.done
        assert first.cancelled()

    asyncio.run(go())


def test_a_loop_goes_on_while_prices_load() -> None:
    async def go() -> float:
        loading, latest = PriceLoader([MODEL], PriceBook(own=Slow())), 0.0
        loading.load_soon()
        while not loading.done:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            latest = max(latest, time.monotonic() - before)
        return latest

    assert asyncio.run(go()) < SLOW_S


def test_an_answer_that_came_is_kept_though_its_attempt_is_to_end_at_once() -> None:
    async def go() -> None:
        async with FaultServer(Profile()) as server, Transport(timeout_s=10) as transport:
            ask = exchange(server.url, transport, PriceLoader([MODEL], PriceBook(own=Slow())), price)
            attempt = asyncio.create_task(ask(CALL, (), None))
            await asyncio.sleep(SLOW_S / 2)
            attempt.cancel()
            exchanged = await attempt
            assert isinstance(exchanged.outcome, Reply)
            assert exchanged.cost_nusd == 7

    asyncio.run(go())


def test_where_prices_cannot_be_looked_up_the_answer_has_none() -> None:
    said: list[Any] = []

    async def go() -> None:
        async with FaultServer(Profile()) as server, Transport(timeout_s=10) as transport:
            ask = exchange(server.url, transport, PriceLoader([MODEL], PriceBook(own=Broken())), gone, said)
            for exchanged in (await ask(CALL, (), None), await ask(CALL, (), None)):
                assert isinstance(exchanged.outcome, Reply)
                assert exchanged.cost_nusd is None

    asyncio.run(go())
    assert len(said) == 1
    assert "the list is gone" in said[0].text


def exchange(
    url: str, transport: Transport, loading: PriceLoader, price: Any, said: list[Any] | None = None
) -> HttpAttemptRunner:
    return HttpAttemptRunner(
        builder=RequestBuilder(RequestSettings(prompts=(Prompt(name="", text="Say hello."),))),
        targets={1: Target(MODEL, place("openai", f"{url}/v1"), WIRES["openai"])},
        transport=transport,
        price=price,
        price_loader=loading,
        stream=False,
        observer=(said if said is not None else []).append,
    )
