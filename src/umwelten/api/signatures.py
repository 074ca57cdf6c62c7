"""The signatures of `run`, `batch`, `rank` and `suite`, with every option that `**options` stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar, get_args, get_origin

from umwelten.config.options import OPTIONS
from umwelten.text.suggestions import closest, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


def with_options(options: type[Any]) -> Callable[[F], F]:
    """Give a function the signature that `help()` and notebooks show: an argument for each of the options.

    `options` is the `TypedDict` of its `**options`, which type checkers and editors read by themselves.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        positional = [p for p in own if p.kind is not p.KEYWORD_ONLY]
        keywords = [p for p in own if p.kind is p.KEYWORD_ONLY]
        more = [_parameter(name, annotation) for name, annotation in options.__annotations__.items()]
        function.__dict__["__signature__"] = signature.replace(parameters=[*positional, *more, *keywords])
        return function

    return decorate


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    type_ = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    # Left out, `resume` is neither: a call with the settings that are stored goes on.
    default = False if OPTIONS[name].is_switch and name != "resume" else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type_)


def check_names(function: Callable[..., Any], names: Iterable[str]) -> None:
    """Raise `TypeError` for a keyword argument that the function does not have."""
    known = inspect.signature(function).parameters
    for name in names:
        if name not in known:
            hint = did_you_mean(closest(name, known), "{!r}")
            raise TypeError(
                f"{function.__name__}() got an unexpected keyword argument {name!r}. {hint}".strip()
            )
