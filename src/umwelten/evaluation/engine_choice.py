"""Who makes the attempts of a run: the choice that the options make, and what can be wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from umwelten.config.engine_fields import WORKERS
from umwelten.config.engine_types import LOCAL, RAY, split_engine
from umwelten.config.private_networks import is_loopback
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.evaluation.spec import EngineChoice, Limits
from umwelten.phrases import Phrase, Wording
from umwelten.text.formatting import count
from umwelten.types import ModelRef


def read_engine(settings: Settings) -> EngineChoice:
    """Return the choice that the options make."""
    kind, address = split_engine(settings.get("engine"))
    if kind == LOCAL:
        return EngineChoice()
    workers, ship = settings.get("workers"), settings.get("ship_keys")
    if workers is None:
        workers = WORKERS if address else min(WORKERS, _cores())
    if ship is None:
        # The workers of its own cluster are this user's, on this machine. Keys of a `.env` are not in their
        # environment.
        ship = not address
    return EngineChoice(
        kind=kind, address=address, workers=workers, ship_keys=ship, env=settings.get("ray_env")
    )


def engine_settings(engine: EngineChoice) -> dict[str, str | int]:
    """Return what a run stores of it among its settings: nothing where this process makes the calls."""
    if engine.kind == LOCAL:
        return {}
    return {"engine": engine_name(engine), "workers": engine.workers}


def engine_name(engine: EngineChoice) -> str:
    """Return the choice as the option says it, such as "ray:head:6379"."""
    return f"{engine.kind}:{engine.address}" if engine.address else engine.kind


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(engine: EngineChoice, models: Iterable[ModelRef]) -> None:
    """Raise `UsageError` where attempts cannot be made by workers: by these models, or without a
    Ray that is new enough."""
    if engine.kind == LOCAL:
        return
    here = [str(ref) for ref in dict.fromkeys(models) if ref.provider == "local"]
    if here:
        raise UsageError(
            Phrase(
                "{option:engine=ray} cannot be used with {models}: the model runs in this process",
                models=", ".join(here),
            ),
            Phrase(
                "Leave {option:engine} out for local models, or serve the model, such as with Ollama or "
                "vLLM, and name it ollama:MODEL or vllm:MODEL."
            ),
            argument="engine",
        )
    from umwelten.fleet.ray_api import require_ray  # few runs need it

    require_ray()


def note_idle_engine(engine: EngineChoice, settings: Settings, notes: list[Wording]) -> None:
    """One note for each option of workers that was given for this run, where it has none.

    None where the engine was given as well, as to go on in this process with a run that had workers.
    """
    if engine.kind == RAY or "engine" in settings.given:
        return
    notes.extend(
        Phrase("{option:{name}} does nothing without {option:engine=ray}", name=name)
        for name in ("workers", "ship_keys", "ray_env")
        if name in settings.given and settings.get(name) not in (None, False, "none")
    )


def note_idle_workers(engine: EngineChoice, limits: Limits, notes: list[Wording]) -> None:
    """A note where so few calls are in flight that some workers never have one."""
    most = limits.max_concurrency
    if engine.kind == LOCAL or most == "auto" or most >= engine.workers:
        return
    notes.append(
        Phrase(
            "at most {calls} in flight, which leaves some of the {workers} workers idle; raise "
            "{option:max_concurrency}",
            calls=count(most, "call"),
            workers=engine.workers,
        )
    )


def note_open_cluster(engine: EngineChoice, notes: list[Wording]) -> None:
    """A note where keys go over a network to a cluster that lets everybody in."""
    host = engine.address.rpartition(":")[0].strip("[]")
    if not engine.ship_keys or not host or is_loopback(host):
        return
    if os.environ.get("RAY_AUTH_MODE", "").strip().lower() != "token":
        notes.append(
            Phrase(
                "{option:ship_keys} sends API keys unencrypted to {host}, and whoever reaches a Ray cluster "
                "without RAY_AUTH_MODE=token can run programs there that read them",
                host=host,
            )
        )
