"""Answers in the shape that a request asks for: records value from a JSON Schema, and ways to spoil them.

A stand-in for a model, not for a validator: patterns and rare keywords are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Literal

from umwelten.simulate.faultserver.asks import IncomingRequest

Shaped = Literal["valid", "ignore", "fenced", "slipped", "invalid"]
"""How a request for a shape is answered: see `profile.Behaviour`."""

_DEEP, _DEEPEST = 4, 8
"""From the first on only what must be there, from the second on no list that may be empty."""
_FORMATS = {
    "date": "2024-05-03",
    "date-time": "2024-05-03T10:20:30Z",
    "time": "10:20:30Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "duration": "P3D",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
# What our own requests put into a description where the wire has no keyword for it.
_DESCRIBED = re.compile(r"\b(format|minimum|maximum|minItems|exclusiveMinimum): (\"?)([\w.-]+)\2")


def shape_answer(ask: IncomingRequest, how: Shaped, text: str) -> str:
    """Return the text of the answer: `text` where no shape is asked for or it is ignored."""
    schema = ask.shape
    if schema is None or how == "ignore":
        return text
    return _WAYS[how](record(schema, ask.digest))


def record(schema: dict[str, Any], seed: str = "x") -> Any:
    """Return a value that fits a schema, the same for the same seed, which stands in its texts."""
    return _Maker(schema, seed).value(schema, "value", 0)


class _Maker:
    def __init__(self, root: dict[str, Any], seed: str) -> None:
        self._root, self._seed = root, seed

    def value(self, node: Any, name: str, depth: int) -> Any:
        """A value for one node, called `name`."""
        if not isinstance(node, dict):
            return f"{name} {self._seed}"
        node = _with_described_rules(self._resolve_refs(node))
        if "const" in node:
            return node["const"]
        if node.get("enum"):
            return node["enum"][len(self._seed) % len(node["enum"])]
        choices = node.get("anyOf") or node.get("oneOf")
        if choices:
            return self._choice(choices, name, depth + 1)
        if depth > _DEEP and "null" in _types(node):
            return None
        return self._of_type(node, name, depth)

    def _choice(self, choices: list[Any], name: str, depth: int) -> Any:
        """The first that is not null; deep down null, so that a shape inside itself comes to an end."""
        nulls = [choice for choice in choices if _types(choice) == ["null"]]
        others = [choice for choice in choices if choice not in nulls]
        return None if nulls and (depth > _DEEP or not others) else self.value(others[0], name, depth)

    def _of_type(self, node: dict[str, Any], name: str, depth: int) -> Any:
        match _type_of(node):
            case "object":
                return self._object(node, depth)
            case "array":
                count = (
                    max(1, int(node.get("minItems", 1))) if depth < _DEEPEST else int(node.get("minItems", 0))
                )
                return [self.value(node.get("items", {}), name, depth + 1) for _ in range(count)]
            case "integer":
                return int(_number(node, 1))
            case "number":
                return float(_number(node, 0.001))
            case "boolean":
                return True
            case "null":
                return None
        return self._text(node, name)

    def _object(self, node: dict[str, Any], depth: int) -> dict[str, Any]:
        required = node.get("required", ())
        named = node.get("properties", {}).items()
        return {
            name: self.value(inner, name, depth + 1)
            for name, inner in named
            if depth < _DEEP or name in required
        }

    def _text(self, node: dict[str, Any], name: str) -> str:
        if node.get("format") in _FORMATS:
            return _FORMATS[node["format"]]
        text = f"{name} {self._seed}".ljust(int(node.get("minLength", 0)), ".")
        return text[: int(node.get("maxLength", len(text)))]

    def _resolve_refs(self, node: dict[str, Any]) -> dict[str, Any]:
        for _ in range(_DEEPEST):
            node = {**node["allOf"][0], **node} if node.get("allOf") else node
            if "$ref" not in node:
                break
            target: Any = self._root
            for step in str(node["$ref"]).removeprefix("#/").split("/"):
                target = target.get(step, {}) if isinstance(target, dict) else {}
            node = {**target, **{key: value for key, value in node.items() if key not in ("$ref", "allOf")}}
        return node


def _with_described_rules(node: dict[str, Any]) -> dict[str, Any]:
    rules = {match[1]: match[3] for match in _DESCRIBED.finditer(str(node.get("description", "")))}
    numbers = {
        k: v if k == "format" else float(v) for k, v in rules.items() if k == "format" or _is_number(v)
    }
    return {**numbers, **node}


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _types(node: Any) -> list[str]:
    """The types in lower case; Google writes them in upper case."""
    named = node.get("type", "object" if "properties" in node else "string") if isinstance(node, dict) else []
    return [str(kind).lower() for kind in (named if isinstance(named, list) else [named])]


def _type_of(node: dict[str, Any]) -> str:
    """The first type but null."""
    return next((kind for kind in _types(node) if kind != "null"), "null")


def _number(node: dict[str, Any], gap: float) -> float:
    """The least that is allowed; where there is no such, at most 1."""
    low = node.get("minimum", node["exclusiveMinimum"] + gap if "exclusiveMinimum" in node else None)
    high = node.get("maximum", node["exclusiveMaximum"] - gap if "exclusiveMaximum" in node else None)
    if low is None:
        return 1.0 if high is None else min(1.0, float(high))
    return float(low)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fence(value: Any) -> str:
    fence = f"```json\n{json.dumps(value, indent=2)}\n```"
    return f"Here is what you asked for:\n\n{fence}\n\nLet me know if that helps."


def _add_comma(value: Any) -> str:
    """With a comma too many, which a person would pass over and a parser does not."""
    return f"{json.dumps(value, ensure_ascii=False)[:-1]},}}"


def _spoil(value: Any) -> str:
    """The first field holds what no scalar, list or plain object of a schema is."""
    first = next(iter(value), None) if isinstance(value, dict) else None
    wrong = "none" if first is not None and isinstance(value[first], dict | list) else {"no": "such value"}
    return json.dumps({**value, first: wrong} if first is not None else wrong)


_WAYS: dict[Shaped, Callable[[Any], str]] = {
    "valid": _plain,
    "fenced": _fence,
    "slipped": _add_comma,
    "invalid": _spoil,
}
