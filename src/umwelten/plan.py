"""What is asked: the prompt with a file's content and the attachments, for one model."""

from __future__ import annotations

from umwelten.identity import call_key, settings_hash
from umwelten.types import Media, ModelRef, Parameters, Part, Request, Text

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
_MEDIA_TOKENS = 1_000
"""A rough size of one image; providers count between 85 and 3,000."""

_MOST_MEDIA_TOKENS = 3_000
_LEAST_BYTES_PER_TOKEN = 2
_FRAME_TOKENS = 64
"""Role marks and the like, and the words around a file's text."""


def is_picture(name: str) -> bool:
    """Whether a file of that name is taken for a picture where it is not read."""
    return name.lower().endswith(_PICTURES)


def most_tokens(file_bytes: int, name: str = "") -> int:
    """A bound of the tokens of a file: English text has 4 bytes a token, code 3, Chinese 2 to 3."""
    if is_picture(name):
        return _MOST_MEDIA_TOKENS + _FRAME_TOKENS
    return -(-file_bytes // _LEAST_BYTES_PER_TOKEN) + _FRAME_TOKENS


class Plan:
    """The settings that all calls of an evaluation share, ready to make requests from.

    `attachments` are (name, content hash, parts), sent with every call.
    """

    def __init__(
        self,
        *,
        prompt: str,
        system: str | None = None,
        parameters: Parameters | None = None,
        attachments: tuple[tuple[str, bytes, tuple[Part, ...]], ...] = (),
    ) -> None:
        self.prompt = prompt
        self.system = system
        self.parameters = parameters or Parameters()
        self.attachments = attachments
        self._attached = tuple(part for _, _, parts in attachments for part in parts)
        self.settings = settings_hash(
            prompt=prompt,
            system=system,
            parameters=self.parameters,
            schema=None,
            attachments=[digest for _, digest, _ in attachments],
        )

    def request(self, model: ModelRef, content: tuple[Part, ...], *, stream: bool) -> Request:
        """The question to one model about one file's content. Pictures come before words."""
        parts = (*content, *self._attached)
        media = tuple(part for part in parts if isinstance(part, Media))
        words = tuple(part for part in parts if isinstance(part, Text))
        return Request(
            model=model,
            parts=(*media, Text(text=self.prompt), *words),
            system=self.system,
            parameters=self.parameters,
            stream=stream,
        )

    def key(self, model: ModelRef, content: bytes, repeat: int) -> str:
        """The call's identity; `content` is the hash of the file's bytes."""
        return call_key(settings=self.settings, model=model, content=content, repeat=repeat)

    def most_fixed_tokens(self) -> int:
        """Tokens that every call sends besides its file: a bound, where `input_tokens` is a mean."""
        texts = [self.prompt, self.system or ""]
        texts += [part.text for part in self._attached if isinstance(part, Text)]
        pictures = sum(1 for part in self._attached if isinstance(part, Media))
        return most_tokens(sum(len(text.encode()) for text in texts)) + pictures * _MOST_MEDIA_TOKENS

    def input_tokens(self, file_bytes: int = 0, name: str = "") -> int:
        """A rough count of the tokens that a call about a file of that size and name sends."""
        return sum(self.content_tokens(file_bytes, name))

    def content_tokens(self, file_bytes: int = 0, name: str = "") -> tuple[int, int]:
        """The same by type of content: (words, pictures).

        The name's ending alone tells words from pictures here: nothing is read for an estimate.
        """
        fixed = len(self.prompt) + len(self.system or "")
        attached = sum(len(part.text) for part in self._attached if isinstance(part, Text))
        pictures = sum(1 for part in self._attached if isinstance(part, Media))
        if is_picture(name):
            pictures, file_bytes = pictures + 1, 0
        return (fixed + attached + file_bytes) // 4 + 8, pictures * _MEDIA_TOKENS
