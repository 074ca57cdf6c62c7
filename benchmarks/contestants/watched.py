"""The real command line on a loop that is watched: `watched.py HISTOGRAM eval batch …`.

Every 5 ms a timer is due; how late it comes is counted by milliseconds in the file HISTOGRAM, which is
mapped into memory, since the command line ends its process without ceremony.
"""

import mmap
import struct
import sys
from pathlib import Path

import uvloop

STEP_S, BUCKETS = 0.005, 2000
path = Path(sys.argv[1])
path.write_bytes(bytes(8 * BUCKETS))
with path.open("r+b") as file:
    counts = mmap.mmap(file.fileno(), 8 * BUCKETS)
new_event_loop = uvloop.new_event_loop


def watched_loop() -> uvloop.Loop:
    loop = new_event_loop()
    due = 0.0

    def look() -> None:
        nonlocal due
        late = min(BUCKETS - 1, max(0, int((loop.time() - due) * 1000)))
        struct.pack_into("Q", counts, 8 * late, struct.unpack_from("Q", counts, 8 * late)[0] + 1)
        wait()

    def wait() -> None:
        nonlocal due
        due = loop.time() + STEP_S
        loop.call_at(due, look)

    loop.call_soon(wait)
    return loop


uvloop.new_event_loop = watched_loop
del sys.argv[1]
from umwelten.cli.app import main  # noqa: E402

main()
