"""What to do about a failure, by its kind, in one line."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping

from umwelten.phrases import Phrase, Spelling, Wording, by_name, spell
from umwelten.pricing import listed
from umwelten.providers.common.errors import ADDRESS, BLOCKED
from umwelten.providers.protocol import Scope, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.schema import CUT
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import EXHAUSTED_CODE, STOPPED_CODE, Failure

_OURS = {
    "unsupported_input": "the message says what to do",
    "internal": "the fault is umwelten's own: please report it with the message",
}
"""Calls that never reached a provider, by the failure's code."""

_EXHAUSTED = Phrase("raise `ulimit -n`, or lower {option:max_concurrency}")

_ADVICE: dict[str, Wording] = {
    "rate_limit": Phrase("lower {option:max_concurrency}, or raise your tier at the provider"),
    "timeout": Phrase(
        "check connectivity, lower {option:max_concurrency}, or give more time with {option:timeout_s}"
    ),
    "connection": Phrase("check connectivity, lower {option:max_concurrency}"),
    "server": Phrase("look at the provider's status page; {option:resume} tries these calls again"),
    "schema": Phrase(
        "loosen the schema (fewer required fields, wider ranges), use {option:coerce}, or take a model whose "
        "server enforces schemas"
    ),
    "local": Phrase(
        "look at this machine's disk, network shares and memory; {option:resume} tries these calls again"
    ),
    "empty": Phrase(
        "raise {option:max_tokens} where thinking used it up; else change the prompt or take another model; "
        "{option:resume} tries these calls again"
    ),
    "tools": Phrase(
        "raise {option:max_steps} if the model needed more requests, say in the prompt when to call a tool, "
        "or take another model; `umwelten eval show` has each step"
    ),
    "lost": Phrase("look at what ended the workers, such as memory; {option:resume} tries these calls again"),
    "superseded": "nothing is to be done: the call's other attempt was answered",
    "memory": Phrase("use a smaller model, or fewer calls in flight ({option:provider_concurrency})"),
}
OWN_SCHEMA: Wording = "take a model whose server enforces schemas"
"""What to do about answers that do not fit where the schema is not the user's: of judges, and of learning."""

LIMITED: Wording = Phrase(
    "resume when the provider's limit allows calls again, wait longer for that with {option:max_wait_s}, or "
    "raise your tier"
)
"""What to do about a lane that was stopped because it was refused for too long."""

WITHOUT_TOOLS: Wording = Phrase("leave the model out of {option:models}, or ask without {option:tools}")
"""What to do about a model that takes no tools."""

_CUT_OFF = Phrase("raise {option:max_tokens}, or ask for less: fewer fields, less thinking")

_CONTENT = "the provider blocks this content: change the prompt or leave the file out"
_OPTIONS = {
    "temperature": "temperature",
    "top[_ ]?p": "top_p",
    "max(_completion|_output|output|_)?_?tokens|num_predict": "max_tokens",
    "(random_)?seed": "seed",
    "stop([_ ]?sequences)?": "stop",
}
"""Fields as messages spell them, in lower case, and the option that sets each."""

# Words in a provider's message, and what they ask for; the first that fits counts.
_BAD_REQUEST: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("context", "too long", "maximum tokens", "prompt is too"),
        "shorten the prompt or the file, or take a model with a larger context",
    ),
    (
        ("functions are not run", "only text is kept", "answers in one turn"),
        "ask for text: change the prompt or the parameters, or take another model",
    ),
    (("too large", "413", "payload", "size limit"), "send smaller files"),
    (
        ("unsupported", "mime", "image input", "media type", "modalit"),
        "take a model that reads this type of file, or convert the file",
    ),
    (
        ("safety", "blocked", "content filter", "content policy", "moderation"),
        _CONTENT,
    ),
    (
        ("not found", "no such model", "unknown model", "does not exist", "404", "pull"),
        "check the model's name with `umwelten models list`",
    ),
)
_CLOSED = (
    "region",
    "country",
    "permission",
    "permitted",
    "blocked",
    "not allowed",
    "403",
    "401",
    "data policy",
)
"""Words about models that are there, but not for this account."""
_NOBODY_THERE = ("refused", "connect")
_UNREACHED = (*_NOBODY_THERE, "dns", "tls", "redirect")
"""Codes of `attempts.transport` for an address where no provider answered."""
_BAD_REQUEST_ELSE = "change what the message names: prompt, file, model or parameter"
_TOOL = re.compile(r"\btools?(?:\[|\.\w)")
"""The beginning of a place among the tools, as providers name it: `tools[0].function`, `tools.0.custom`."""


