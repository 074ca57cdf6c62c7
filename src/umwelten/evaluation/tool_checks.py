"""What can be checked of tools before the first call: whether models take them, and tools of parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from umwelten.attempts.tool_support import models_without_tools
from umwelten.errors import UsageError
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.local import find_weights, places_tools
from umwelten.phrases import Phrase
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.types import ModelRef

_OLLAMA = "ollama"
"""The wire whose tools in parameters can only be functions: its servers run none."""

_DECLARATIONS = ("functionDeclarations", "function_declarations")
_OWN_MACHINE = re.compile(r"bash|text_editor|computer|memory|(local_)?shell|apply_patch|custom|function")
"""The types of tools that the provider defines and whoever asks has to run."""

_CHOICES = ("tool_choice", "function_call")
_CONFIGS, _CALLING = ("toolConfig", "tool_config"), ("functionCallingConfig", "function_calling_config")


def check_parameters(spec: EvaluationSpec, vendors: Mapping[str, Vendor]) -> None:
    """Raise `UsageError` for functions in parameters beside tools, and for a choice that cannot be kept.

    Tools that run at the provider are sent beside ours. A function would be called and nobody would run it;
    a choice that forces a call would do so in every request, which never comes to an answer.
    """
    offered = spec.request.tools
    if offered is None:
        return
    if offered.max_steps == 1 and offered.choice not in ("auto", "none"):
        raise UsageError(
            Phrase(
                "{option:tool_choice} {choice} needs a second request for the answer", choice=offered.choice
            ),
            Phrase("Allow more: {option:max_steps=5}."),
            argument="max_steps",
        )
    for model in spec.models:
        extra = spec.request.of(model).parameters.extra
        function = next(_functions(extra, vendors[model.provider].wire), None)
        if function is not None:
            raise UsageError(
                Phrase("{option:params}: {function} can't be run beside {option:tools}", function=function),
                Phrase(
                    "Write it as a function in a Python file, and name that: {option:tools=FILE.py}. Tools "
                    "that run at the provider, such as a web search, may stay."
                ),
                argument="params",
            )
        field = next(_choices(extra), None)
        if field is not None:
            raise UsageError(
                Phrase("{option:params}: {field} can't be set beside {option:tools}", field=field),
                Phrase("Say it with {option:tool_choice=any}, or with the name of a tool."),
                argument="params",
            )


def _functions(extra: Mapping[str, Any], wire: str) -> Iterator[str]:
    """Yield what parameters say of functions, by name where they have one."""
    if extra.get("functions"):
        yield "functions"
    given = extra.get("tools") or ()
    if not isinstance(given, list | tuple):
        yield "tools, which is no list,"
        return
    for tool in given:
        fields = tool if isinstance(tool, dict) else {}
        for key in _DECLARATIONS:
            yield from (_named(declared) for declared in fields.get(key) or ())
        kind = fields.get("type")
        is_anthropic = "input_schema" in fields or (kind is None and "name" in fields)
        is_own = isinstance(kind, str) and _OWN_MACHINE.match(kind) is not None
        if wire == _OLLAMA or is_own or "function" in fields or "computerUse" in fields or is_anthropic:
            yield _named(fields.get("function") or fields)


def _named(fields: object) -> str:
    name = fields.get("name") if isinstance(fields, dict) else None
    return f"the function {str(name)[:100]}" if name else "a function in tools"


def _choices(extra: Mapping[str, Any]) -> Iterator[str]:
    for name in _CHOICES:
        value = extra.get(name)
        kind = value.get("type") if isinstance(value, dict) else value
        if kind not in (None, "auto"):
            yield name
    for name in _CONFIGS:
        config = extra.get(name)
        for key in _CALLING:
            if isinstance(config, dict) and config.get(key):
                yield f"{name}.{key}"


def check_support(spec: EvaluationSpec, endpoints: Mapping[str, tuple[Endpoint, ...]], *, ask: bool) -> None:
    """Raise `UsageError` that names all models that take no tools, as far as anybody tells.

    `ask`: their servers too, which takes a moment; else only what is known on this machine.
    """
    if spec.tools is None:
        return
    models = dict.fromkeys(model.plain for model in spec.models)
    found = {model: _LOCAL for model in models if model.provider == "local" and not _places_tools(model)}
    if ask:
        found |= models_without_tools(
            (model, place)
            for model in models
            for place in endpoints[model.provider]
            if model.provider != "local"
        )
    if not found:
        return
    is_all = len(found) == len(models)
    others = "Ask another model" if is_all else "Leave it out of" if len(found) == 1 else "Leave them out of"
    raise UsageError(
        "; ".join(f"{model} takes no tools: {why}" for model, why in found.items()),
        Phrase("{others}, or ask without {option:tools}.", others=others)
        if is_all
        else Phrase("{others} {option:models}, or ask without {option:tools}.", others=others),
        argument="models",
    )


_LOCAL = "the chat template in its file has no place for them"


def _places_tools(model: ModelRef) -> bool:
    return places_tools(find_weights(model.model)) is not False
