"""Find the optional request field that a refusal blames, under its name in `Parameters`.

Providers name it in a field of the error, or in words of their own. A name in words counts only next to words
that refuse it, and only if it is quoted, announced ("parameter x") or known: a message may mention fields for
other reasons, such as a prompt that is too long for `max_tokens`.
"""

from __future__ import annotations

import re

from umwelten.providers.common.bodies import ErrorBody, root_field

SCHEMA = "schema"
"""Our name of the field that carries the schema."""

SYSTEM = "system"
"""Our name of the system message, wherever a wire puts it."""

STREAM = "stream"
"""Our name of the way in which the answer comes. "Dropped", it is asked for the other way round."""

API = "api"
"""Our name of the API of a provider that has several. "Dropped", the other one is asked."""

_ALIASES = {
    "max_tokens": ("max_completion_tokens", "max_output_tokens", "num_predict", "max_new_tokens"),
    "seed": ("random_seed",),
    "stop": ("stop_sequences",),
    "stream_options": ("include_usage",),
    SCHEMA: (
        "response_format",
        "response_schema",
        "response_json_schema",
        "response_mime_type",
        "format",
        "guided_json",
    ),
    SYSTEM: ("system_instruction", "system_prompt"),
}
# Fields that users send with `--param`, or that our wires send themselves.
_OTHERS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning",
    "reasoning_effort",
    "thinking",
    "thinking_config",
    "thinking_budget",
    "enable_thinking",
    "think",
    "verbosity",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "service_tier",
    "cache_control",
    "prompt_cache_key",
    "safety_settings",
    "chat_template_kwargs",
    "modalities",
    "metadata",
    "store",
    "user",
    "stream",
)


def _squash(name: str) -> str:
    """Return a name as all spellings have it: `presencePenalty`, `presence_penalty`, "presence penalty"."""
    return re.sub(r"[ _-]", "", name).lower()


_OURS = {
    _squash(name): ours
    for ours, names in (*_ALIASES.items(), *((name, ()) for name in _OTHERS))
    for name in (ours, *names)
}
# Words of every message: they name a field only in quotes, or after "parameter".
_COMMON = frozenset(
    ("format", "metadata", "n", "reasoning", "schema", "store", "stream", "system", "think", "user", "tools")
)
# Without these there is nothing left to send.
_REQUIRED = frozenset(
    ("model", "messages", "message", "input", "contents", "content", "prompt", "role", "request")
)
# Parts of a message, which cannot be left out either.
_PARTS = frozenset(
    ("type", "text", "image", "image_url", "input_audio", "audio", "file", "video_url", "video", "document")
)
# How providers name a schema that they do not accept, whatever field it came in.
_SCHEMA = re.compile(
    r"response[_ ]?format|json[_ ]?schema|response[_ ]?(json[_ ]?)?schema|response[_ ]?mime[_ ]?type"
    r"|structured[_ ]outputs?|json mode|controlled generation|the specified schema"
    r"|parse grammar|invalid grammar"
)

# --- the system message, and the stream ------------------------------------------------------

_Q = r"['\"`]?"
_NOT_TAKEN = (
    r"(?:not|n't|un|in|no longer|never) ?(?:currently |yet )?(?:be )?"
    r"(?:support|enabl|allow|permit|accept|availabl|recogni[sz]|implement|valid|known|expected)"
)
_SYSTEM_NAMED = rf"(?:system|developer){_Q} (?:role|messages?|prompts?|instructions?)"
_SYSTEM_REFUSED = re.compile(
    rf"{_SYSTEM_NAMED}\b[^.;]{{0,30}}? {_NOT_TAKEN}"
    rf"|(?:not|n't) (?:support|accept|allow|have) (?:a |the |any |use of )?"
    rf"(?:{_SYSTEM_NAMED}|['\"`]system['\"`])"
    rf"|only {_Q}user\b(?:(?!system|developer)[^.;]){{0,40}}\broles? "
    r"(?:is|are) (?:supported|allowed|accepted)"
    r"|(?<!optional system message, )conversation roles must alternate"
    r"|(?:invalid|unsupported|unknown|unexpected|unrecogni[sz]ed|illegal) (?:message )?(?:role|variant)"
    r"\W{1,4}system\b"
    rf"|\broles?\W{{1,4}}system\W{{1,4}}(?:is |was )?{_NOT_TAKEN}"
    r"|['\"`]system['\"`] is not one of|不支持的?\W{0,3}(?:message )?role\W{1,4}system"
)
_STREAMS = rf"\bstream(?:ing)?\b(?![ _]?options?){_Q}"
_STREAM_REFUSED = re.compile(
    r"verified to stream"
    rf"|{_STREAMS}(?: ?[=:]? ?true)?(?: mode| responses?| requests?| output| parameter)?"
    rf" (?:is |are |was |can |may |does )?(?:be )?(?:currently )?{_NOT_TAKEN}"
    rf"|(?:not|n't|cannot|no) (?:currently )?(?:support|allow|accept)s? (?:for )?{_Q}{_STREAMS}"
    rf"|{_STREAMS}(?: mode| parameter)? (?:must|should|has to) be (?:set to )?(?:true|false|enabled|disabled)"
    rf"|(?:must|should) (?:have|set|use) {_Q}stream{_Q} ?[=:] ?(?:true|false)"
    rf"|{_STREAMS} is (?:required|disabled|forbidden)"
    # The other way round: nothing but streams.
    r"|only (?:be )?(?:support|accept|allow|availabl|call)\w* (?:in |with |the |as |a |non-?)*"
    rf"{_Q}{_STREAMS}"
    r"|non-?stream(?:ing)?(?: mode| calls?| requests?| output| responses?)? (?:is|are) not"
    r"|set to false for non-?stream"
    rf"|(?:enable|disable|set) (?:the )?{_Q}{_STREAMS}"
    rf"|requires? {_Q}{_STREAMS}"
)

