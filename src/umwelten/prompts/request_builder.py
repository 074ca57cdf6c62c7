"""Requests to models: the prompt with an input's content and the attachments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from umwelten.errors import UsageError
from umwelten.identity import call_key, settings_hash
from umwelten.prompts.messages import in_one_text, messages_of
from umwelten.prompts.template import (
    EXPECTED,
    FIRST,
    INPUT,
    PROMPT,
    ROW,
    SECOND,
    Template,
    content_text,
)
from umwelten.prompts.token_estimates import (
    MOST_MEDIA_TOKENS,
    InputSize,
    is_picture,
    most_tokens,
    text_tokens,
)
from umwelten.prompts.tool_turns import NextRequest, next_request
from umwelten.tool_calls import ModelTurn, ToolSettings
from umwelten.types import (
    Media,
    Message,
    ModelRef,
    Part,
    Request,
    RequestSettings,
    Role,
    RowUse,
    Text,
    Turn,
)

_MEDIA_TOKENS = 1_000
"""Estimated tokens of one image; providers count between 85 and 3,000."""

_MESSAGE_BYTES = 16
"""Bytes for which an upper bound takes the role markers of a further message: four to eight tokens."""

_NO_INPUT = InputSize()
_INPUT_PLACEHOLDERS = ("content", "answer", "file.", "row.")


class RequestBuilder:
    """Builds the requests of an evaluation from the settings that its calls share.

    `attached` are the parts of the attachments, which are sent with every call; `added_bytes` is the size of
    what else is put into the prompts, at most.
    """

    def __init__(
        self, settings: RequestSettings, *, attached: tuple[Part, ...] = (), added_bytes: int = 0
    ) -> None:
        self.settings = settings
        prompts = settings.prompts
        self._templates = {prompt.name: Template(prompt.text) for prompt in prompts}
        # The prompts of calls without values: those with placeholders as they are, the rest unescaped.
        self._plain = {
            name: messages_of(template.text) if template.names else template.messages({})
            for name, template in self._templates.items()
        }
        self._row_uses = {prompt.name: row_use(settings, prompt.text) for prompt in prompts}
        self._attached = attached
        self._by_variant = {
            one: settings.of(ModelRef("", "", one)) for one in ("", *(v.name for v in settings.variants))
        }
        self._times = max([1, *map(_times, self._templates.values())])
        self._hashes = {
            (variant, prompt.name): settings_hash(own, prompt.text)
            for variant, own in self._by_variant.items()
            for prompt in prompts
        }
        texts = [part.text for part in attached if isinstance(part, Text)]
        self._tools_size = 0 if settings.tools is None else _size_of_tools(settings.tools)
        schema_size = 0 if settings.schema is None else len(msgspec.json.encode(settings.schema.json))
        declared = schema_size + self._tools_size + added_bytes
        systems = {variant: own.system or "" for variant, own in self._by_variant.items()}
        self._fixed = {
            variant: {p.name: len(p.text) + len(system) + sum(map(len, texts)) + declared for p in prompts}
            for variant, system in systems.items()
        }
        self._pictures = sum(1 for part in attached if isinstance(part, Media))
        longest = max(
            len(one.text.encode()) + _MESSAGE_BYTES * (len(messages_of(one.text)) - 1) for one in prompts
        )
        longest += max(len(system.encode()) for system in systems.values())
        self._most_bytes = longest + declared + sum(len(text.encode()) for text in texts)

    def check(self, known: Collection[str], columns: tuple[str, ...] | None) -> None:
        """Raise `UsageError` for placeholders without a value. An empty `known` means there are no inputs."""
        for template in self._templates.values():
            if known or columns:
                template.check(known, columns)
                continue
            unfilled = [name for name in template.names if name.startswith(_INPUT_PLACEHOLDERS)]
            if unfilled:
                raise UsageError(
                    f"the prompt has {{{{{unfilled[0]}}}}}, but there is no input to fill it in from",
                    f"eval batch fills it in; for the literal text write \\{{{{{unfilled[0]}}}}}.",
                )

    @property
    def json_paths(self) -> tuple[str, ...]:
        """The paths in `{{json.…}}` of all prompts, each once."""
        paths = (path for template in self._templates.values() for path in template.json_paths)
        return tuple(dict.fromkeys(paths))

    def places(self, prompt: str = "") -> tuple[str, ...]:
        """Return the names of the prompt's placeholders, each once."""
        return self._templates[prompt].names

    def row_use(self, prompt: str = "") -> RowUse:
        """Return what the prompt uses of a row."""
        return self._row_uses[prompt]

    def bare(self, prompt: str = "") -> bool:
        """Return whether the prompt has `{{content}}`; the content is then inserted without its frame."""
        return "content" in self._templates[prompt].names

    def request(
        self,
        model: ModelRef,
        content: tuple[Part, ...],
        *,
        stream: bool,
        prompt: str = "",
        values: Mapping[str, str] | None = None,
        attached: tuple[Part, ...] | None = None,
        turns: tuple[Turn, ...] = (),
    ) -> Request:
        """Return the request to a model about an input's content. Media come before text.

        `values` fill the placeholders; `attached` are the attachments in the form that this model accepts,
        if that differs; `turns` are messages after the question. Of a prompt of several messages, the last
        one is the question: media and what the prompt has no place for stand in it.
        """
        attached = self._attached if attached is None else attached
        template = self._templates[prompt]
        texts = [part for part in content if isinstance(part, Text)]
        media = [part for part in (*content, *attached) if isinstance(part, Media)]
        messages = self._plain[prompt]
        if template.names and values is not None:
            joined = content_text((part.text for part in texts), (part.name for part in media))
            messages = template.messages({"content": joined, **values})
            if template.places_input:
                texts = []
        texts += [part for part in attached if isinstance(part, Text)]
        before = (Message(role=role, parts=(Text(text=words),)) for role, words in messages[:-1])
        question = Message(role=Role.USER, parts=(*media, Text(text=messages[-1][1]), *texts))
        own, tools = self._by_variant[model.variant], self.settings.tools
        following = NextRequest(turns, (), "auto") if tools is None else next_request(turns, tools)
        return Request(
            model=model,
            messages=(*before, question, *following.turns),
            system=own.system,
            parameters=own.parameters,
            stream=stream,
            schema=self.settings.schema,
            tools=following.tools,
            tool_choice=following.choice,
        )

    def pieces(
        self,
        content: tuple[Part, ...],
        *,
        prompt: str = "",
        values: Mapping[str, str] | None = None,
        attached: tuple[Part, ...] = (),
    ) -> tuple[list[str], list[str]]:
        """Return the texts of the question that `request` asks: of the prompt, and of the input after it.

        The prompt's come in pieces: its own text and the values filled in, in turn. Several messages are one
        text, each after its role.
        """
        template = self._templates[prompt]
        texts = [part.text for part in content if isinstance(part, Text)]
        if not template.names or values is None:
            return [in_one_text(self._plain[prompt])], texts
        if "content" in template.names:
            media = [part.name for part in (*content, *attached) if isinstance(part, Media)]
            values = {"content": content_text(texts, media), **values}
        filled = template.filled(values)
        return filled, [] if template.places_input else texts

    def key(self, model: ModelRef, content: bytes, repeat: int, prompt: str = "") -> str:
        """Return the call's identity; `content` is the hash of the input's bytes."""
        return call_key(
            settings=self._hashes[model.variant, prompt], model=model, content=content, repeat=repeat
        )

    def most_tokens(self, size: InputSize, turns: tuple[Turn, ...] = ()) -> int:
        """Return an upper bound of the tokens of a request about such an input, its turns included."""
        before, after = _counted(turns)
        turn_tokens = sum(most_tokens(len(text.encode())) for text in _turn_texts(after))
        if before is not None:
            return before + turn_tokens
        file, text = most_tokens(size.file_bytes, size.name), most_tokens(size.text_bytes)
        if not size.text_bytes:
            sent = self._times * file
        elif is_picture(size.name):
            sent = self._times * text + file  # however often it is named, it is sent once
        else:
            sent = self._times * (text + file)
        return self.most_fixed_tokens() + sent + turn_tokens

    def most_fixed_tokens(self) -> int:
        """Return an upper bound of the tokens that every call sends besides its input."""
        return most_tokens(self._most_bytes) + self._pictures * MOST_MEDIA_TOKENS

    def input_tokens(
        self,
        size: InputSize = _NO_INPUT,
        prompt: str | None = None,
        turns: tuple[Turn, ...] = (),
        variant: str = "",
    ) -> int:
        """Return an estimate of the tokens of a request about an input of that size."""
        before, after = _counted(turns)
        turn_tokens = sum(map(len, _turn_texts(after))) // 4
        if before is not None:
            return before + turn_tokens
        return sum(self.content_tokens(size, prompt, variant)) + turn_tokens

    def content_tokens(
        self, size: InputSize = _NO_INPUT, prompt: str | None = None, variant: str = ""
    ) -> tuple[int, int]:
        """Return `input_tokens` by type of content: (text, images).

        With `prompt` `None` they are the mean of all prompts. The type is taken from the name's extension:
        nothing is read for an estimate.
        """
        by_prompt = self._fixed[variant]
        fixed = sum(by_prompt.values()) // len(by_prompt) if prompt is None else by_prompt[prompt]
        words = fixed // 4 + 8 + text_tokens(size.text_bytes, "")
        if is_picture(size.name):
            return words, (self._pictures + 1) * _MEDIA_TOKENS
        return words + text_tokens(size.file_bytes, size.name), self._pictures * _MEDIA_TOKENS


