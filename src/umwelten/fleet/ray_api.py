"""What is asked of Ray. The only module that imports it.

It is imported where it is used: that takes half a second, and few runs need it.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from umwelten.errors import UmweltenError, UsageError
from umwelten.fleet.carrier import WorkerPlace
from umwelten.fleet.ray_address import environment_error, worker_error
from umwelten.fleet.ray_cluster import LOOPBACK
from umwelten.fleet.ray_worker import WorkerActor
from umwelten.phrases import Phrase
from umwelten.version import __version__

LEAST = (2, 52)
"""The oldest release of Ray, as in `pyproject.toml`. Those before know no token: any user of the machine
could run programs in a cluster of theirs."""
WORKER_CPUS = 0.5
"""CPUs of the cluster that a worker takes. It waits most of the time: 1,000 calls a second take 0.3 of one
core, and the four workers of the default fit on a machine of two."""
_STORE_BYTES = 256 << 20
"""Shared memory of a cluster of this run: some inputs that workers cannot read, and answers above 100 kB."""
_RECONNECT, _NEVER_S = "RAY_gcs_rpc_server_reconnect_timeout_s", "1000000000"
"""Where a cluster's head is gone for 60 s, Ray would end this process, whoever's it is."""


def exceptions() -> Any:
    """Return the module of Ray's errors."""
    from ray import exceptions as errors

    return errors


def is_connected() -> bool:
    """Return whether this process is connected to a cluster."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def cpus() -> float:
    """Return how many CPUs the cluster has, free or not."""
    import ray

    return float(ray.cluster_resources().get("CPU", 0.0))


def put(frame: bytes) -> Any:
    """Put a frame into the cluster's shared memory; returns its reference."""
    import ray

    return ray.put(frame)


def here() -> WorkerPlace:
    """Return where the actor is that calls this."""
    import ray

    context = ray.get_runtime_context()
    node = f"{socket.gethostname()}/{context.get_node_id()[:8]}"
    return WorkerPlace(node=node, address=ray.util.get_node_ip_address(), pid=os.getpid())


def run_head() -> None:
    """Start a cluster and keep it until this process is killed. `ray_cluster` starts it."""
    import ray

    folder, cpus = Path(sys.argv[1]), int(sys.argv[2])
    context = ray.init(
        address="local",
        num_cpus=cpus,
        num_gpus=0,
        object_store_memory=_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        _temp_dir=str(folder / "ray"),  # which Ray lets everybody write to; `folder` is closed to others
    )
    (folder / "address.new").write_text(context.address_info["gcs_address"])
    (folder / "address.new").rename(folder / "address")
    threading.Event().wait()


def require_ray() -> None:
    """Raise `UsageError` where Ray is not installed, or too old."""
    from importlib.metadata import PackageNotFoundError, version

    install = "Install it: pip install 'umwelten[ray]'"
    try:
        found = version("ray")
    except PackageNotFoundError:
        message = Phrase("{option:engine=ray} needs Ray, which is not installed")
        raise UsageError(message, install, argument="engine") from None
    if tuple(map(int, re.findall("[0-9]+", found)[:2])) < LEAST:
        least = ".".join(map(str, LEAST))
        message = Phrase(
            "{option:engine=ray} needs Ray {least} or newer; {found} is installed", least=least, found=found
        )
        raise UsageError(message, install, argument="engine")


def connect(address: str, variables: dict[str, str], *, is_own: bool) -> None:
    """Connect. Not in the main thread, where Ray would replace the handler of SIGTERM."""
    with _environment({**variables, _RECONNECT: _NEVER_S}, is_own=is_own), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray._private import ray_constants, worker

        # Ray read its settings when it was imported, in a library perhaps by others.
        _raylet: Any = importlib.import_module("ray._raylet")
        with contextlib.suppress(AttributeError):
            _raylet.Config.initialize("")
            _raylet.AuthenticationTokenLoader.instance().reset_cache()
        before = ray_constants.ENABLE_RAY_CLUSTER
        # Ray's handler of SIGTERM passes it on, but ends the process 3 s later, whatever is still under way.
        ray_constants.RAY_DISABLE_FAILURE_SIGNAL_HANDLER = True
        if os.environ.get(LOOPBACK) == "0":
            ray_constants.ENABLE_RAY_CLUSTER = False
        # Ray prints on stdout what its daemons say of a worker that ended.
        worker.print_to_stdstream = lambda *data, **options: None
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                job_config=_job_config(),
            )
        finally:
            ray_constants.ENABLE_RAY_CLUSTER = before


def _job_config() -> Any:
    """Return what has workers import from their own installation alone.

    By itself Ray has them look first in this process's working directory, which may be a stranger's project.
    """
    from ray.job_config import JobConfig

    class Job(JobConfig):  # type: ignore[misc]
        def _get_proto_job_config(self) -> Any:
            self._py_driver_sys_path: list[str] = []
            return super()._get_proto_job_config()

    return Job()


@contextlib.contextmanager
def _environment(variables: dict[str, str], *, is_own: bool) -> Iterator[None]:
    """Have these variables set for Ray; `is_own`: without those that the user has for other clusters."""
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    for name in before if is_own else ():
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def disconnect(actors: list[Any]) -> None:
    """End actors, and disconnect."""
    import ray

    for actor in actors:
        kill(actor)
    ray.shutdown()


def kill(actor: Any) -> None:
    """End an actor."""
    import ray

    with contextlib.suppress(Exception):
        ray.kill(actor)


def new_actor(maker: str, with_pip: bool) -> Any:
    """Start an actor whose worker `maker` makes; `with_pip`: with umwelten installed by Ray."""
    import ray

    runtime_env = {"pip": [f"umwelten=={__version__}"]} if with_pip else None
    actor = ray.remote(WorkerActor).options(
        num_cpus=WORKER_CPUS, scheduling_strategy="SPREAD", runtime_env=runtime_env
    )
    return actor.remote(maker)


def start_error(error: Exception) -> UmweltenError:
    """Return what says why a worker could not be started."""
    from ray import exceptions

    cause = getattr(error, "cause", None) or error
    if isinstance(cause, exceptions.RuntimeEnvSetupError):
        return environment_error(str(cause))
    return worker_error(str(cause))
