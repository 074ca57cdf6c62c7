"""`python -m umwelten.simulate.faultserver`: prints its port as JSON, serves until SIGTERM.

It also ends when its standard input, if that is a pipe, is closed: so it never outlives the program
that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import msgspec

from umwelten.simulate import faultserver
from umwelten.simulate.faultserver.profile import Profile, load_profile, parse_profile
from umwelten.simulate.faultserver.server import FaultServer
from umwelten.threads import new_event_loop


class _UntilEnd(asyncio.Protocol):
    """Waits for the end of standard input."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def serve(profile: Profile, port: int) -> None:
    """Serve until SIGTERM, SIGINT or the end of a piped standard input."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if _is_pipe(0):
        await loop.connect_read_pipe(lambda: _UntilEnd(ended), sys.stdin)
    async with FaultServer(profile, port=port) as server:
        sys.stdout.write(msgspec.json.encode({"port": server.port}).decode() + "\n")
        sys.stdout.flush()
        await ended.wait()


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m umwelten.simulate.faultserver",
        description=faultserver.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default: any that is free")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="a profile in TOML or JSON")
    parser.add_argument("--json", metavar="TEXT", help="a profile in JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run; 2 if the profile cannot be read or the port is taken."""
    options = _arguments(arguments)
    try:
        profile = load_profile(options.profile) if options.profile else parse_profile(options.json or "{}")
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(profile, options.port))
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"faultserver: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