# --- all other fields ------------------------------------------------------------------------

_NOUN = (
    r"(?:request |body |query |top-level |keyword |input |inference )*"
    r"(?:parameter|param|field|argument|arg|property|option|setting)(?:s|\(s\)|ies)?"
)
# Longest first: "stop" is the beginning of "stop_sequences".
_SPELLINGS = sorted(
    {name.replace("_", "[ _-]?") for name in (*_OTHERS, *_ALIASES, *sum(_ALIASES.values(), ()))} - _COMMON,
    key=lambda name: (-len(name), name),
)
_NAME = r"[A-Za-z_]\w{0,60}(?:\.\w{1,60}|\[\d{0,3}\]){0,5}"
_QUOTED = rf"(?<!model )[`'\"\[({{]{{1,3}}({_NAME})[`'\"\])}}:]{{1,3}}"
_FIELD = rf"(?:{_QUOTED}|\b({'|'.join(_SPELLINGS)})\b)"
# After "parameter" it may be any word but those that go on with the sentence.
_ANNOUNCED = (
    rf"(?:{_QUOTED}|\b(?!(?:a|an|and|are|as|at|by|for|from|has|have|in|is|it|must|not|of|on|or|that|the|this|to"
    rf"|value|values|was|were|when|which|with|you|your)\b)({_NAME})(?![\w-]))"
)
_BAD = (
    r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|unpermitted|extraneous|extra|additional|illegal"
    r"|disallowed|forbidden|deprecated|unavailable|not supported|not allowed|invalid)"
)
_IS = r"(?:(?:is|are|was|were|has been|have been|does|do|can|could|may|must|should|values?|currently)\s+)*"
_REFUSED = (
    rf"{_IS}(?:(?:not|no longer|never|cannot|can't|isn't|aren't|doesn't|don't)\s+"
    r"(?:currently\s+|yet\s+|longer\s+|be\s+)*"
    r"(?:support(?:ed)?|accept(?:ed)?|allow(?:ed)?|permit(?:ted)?|recogni[sz]ed?|enabled|implemented|available"
    r"|compatible|used)"
    r"|unsupported|deprecated|disabled|forbidden|prohibited|disallowed|unavailable|unrecogni[sz]ed|unexpected"
    r"|(?:cannot|can't|must not|may not|should not)\s+be\s+(?:set|specified|provided|sent|passed|changed)"
    r"|may only be set to|must be unset"
    r"|must be (?:exactly |set to |equal to )?[\d.]+(?!\S*\s*(?:or|to|and|-)\b)"
    rf"|not a (?:valid|known|supported|recogni[sz]ed) {_NOUN})"
)
_TAKEN = r"(?:is|are)\s+(?:allowed|supported|permitted|accepted)"
_ONLY = rf"only\s+(?:the\s+)?(?:default|[\w.]+)(?:\s+\(\S{{1,20}}\))?(?:\s+value)?\s+{_TAKEN}"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # unsupported parameter(s): x
        rf"\b{_BAD}\s+{_NOUN}(?:\s+(?:names?|supplied|provided|received|passed|found|used))*\s*:\s*"
        rf"(?:{_NOUN}\s*:?\s*)?{_ANNOUNCED}",
        rf"\b{_BAD}\s+(?:{_NOUN}|key|name)(?:\s+names?)?\s+{_FIELD}",
        rf"\b(?:unsupported|not supported) values?\s*:\s*{_FIELD}",
        # x is not supported
        rf"\b{_NOUN}\s*:?\s+(?:name\s+)?{_ANNOUNCED}\s*:?\s+{_REFUSED}",
        rf"{_FIELD}\s*:?\s+(?:{_NOUN}\s+)?{_REFUSED}",
        rf"{_FIELD}\s*:\s*{_BAD}\s+{_NOUN}",
        # does not support x
        r"(?:\bnot|n't|\bcannot)\s+(?:currently\s+)?(?:support|accept|allow|take|recogni[sz]e|permit)\s+"
        r"(?:(?:the|this|that|a|any|custom|non-default|specifying|setting|using|use of|values? (?:for|of)"
        rf"|following|{_NOUN}):?\s+)*{_FIELD}",
        rf"(?:\bnot|n't)\s+support\s+(?:the\s+)?{_NOUN}:?\s+{_ANNOUNCED}",
        rf"\b{_NOUN}\s+(?:is |are )?not supported[^:.]{{0,60}}:\s*{_ANNOUNCED}",
        rf"\b(?:is|are) not supported\s*:\s*{_FIELD}",
        # x: extra inputs are not permitted
        rf"({_NAME})\s*(?::|->)?\s*extra (?:inputs|fields|properties)(?: are)? not (?:permitted|allowed)",
        rf"\({_QUOTED}(?:,\s*{_QUOTED})*\s*(?:was|were) unexpected",
        # x: only 1 is allowed
        rf"{_FIELD}\s*:?\s+{_ONLY}",
        rf"{_ONLY}\s+(?:for|as)\s+(?:the\s+)?(?:{_NOUN}\s+)?{_FIELD}",
        rf"\b(?:remove|omit|unset) (?:the )?(?:{_NOUN} )?{_QUOTED}",
        rf"\b(?:cannot|can't|must not|may not) (?:set|specify|send|pass|provide|use) (?:the )?"
        rf"(?:{_NOUN} )?{_FIELD}",
        rf"不支持(?:的)?(?:参数|字段)?[:： ]*(?:{_FIELD}|({_NAME}))",
        rf"(?:{_FIELD}|({_NAME}))\s*(?:参数|字段)?\s*(?:暂)?不(?:被)?支持",
    )
)
# Two that exclude each other.
_EXCLUSIVE = re.compile(
    rf"{_FIELD}\s*(?:and|or|with|,)\s+{_FIELD}[^.]{{0,40}}?(?:cannot both|can't both|not both"
    r"|mutually exclusive|at the same time|cannot be (?:used|specified|set) together|only one)"
    rf"|(?:not|n't|only) (?:one of|both|specify both|set both)\s+(?:of\s+)?{_FIELD}\s+(?:and|or)\s+{_FIELD}",
    re.IGNORECASE,
)
# A part of a message, which cannot be left out.
_IN_MESSAGE = re.compile(r"\b(?:messages|contents)[.\[]\d")
# A value out of range is for the user to correct: the default would silently change what was asked for.
_OUT_OF_RANGE = re.compile(
    r"(above|below)_m(ax|in)|(greater|less)[_ ]than|too (large|small|high|low|long|many|big)|at (most|least)"
    r"|(must|should) be (between|in\b|an?\b|one of|less|greater|positive|non-?negative|within|of type|[<>≤≥])"
    r"|out of range|exceeds?\b|maximum|minimum|expected an?\b|invalid[_ ]type|_type\b|_parsing\b"
)


