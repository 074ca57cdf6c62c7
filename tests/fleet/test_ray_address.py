"""The address of a cluster that runs, and its end."""

from __future__ import annotations

import asyncio

from umwelten.errors import UmweltenError
from umwelten.fleet.ray_address import GONE_S, wait_until_gone
from umwelten.simulate.clock import run_virtual


def test_a_cluster_is_gone_once_it_could_not_be_reached_for_a_while() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def reached() -> None:
            at = loop.time() - began
            if 100 < at < 100 + GONE_S - 5 or at > 200:
                raise UmweltenError("refused")

        await wait_until_gone(reached)
        return loop.time() - began

    assert 200 + GONE_S <= run_virtual(main()) <= 200 + GONE_S + 15
