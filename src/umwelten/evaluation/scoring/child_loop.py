"""What a scorer's process does with a Python function or a rule: it reads answers, scores, and replies."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import math
import numbers
import os
import sys
import traceback
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from umwelten.child_processes import exit_with_parent, limit_resources
from umwelten.scoring.score import Answer, Result, Score
from umwelten.text.suggestions import closest, did_you_mean, sentences

PARAMETERS = ("answer", "expected", "row", "file", "model")
"""What a function may name."""
EXPECTED_VALUE = "a value from 0 to 1, True, False or None is expected"

_MODULE = "umwelten_scorer"
_MEASURES = ("finish", "cost_nusd", "latency_s", "tokens")

Reply = dict[str, Any]


class _Problem(Exception):
    """The scorer cannot be used at all; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


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
    except _Problem as problem:
        reply({"problem": str(problem), "hint": problem.hint})
        return
    reply({"ready": facts})
    for line in requests:
        asked = json.loads(line)
        try:
            said = score(asked)
        except BaseException as error:  # noqa: BLE001 - whatever it raises concerns this answer alone
            said = {"error": _described(error, settings.get("file", ""))}
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
            raise _Problem(
                f"scorer {definition.name!r} needs math-verify: {error}", "pip install 'umwelten[math]'"
            ) from None
    scorer = Scorer(definition)

    def score(asked: Reply) -> Reply:
        answer, reference = pickle.loads(b64decode(asked["pickled"]))
        return _as_reply(scorer.score(answer, reference, limit=math.inf))

    return score, {}


def _as_reply(result: Result) -> Reply:
    if not isinstance(result, Score):
        return {"unscored": result.kind, "message": result.message}
    return {
        "value": result.value,
        "label": result.label,
        "passed": result.passed,
        "reason": result.reason,
        "parts": [
            {"name": part.name, "value": part.value, "label": part.label, "message": part.message}
            for part in result.parts
        ],
    }


# --- a function ----------------------------------------------------------------------------------


def _load_function(settings: Mapping[str, Any]) -> tuple[Callable[[Reply], Reply], Reply]:
    file, name = settings["file"], settings["function"]
    function = _find(_import(file, b64decode(settings["code"])), file, name)
    taken, is_strict = _parameters(function, f"{Path(file).name}:{name}")

    def score(asked: Reply) -> Reply:
        if is_strict and asked["expected"] is None:
            return {"unscored": "no_reference", "message": "nothing says what the answer should be"}
        measures = {measure: asked[measure] for measure in _MEASURES}
        given = asked | {"answer": Answer(text=asked["answer"], record=asked["record"], **measures)}
        result = function(**{parameter: given[parameter] for parameter in taken})
        if inspect.isawaitable(result):
            result = _await(result)
        return _returned(result)

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
        raise _Problem(f"cannot run {file}: {_described(error, file)}") from None
    return module


def _find(module: ModuleType, file: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] | None = getattr(module, name, None)
    if callable(found):
        return found
    names = [each for each, value in vars(module).items() if inspect.isfunction(value)]
    listed = f"Functions there: {', '.join(names)}." if names else "It has no functions."
    what = "has no function" if found is None else "has something else than a function called"
    raise _Problem(f"{file} {what} {name}", sentences(did_you_mean(closest(name, names)), listed) or "")


def _parameters(function: Callable[..., Any], shown: str) -> tuple[list[str], bool]:
    """Return the names that are given to it, and whether it cannot do without a reference."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise _Problem(f"{shown} cannot be called with names", _HINT) from None
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        taken = list(PARAMETERS)
    else:
        taken = [each.name for each in parameters if each.name in PARAMETERS]
    for each in parameters:
        if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        if each.kind is each.POSITIONAL_ONLY:
            raise _Problem(f"{shown}: its parameter {each.name!r} cannot be given by name", _HINT)
        if each.name not in PARAMETERS and each.default is each.empty:
            near = did_you_mean(closest(each.name, PARAMETERS))
            raise _Problem(f"{shown} has a parameter {each.name!r}", sentences(near, _HINT) or _HINT)
    strict = any(each.name == "expected" and each.default is each.empty for each in parameters)
    return taken, strict


_HINT = f"A scorer's parameters are any of {', '.join(PARAMETERS)}, and others with a default."


def _returned(result: Any) -> Reply:
    """Return what is told of the value that a function gave."""
    if isinstance(result, Score):
        return _as_reply(result)
    if type(result).__module__ == "numpy" and hasattr(result, "item"):
        with contextlib.suppress(ValueError):
            result = result.item()
    if result is None or isinstance(result, bool):
        return {"value": result}
    if isinstance(result, numbers.Real | Decimal) and 0 <= (value := float(result)) <= 1:
        return {"value": value}
    what = repr(result) if isinstance(result, str | int | float | Decimal) else type(result).__name__
    return {"error": f"{EXPECTED_VALUE}, not {what[:80]}"}


def _described(error: BaseException, file: str) -> str:
    """Return type and message, and the line of the scorer's file: no path, no source."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, AttributeError) and isinstance(error.obj, Answer):
        said += "; the text is answer.text"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    lines = [frame.lineno for frame in frames]
    if isinstance(error, SyntaxError) and error.filename == file:
        said, lines = f"{type(error).__name__}: {error.msg}", [error.lineno]
    return f"{said} ({Path(file).name}, line {lines[-1]})" if lines and lines[-1] else said