def refused_parameter(error: ErrorBody) -> str | None:
    """Return the optional field that the provider does not support, or `None`; of several, the first.

    It is `None` for a required field, and for a value that is only out of range.
    """
    special = refused_way(error)
    if special is not None:
        return special
    if is_about_schema(error):
        return SCHEMA
    if _OUT_OF_RANGE.search(error.words) and not _is_unambiguous(error):
        return None
    if _IN_MESSAGE.search(error.message):
        return None
    found = error.names or _names_in_message(error.message)
    ours = [canonical_name(name) for name in found if not name.isdigit()]
    return None if not ours or not (_REQUIRED | _PARTS).isdisjoint(ours) else ours[0]


def refused_way(error: ErrorBody) -> str | None:
    """Return "system" or "stream" if the provider takes no system message, or answers only the other way."""
    # Not its type or code: "… the stream" before "invalid_request_error" would be refused.
    words = error.message.lower()
    if _SYSTEM_REFUSED.search(words):
        return SYSTEM
    return STREAM if _STREAM_REFUSED.search(words) else None


def is_about_schema(error: ErrorBody) -> bool:
    """Return whether a refusal is about the schema: its field, or a part of it."""
    fields = {canonical_name(name) for name in error.names}
    return SCHEMA in fields or (not fields and bool(_SCHEMA.search(error.words)))


def canonical_name(name: str) -> str:
    """Return our name for a field of any wire format; its own name where we have none."""
    top = root_field(name)
    return _OURS.get(_squash(top), top)


def known_name(words: str) -> str | None:
    """Return our name for a field that may be spelled in words, `None` if there is none."""
    return _OURS.get(_squash(words))


def _is_unambiguous(error: ErrorBody) -> bool:
    unambiguous = ("unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden")
    return error.code in unambiguous or error.type in unambiguous


def _names_in_message(message: str) -> tuple[str, ...]:
    message = message[:2000]
    pair = _EXCLUSIVE.search(message)
    if pair is not None:
        # The second goes, or always `top_p`: it is the finer one of the two.
        names = [name for name in pair.groups() if name]
        return (next((name for name in names if canonical_name(name) == "top_p"), names[-1]),)
    matches = (match for pattern in _PATTERNS for match in pattern.finditer(message))
    return next(((name,) for match in matches for name in match.groups() if name), ())
