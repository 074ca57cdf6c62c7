"""The address of a Ray cluster that runs: where it is, and what there is to say if it cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from umwelten.errors import UmweltenError, UsageError
from umwelten.phrases import Phrase
from umwelten.version import __version__

_REACH_S = 3.0
_LAST_PORT = 65535
_LOOK_S = 5.0
GONE_S = 30.0
"""A head that was started again is another cluster, as it has forgotten the workers of this one."""
_ASKED = "If it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH here, too."


def known_address(address: str) -> str:
    """Return HOST:PORT of a cluster, looked up for "auto" as Ray does. Raises `UsageError`."""
    if address != "auto":
        found, where = address, ""
    elif found := os.environ.get("RAY_ADDRESS", ""):
        where = " (in the variable RAY_ADDRESS)"
    else:
        file = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"  # noqa: S108
        with contextlib.suppress(OSError):
            found = file.read_text().strip()
            _check_owner(file)
        where = f" (in {file})"
    if not found:
        raise UsageError(
            "no Ray cluster was started on this machine",
            Phrase(
                "Start one with 'ray start --head', or use {option:engine=ray}, which starts one for the run."
            ),
        )
    host, _, port = found.rpartition(":")
    if not host or "/" in host or not port.isdigit() or int(port) > _LAST_PORT:
        raise UsageError(
            f"{found!r}{where} is no address of a Ray cluster",
            Phrase("Write {option:engine=ray:HOST:PORT} or {option:engine=ray:auto}."),
        )
    return found


def _check_owner(file: Path) -> None:
    """Raise `UsageError` for an address that another user left: who runs a cluster runs code here, too."""
    if not hasattr(os, "geteuid"):
        return
    if any(path.stat().st_uid not in (os.geteuid(), 0) for path in (file, file.parent)):
        raise UsageError(
            f"the Ray cluster named in {file} was started by another user",
            Phrase("If you trust that user, write its address: {option:engine=ray:HOST:PORT}."),
        )


async def reach(address: str) -> None:
    """See that something listens at HOST:PORT. Raises `UmweltenError`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_REACH_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError as error:  # a timeout, too
        raise UmweltenError(
            f"no Ray cluster can be reached at {address}: {first_line(error) or 'no answer'}",
            "See that it runs there ('ray status'), or start it: ray start --head --port 6379.",
        ) from None
    writer.close()


async def wait_until_gone(reached: Callable[[], Awaitable[None]]) -> None:
    """Return once `reached` has raised `UmweltenError` for `GONE_S` without a break."""
    loop = asyncio.get_running_loop()
    since: float | None = None
    while since is None or loop.time() - since < GONE_S:
        await asyncio.sleep(_LOOK_S)
        try:
            await reached()
            since = None
        except UmweltenError:
            since = loop.time() if since is None else since


def connection_error(address: str, error: Exception) -> UmweltenError:
    """Return what says that, and why, Ray could not connect."""
    text = " ".join(str(error).split())
    if "version mismatch" in text.lower():
        hint = "Install the same release of Ray, and run the same Python, here and on the cluster."
    else:
        hint = f"See that it runs ('ray status'). This process must run on a machine of the cluster. {_ASKED}"
    return UmweltenError(f"cannot connect to the Ray cluster at {address}: {text}", hint)


def no_answer(address: str, after_s: float) -> UmweltenError:
    """Return what says that nobody answered as Ray does."""
    return UmweltenError(
        f"no Ray cluster answered at {address} within {after_s:.0f} s",
        f"See that it runs there ('ray status'). {_ASKED}",
    )


def token_note(address: str) -> str:
    """Return what there is to say of a cluster that asks for no token, "" for nothing."""
    host = address.rpartition(":")[0].strip("[]")
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token" or host in ("localhost", "127.0.0.1", "::1"):
        return ""
    return (
        f"the Ray cluster at {address} asks for no token: whoever reaches its ports can run programs on it "
        "and see what is sent to its workers. Start it with RAY_AUTH_MODE=token."
    )


def worker_error(text: str) -> UmweltenError:
    """Return what says why a worker could not be started, given what Ray says."""
    if missing := re.findall(r"No module named '[^']*'", text):
        return UsageError(
            f"a worker cannot import umwelten: {missing[-1]}",
            Phrase(
                "Install it on every node: pip install 'umwelten[ray]=={version}'; or use "
                "{option:ray_env=pip}.",
                version=__version__,
            ),
        )
    lines = _lines(text) or [""]
    # What ended the worker's constructor comes with the traceback, of which the last line says most.
    return UmweltenError(
        f"a worker could not be started: {lines[-1] if 'creation task' in lines[0] else lines[0]}"
    )


def environment_error(text: str) -> UmweltenError:
    """Return what says why Ray could not install umwelten, given what Ray and pip say."""
    lines = _lines(text) or [""]
    why = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1])
    return UsageError(
        f"Ray could not install umwelten {__version__} on a node: {why.removeprefix('ERROR: ')}",
        Phrase(
            "{option:ray_env=pip} needs the package virtualenv on every node, and pip there has to find this "
            "version (PIP_INDEX_URL or PIP_FIND_LINKS, set before Ray is started). Or install it on every "
            "node: pip install 'umwelten[ray]=={version}'.",
            version=__version__,
        ),
    )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().split("\n")[0]
