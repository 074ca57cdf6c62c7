"""Where the time of a call goes, as a picture: `python -m benchmarks.flame docs/flame.svg`. Needs py-spy.

20,000 unary calls, 200 in flight; sampled for a few seconds in the middle, start and end left out.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants import UMWELTEN, Work
from benchmarks.provider import provider
from benchmarks.rounds import end_well, new_folder

CALLS, BEFORE_S, SECONDS, PER_S = 20_000, 2.0, 6, 250
TITLE = "umwelten: 200 calls in flight, files read, answers stored"


def record(target: Path) -> None:
    """Write the picture."""
    spy = Path(sys.executable).with_name("py-spy")
    with provider({"records": 0, "default": {"latency_s": 0.05}}) as served:
        command, env = UMWELTEN.command(Work(url=served.url, folder=new_folder(), calls=CALLS, in_flight=200))
        with subprocess.Popen(
            command, cwd=new_folder(), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as running:
            time.sleep(BEFORE_S)
            how = ["--function", "--rate", str(PER_S), "--duration", str(SECONDS), "--format", "flamegraph"]
            try:
                line = [str(spy), "record", *how, "--output", str(target), "--pid", str(running.pid)]
                subprocess.run(line, check=True, timeout=60)
            finally:
                running.terminate()
    # py-spy heads the picture with its own command line, paths of this machine and all.
    target.write_text(re.sub(r"[^<>]*py-spy record[^<]*", TITLE, target.read_text()))


def main(arguments: Sequence[str]) -> int:
    """Record to the path given."""
    end_well()
    record(Path(arguments[0] if arguments else "docs/flame.svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