def advice(
    kind: str,
    *,
    message: str = "",
    providers: Iterable[str] = (),
    vendors: Mapping[str, Vendor] = VENDORS,
    code: str | None = None,
    addresses: Mapping[str, str] | None = None,
    spelling: Spelling = by_name,
) -> str:
    """What to do about failures of this kind.

    `message` is an example of the provider's words, `providers` those concerned, `vendors` the known
    ones: pass them with those the user added. `code`: as in `Failure`, where it is known. `addresses`:
    where the user set a provider's address, and to which host, by provider: `OPENAI_BASE_URL (gpu:80)`.
    """
    known = _ADVICE.get(kind, "look at the provider's message")
    names = tuple(dict.fromkeys(providers))
    own = {name: addresses[name] for name in names if name in addresses} if addresses else {}
    unreached = code in _UNREACHED
    if code == "proxy":
        return "check the proxy that the message names, or exempt the address from it with NO_PROXY"
    if code == ADDRESS and (own or kind == "unavailable"):
        return _check_address(names, vendors, own)
    if kind in ("unavailable", "connection") and own and unreached:
        nobody = " and that a server is running there" if code in _NOBODY_THERE else ""
        return f"check the address in {_one_of(list(own.values()))}{nobody}"
    if kind == "unavailable":
        # Where nobody answered, the words are ours and name a host, which may be called anything.
        return _unavailable(names, vendors, "" if unreached else message, own)
    if kind == "connection" and own:
        known = Phrase(
            "check the address in {addresses} and connectivity, lower {option:max_concurrency}",
            addresses=_one_of(list(own.values())),
        )
    if code == EXHAUSTED_CODE:
        return spell(_EXHAUSTED, spelling)
    if kind == "schema" and CUT in message:
        known = _CUT_OFF
    if kind == "tools" and code == STOPPED_CODE:
        return "the message says why; `umwelten eval show` has each step"
    if kind == "bad_request":
        return _OURS.get(code or "") or spell(_bad_request(message.lower(), code), spelling)
    return spell(known, spelling)


def advice_on_model(name: str, message: str, vendors: Mapping[str, Vendor] = VENDORS) -> str:
    """What to do about a model that refuses every call. `name` is `provider:model`."""
    provider, _, model = name.partition(":")
    listing = f"`umwelten models list -p {provider}`"
    if any(word in message.lower() for word in _CLOSED):
        return f"allow the model for your account or project at the provider, or take another: {listing}"
    if _TOOL.search(message):
        return "change the tool that the message names, or take another model"
    row = vendors.get(provider)
    prices = "" if row is None else row.price_list or ""
    known = [each.id for each in listed.models(prices, time.time())]
    nearest = None if model in known else closest(model, known)
    return f"check the model's name with {listing}{did_you_mean_clause(nearest, provider + ':{}')}"


def _check_address(names: tuple[str, ...], vendors: Mapping[str, Vendor], own: Mapping[str, str]) -> str:
    rows = [vendors[name] for name in names if name in vendors]
    where = [*own.values()] or [variable for row in rows for variable in row.base_url_env]
    end = "; most end in /v1" if any(row.wire == "openai" for row in rows) else ""
    return f"check the address in {_one_of(where)}: the API is not at this path{end}"


def queues(providers: Collection[str], vendors: Mapping[str, Vendor]) -> bool:
    """Whether only servers of one's own were asked: several calls at a time slow each other down there."""
    return bool(providers) and all(
        name in vendors and vendors[name].scope is Scope.HOST for name in providers
    )


def says_itself(failure: Failure) -> bool:
    """Whether a call failed before it was sent: then the message tells what to do about its file or row."""
    return failure.code == "unsupported_input"


def _bad_request(message: str, code: str | None) -> Wording:
    if code == BLOCKED.code:
        return _CONTENT
    for words, text in _BAD_REQUEST:
        if any(word in message for word in words):
            return text
    option = next((option for field, option in _OPTIONS.items() if re.search(rf"\b{field}\b", message)), None)
    if option is None:
        return _BAD_REQUEST_ELSE
    return Phrase("correct {option:{refused}} as the message says", refused=option)


def _unavailable(
    providers: tuple[str, ...], vendors: Mapping[str, Vendor], message: str, own: Mapping[str, str]
) -> str:
    rows = [vendors[name] for name in providers if name in vendors]
    refused = any(word in message.lower() for word in ("401", "403", "key", "unauthorized", "forbidden"))
    keys = [variable for row in rows if row.key_required or refused for variable in row.key_env]
    hosts = [row for row in rows if row.scope is Scope.HOST and not refused]
    addresses = [variable for row in hosts if row.name not in own for variable in row.base_url_env]
    addresses += own.values()
    parts = ["check that the server is running" if hosts and not keys else "check the provider's status"]
    if keys or not hosts:
        parts.append(f"the API key in {_one_of(keys)}" if keys else "your API key")
    if addresses:
        parts.append(f"the address in {_one_of(addresses)}")
    if any(word in message.lower() for word in ("quota", "credit", "billing", "402", "balance")):
        parts.append("credit and quota")
    return _and(parts)


def _one_of(names: list[str]) -> str:
    return " or ".join(dict.fromkeys(names))


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
