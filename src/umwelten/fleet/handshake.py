"""Whether a worker can make the attempts of a run: its release, its Python and its keys."""

from __future__ import annotations

import platform
from collections.abc import Collection

from umwelten.errors import ConfigError, UmweltenError, UsageError
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.messages import PROTOCOL, Hello
from umwelten.phrases import Phrase
from umwelten.version import __version__


def python_version() -> str:
    """Return the version of Python as `Hello` has it."""
    return platform.python_version()


def minor(version: str) -> str:
    """Return a version of Python without its last number: 3.12."""
    return ".".join(version.split(".")[:2])


def problem_of(worker: int, hello: Hello, given: Collection[str]) -> UmweltenError | None:
    """Return why a worker cannot be used, `None` if it can. `given` are the keys that are sent to it."""
    name = worker_name(worker, WorkerPlace(node=hello.node, address=hello.address, pid=hello.pid))
    if hello.version != __version__ or hello.protocol != PROTOCOL:
        return UsageError(
            f"{name} has umwelten {hello.version} (messages {hello.protocol}); this process has "
            f"{__version__} (messages {PROTOCOL}), and both must be the same",
            f'on node {hello.node}, run: pip install "umwelten[ray]=={__version__}"',
        )
    ours = python_version()
    if minor(hello.python) != minor(ours):
        return UsageError(
            f"{name} runs Python {hello.python}; this process runs Python {ours}, and both must be of the "
            "same minor version",
            f"start the cluster with Python {minor(ours)}, or this command with that of the cluster: "
            f"uv run --python {minor(hello.python)} umwelten",
        )
    if hello.problem:
        return UsageError(f"{name} cannot make calls: {hello.problem}")
    missing = [key for key in hello.missing if key not in given]
    if missing:
        return ConfigError(
            Phrase("{name} has no {keys}", name=name, keys=" and no ".join(missing)),
            Phrase(
                "set {keys} in the environment of node {node} before Ray is started there, or send the keys "
                "of this process to the workers with {option:ship_keys}",
                keys=" and ".join(missing),
                node=hello.node,
            ),
        )
    return None


def worker_name(worker: int, place: WorkerPlace) -> str:
    """Return how users read of a worker."""
    return f"worker {worker} (node {place.node}, {place.address}, process {place.pid})"
