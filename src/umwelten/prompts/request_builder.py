"""What is asked: the prompt with an input's content and the attachments, for one model."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec

from umwelten.errors import UsageError
from umwelten.identity import call_key, settings_hash
from umwelten.prompts.template import Template
from umwelten.prompts.token_estimates import MOST_MEDIA_TOKENS, is_picture, most_tokens, text_tokens
from umwelten.types import Media, Message, ModelRef, Part, Request, RequestSettings, Role, Text

_MEDIA_TOKENS = 1_000
"""A rough size of one image; providers count between 85 and 3,000."""


_WITHOUT_INPUTS = ("content", "answer", "file.", "row.")


class RequestBuilder:
    """The settings that all calls of an evaluation share, ready to make requests from.

    `attached` are the parts of the attachments, sent with every call.
    """

    def __init__(self, settings: RequestSettings, *, attached: tuple[Part, ...] = ()) -> None:
        self.settings = settings
        prompts = settings.prompts
        self._templates = {prompt.name: Template(prompt.text) for prompt in prompts}
        # What a prompt says where nothing is filled in: as it is where it has places for something.
        self._plain = {
            name: Text(text=template.text if template.names else template.render({}))
            for name, template in self._templates.items()
        }
        self._attached = attached
        places = [t.places.count(name) for t in self._templates.values() for name in t.names]
        self._times = max([1, *places])
        self._hashes = {prompt.name: settings_hash(settings, prompt.text) for prompt in prompts}
        texts = [settings.system or "", *(part.text for part in attached if isinstance(part, Text))]
        form = 0 if settings.schema is None else len(msgspec.json.encode(settings.schema.json))
        self._fixed = {p.name: len(p.text) + sum(map(len, texts)) + form for p in prompts}
        self._pictures = sum(1 for part in attached if isinstance(part, Media))
        longest = max(len(prompt.text.encode()) for prompt in prompts)
        self._most_bytes = longest + form + sum(len(text.encode()) for text in texts)

    def check(self, known: Collection[str], columns: tuple[str, ...] | None) -> None:
        """Raises `UsageError` for placeholders that no input gives. `known` empty: there are no inputs."""
        for template in self._templates.values():
            if known or columns:
                template.check(known, columns)
                continue
            ours = [name for name in template.names if name.startswith(_WITHOUT_INPUTS)]
            if ours:
                raise UsageError(
                    f"the prompt has {{{{{ours[0]}}}}}, and there is no input to take it from",
                    f"eval batch fills it in; for the words themselves write \\{{{{{ours[0]}}}}}.",
                )

    def bare(self, prompt: str = "") -> bool:
        """Whether the prompt says where the content goes: it is then inserted as it is, without a frame."""
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
        turns: tuple[Message, ...] = (),
    ) -> Request:
        """The question to one model about one input's content. Media come before words.

        `values` fill the placeholders; `attached` are the attachments as this model takes them, where that
        differs; `turns` are what was said after the question.
        """
        attached = self._attached if attached is None else attached
        template = self._templates[prompt]
        words = [part for part in content if isinstance(part, Text)]
        media = [part for part in (*content, *attached) if isinstance(part, Media)]
        asked = self._plain[prompt]
        if template.names and values is not None:
            whole = "\n\n".join(part.text for part in words) or " ".join(f"[{part.name}]" for part in media)
            asked = Text(text=template.render({"content": whole, **values}))
            if template.uses("content") or template.uses("row.") or template.uses("answer"):
                words = []
        words += [part for part in attached if isinstance(part, Text)]
        question = Message(role=Role.USER, parts=(*media, asked, *words))
        return Request(
            model=model,
            messages=(question, *turns),
            system=self.settings.system,
            parameters=self.settings.parameters,
            stream=stream,
            schema=self.settings.schema,
        )

    def key(self, model: ModelRef, content: bytes, repeat: int, prompt: str = "") -> str:
        """The call's identity; `content` is the hash of the input's bytes."""
        return call_key(settings=self._hashes[prompt], model=model, content=content, repeat=repeat)

    def most_tokens(self, file_bytes: int, name: str, turns: tuple[Message, ...] = ()) -> int:
        """A bound of the tokens that a request about such an input sends, with the turns that follow it."""
        said = sum(most_tokens(len(text.encode())) for text in _texts(turns))
        return self.most_fixed_tokens() + self._times * most_tokens(file_bytes, name) + said

    def most_fixed_tokens(self) -> int:
        """Tokens that every call sends besides its input: a bound, where `input_tokens` is a mean."""
        return most_tokens(self._most_bytes) + self._pictures * MOST_MEDIA_TOKENS

    def input_tokens(
        self,
        file_bytes: int = 0,
        name: str = "",
        prompt: str | None = None,
        turns: tuple[Message, ...] = (),
    ) -> int:
        """A rough count of the tokens that a request about an input of that size and name sends."""
        said = sum(map(len, _texts(turns))) // 4
        return sum(self.content_tokens(file_bytes, name, prompt)) + said

    def content_tokens(
        self, file_bytes: int = 0, name: str = "", prompt: str | None = None
    ) -> tuple[int, int]:
        """The same by type of content: (words, pictures). `prompt` None: the mean of all prompts.

        The name's ending alone tells words from pictures here: nothing is read for an estimate.
        """
        fixed = sum(self._fixed.values()) // len(self._fixed) if prompt is None else self._fixed[prompt]
        if is_picture(name):
            return fixed // 4 + 8, (self._pictures + 1) * _MEDIA_TOKENS
        return fixed // 4 + 8 + text_tokens(file_bytes, name), self._pictures * _MEDIA_TOKENS


def _texts(turns: tuple[Message, ...]) -> Iterator[str]:
    return (part.text for turn in turns for part in turn.parts if isinstance(part, Text))
