"""The address of a cluster that runs, and its end."""

from __future__ import annotations

import asyncio

import pytest

from umwelten.api.argument_names import as_argument
from umwelten.cli.flag_names import as_flag
from umwelten.errors import UmweltenError, UsageError
from umwelten.fleet.ray_address import (
    GONE_S,
    environment_error,
    known_address,
    wait_until_gone,
    worker_error,
)
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


def test_what_ended_a_worker_is_told_without_its_traceback() -> None:
    died = "The actor died because of an error raised in its creation task, ray::W (pid=1)\n"
    error = worker_error(f"{died}ModuleNotFoundError: No module named 'umwelten' \n")
    assert error.message == "a worker cannot import umwelten: No module named 'umwelten'"
    assert "umwelten[ray]==" in str(error.hint)
    assert error.exit_code == 2
    assert (
        worker_error(f"{died}OSError: no space\n").message
        == "a worker could not be started: OSError: no space"
    )
    assert worker_error("the disk\nis full").message == "a worker could not be started: the disk"


def test_what_pip_says_is_told_where_it_could_not_install() -> None:
    said = "Failed to set up runtime environment.\nTraceback\n  File x\n"
    error = environment_error(
        f"{said}Last lines:\n    ERROR: From versions: none\n    ERROR: No match for umwelten\n \n"
    )
    assert error.message.endswith("on a node: No match for umwelten")
    assert "PIP_INDEX_URL" in str(error.hint)
    assert error.exit_code == 2
    error = environment_error(f"{said}RuntimeError: Please install virtualenv\n \n")
    assert error.message.endswith("on a node: RuntimeError: Please install virtualenv")


def test_options_are_spelled_as_where_they_are_given() -> None:
    with pytest.raises(UsageError) as raised:
        known_address("somewhere")
    assert raised.value.spell(as_flag).hint == "Write --engine ray:HOST:PORT or --engine ray:auto."
    assert raised.value.spell(as_argument).hint == 'Write engine="ray:HOST:PORT" or engine="ray:auto".'
    assert str(environment_error("").spell(as_flag).hint).startswith("--ray-env pip needs")
    assert str(worker_error("No module named 'x'").spell(as_argument).hint).endswith('ray_env="pip".')
