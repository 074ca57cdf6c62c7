"""What a scorer's process does with a Python function or a rule: it reads answers, scores, and replies."""

from __future__ import annotations

import inspect
import io
import json
import math
import os
import sys
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from umwelten.child_processes import exit_with_parent, limit_resources
from umwelten.evaluation.scoring.function_calls import (
    Reply,
    ScorerProblem,
    as_reply,
    described,
    parameters_of,
    returned,
)
from umwelten.scoring.score import Answer
from umwelten.text.suggestions import closest, did_you_mean, sentences

_MODULE = "umwelten_scorer"
_MEASURES = ("finish", "cost_nusd", "latency_s", "tokens")


def serve(settings: Mapping[str, Any], parent: int) -> None:
    """Score until the other end of stdin is closed."""
    requests, replies = _take_pipes()
    exit_with_parent(parent)
    own = os.getpid()

    def reply(said: Reply) -> None:
        if os.getpid() != own:  # a function that forks comes back twice
            os._exit(0)
        os.write(replies, json.dumps(said).encode() + b"\n")

    try:
        score, facts = _load_function(settings) if "code" in settings else _load_rule(settings)
    except ScorerProblem as problem:
        reply({"problem": str(problem), "hint": problem.hint})
        return
    reply({"ready": facts})
    for line in requests:
        asked = json.loads(line)
        try:
            said = score(asked)
        except BaseException as error:  # noqa: BLE001 - whatever it raises concerns this answer alone
            said = {"error": described(error, settings.get("file", ""))}
        reply({"id": asked["id"]} | said)


def _take_pipes() -> tuple[BinaryIO, int]:
    """Return the pipes from and to the parent. What is printed goes to stderr, and nothing can be asked."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    return requests, replies


# --- a rule --------------------------------------------------------------------------------------


def _load_rule(settings: Mapping[str, Any]) -> tuple[Callable[[Reply], Reply], Reply]:
    limit_resources(settings["memory_bytes"], settings["file_bytes"])
    # Here: a function, which may have to be started often, needs none of it.
    import pickle

    from umwelten.scoring.definition import Definition
    from umwelten.scoring.math_rules import load_math
    from umwelten.scoring.scorer import Scorer

    definition: Definition = pickle.loads(b64decode(settings["definition"]))
    if definition.type == "math":
        try:
            load_math()
        except ImportError as error:
            raise ScorerProblem(
                f"scorer {definition.name!r} needs math-verify: {error}", "pip install 'umwelten[math]'"
            ) from None
    scorer = Scorer(definition)

    def score(asked: Reply) -> Reply:
        answer, reference = pickle.loads(b64decode(asked["pickled"]))
        return as_reply(scorer.score(answer, reference, limit=math.inf))

    return score, {}


# --- a function ----------------------------------------------------------------------------------


def _load_function(settings: Mapping[str, Any]) -> tuple[Callable[[Reply], Reply], Reply]:
    file, name = settings["file"], settings["function"]
    function = _find(_import(file, b64decode(settings["code"])), file, name)
    taken, is_strict = parameters_of(function, f"{Path(file).name}:{name}")

    def score(asked: Reply) -> Reply:
        if is_strict and asked["expected"] is None:
            return {"unscored": "no_reference", "message": "nothing says what the answer should be"}
        measures = {measure: asked[measure] for measure in _MEASURES}
        given = asked | {"answer": Answer(text=asked["answer"], record=asked["record"], **measures)}
        result = function(**{parameter: given[parameter] for parameter in taken})
        if inspect.isawaitable(result):
            result = _await(result)
        return returned(result)

    return score, {"needs_reference": is_strict}


def _await(result: Awaitable[Any]) -> Any:
    """Return what comes of it, in a loop that all answers share: clients belong to one."""
    return _runner().run(_awaited(result))


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


@cache
def _runner() -> Any:
    import asyncio

    return asyncio.Runner()


def _import(file: str, code: bytes) -> ModuleType:
    """Run the source that the parent has read, as if it were the file; files beside it can be imported."""
    module = ModuleType(_MODULE)
    module.__file__ = file
    sys.modules[_MODULE] = module
    sys.path.insert(0, str(Path(file).parent))
    try:
        exec(compile(code, file, "exec"), module.__dict__)  # noqa: S102 - the user's scorer
    except BaseException as error:  # noqa: BLE001 - SystemExit among others
        raise ScorerProblem(f"cannot run {file}: {described(error, file)}") from None
    return module


def _find(module: ModuleType, file: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(module, name, None)
    if callable(found):
        return found
    names = [each for each, value in vars(module).items() if inspect.isfunction(value)]
    listed = f"Functions there: {', '.join(names)}." if names else "It has no functions."
    what = "has no function" if found is None else "has something else than a function called"
    raise ScorerProblem(f"{file} {what} {name}", sentences(did_you_mean(closest(name, names)), listed) or "")