def is_nameless(prompt: str) -> bool:
    """Return whether the questions of a prompt about a row or an answer do without its name."""
    template = Template(prompt)
    return template.places_input and not template.uses("file.")


def row_use(settings: RequestSettings, prompt: str) -> RowUse:
    """Return what a prompt with this text uses of a row: the columns it names, or the whole row."""
    template = Template(prompt)
    if settings.source in ("answers", "pairs"):
        return RowUse(rule=settings.row_rule, chained=template.chained)
    whole = "content" in template.names or not template.columns
    return RowUse(rule=settings.row_rule, columns=None if whole else template.columns)


def _times(template: Template) -> int:
    """Return how often a prompt inserts its input at most. Two columns are two parts of it."""
    if FIRST in template.names or SECOND in template.names:
        return _times_of_pair(template)
    most: dict[str, int] = {}
    for name in template.names:
        kind = name.partition(".")[0]
        if kind != "file":
            most[kind] = max(most.get(kind, 0), template.places.count(name))
    return sum(most.values())


def _times_of_pair(template: Template) -> int:
    """Do as `_times` does for pairs, whose size counts the parts of their placeholders each for itself."""
    own = max(template.places.count(name) for name in (FIRST, SECOND, EXPECTED))
    asked = (name for name in template.places if name in (PROMPT, INPUT) or name.startswith(ROW))
    return max(own, sum(1 for _ in asked))


def _counted(turns: tuple[Turn, ...]) -> tuple[int | None, tuple[Turn, ...]]:
    """Return the tokens up to the last turn that the provider counted, and the turns after it."""
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        if isinstance(turn, ModelTurn) and turn.context_tokens is not None:
            return turn.context_tokens, turns[place + 1 :]
    return None, turns


def _size_of_tools(settings: ToolSettings) -> int:
    """Return the bytes in which tools are declared, which are about a character each."""
    return sum(len(msgspec.json.encode(tool.definition)) for tool in settings.tools)


def _turn_texts(turns: tuple[Turn, ...]) -> Iterator[str]:
    for turn in turns:
        if isinstance(turn, Message):
            yield from (part.text for part in turn.parts if isinstance(part, Text))
        elif isinstance(turn, ModelTurn):
            yield turn.raw.decode("utf-8", "replace")
        else:
            yield from (result.text for result in turn.results)
            yield turn.note
