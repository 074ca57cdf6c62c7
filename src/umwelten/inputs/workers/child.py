"""The process that converts files: started by `worker.py` as a script, with one argument.

The argument is a JSON object: `path`, the parent's `sys.path`; `parent`, its process id; `memory_bytes` and
`file_bytes`, limits of this process; `net_s`, after which one conversion ends the process; `load`, the MIME
types whose converters are loaded ahead. Frames come on
stdin and go to stdout; nothing else does, whatever libraries print.

It ends with the process that started it, which alone holds the other end of stdin. While it converts it
reads nothing: on Linux the kernel kills it then, elsewhere it lives up to `net_s` longer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, BinaryIO


def main(settings: dict[str, Any]) -> None:
    """Convert until stdin ends; leaves by `os._exit`."""
    # On Windows Ctrl-C reaches every process at the terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = _take_pipes()
    sys.path[:] = settings["path"]
    from umwelten.child_processes import exit_with_parent, limit_resources

    exit_with_parent(settings["parent"])
    limit_resources(settings["memory_bytes"], settings["file_bytes"])
    from umwelten.inputs.workers.serving import serve

    serve(requests, replies, net_s=settings["net_s"], load=settings["load"])
    # Not `sys.exit`: there is nothing to clean up, and libraries may crash at it.
    os._exit(0)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes from and to the parent, and put files without content in their places."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, replies


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
