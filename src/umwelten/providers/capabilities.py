"""The files that models accept, and up to which size: the parts that the rows of `vendors` are made of.

Figures are the vendors' own, as of November 2026, with the source beside each. Where nothing is known,
anything may be sent: the provider will refuse it. What a model certainly rejects is reported before.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from umwelten.types import FrozenStruct

PICTURES = frozenset(("image/jpeg", "image/png", "image/webp", "image/gif"))
JPEG_PNG = frozenset(("image/jpeg", "image/png"))
WAV_MP3 = frozenset(("audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/mp3"))
AUDIO = WAV_MP3 | {
    "audio/aac",
    "audio/aiff",
    "audio/x-aiff",
    "audio/flac",
    "audio/x-flac",
    "audio/ogg",
}
M4A = frozenset(("audio/mp4", "audio/x-m4a"))
MP4 = frozenset(("video/mp4",))
VIDEO = MP4 | {"video/mpeg", "video/quicktime", "video/mov", "video/webm"}
MORE_VIDEO = VIDEO | {
    "video/x-msvideo",
    "video/avi",
    "video/x-flv",
    "video/wmv",
    "video/x-ms-wmv",
    "video/3gpp",
}
ANY_SIDE = 1 << 30


class Capabilities(FrozenStruct):
    """Media that can be sent to a model. Types are MIME types; sizes are bytes before base64.

    `pictures` is empty for a model that is known to accept no images. An image above `picture_bytes`, or
    with a side above `picture_side` pixels, is scaled down first. `pdf`: whole PDF files, up to `pdf_bytes`.
    `inline_bytes`: the limit for one request; `upload`: whether larger files can be uploaded first.
    """

    pictures: frozenset[str] = PICTURES
    picture_bytes: int = 20_000_000
    picture_side: int = 8_000
    pdf: bool = False
    pdf_bytes: int = 32_000_000
    audio: frozenset[str] = frozenset()
    video: frozenset[str] = frozenset()
    inline_bytes: int = 64 << 20
    upload: bool = False


class ModelCapabilities(FrozenStruct):
    """The capabilities of a vendor's models: of the first of `families` that matches the name, else `usual`.

    A family is a regular expression that is searched in the model's name in lower case.
    """

    usual: Capabilities
    families: tuple[tuple[str, Capabilities], ...] = ()

    def of(self, model: str) -> Capabilities:
        """Return the capabilities of a model, by its name at the vendor."""
        name = model.lower()
        return next(
            (capabilities for family, capabilities in self.families if re.search(family, name)), self.usual
        )


class CapabilityOverrides(FrozenStruct):
    """The settings of `[providers.x.capabilities]` for all models of a provider; `None`: not set.

    `images`, `audio`, `video`: none (False), the usual types (True) or exactly these MIME types. Sizes are
    bytes before base64, `image_side` is pixels.
    """

    images: bool | frozenset[str] | None = None
    pdf: bool | None = None
    audio: bool | frozenset[str] | None = None
    video: bool | frozenset[str] | None = None
    image_bytes: int | None = None
    image_side: int | None = None
    pdf_bytes: int | None = None
    request_bytes: int | None = None

    def on(self, known: Capabilities) -> Capabilities:
        """Return a model's known capabilities with the user's settings on top."""
        return Capabilities(
            pictures=_mime_types(self.images, known.pictures, PICTURES),
            picture_bytes=_override(self.image_bytes, known.picture_bytes),
            picture_side=_override(self.image_side, known.picture_side),
            pdf=known.pdf if self.pdf is None else self.pdf,
            pdf_bytes=_override(self.pdf_bytes, known.pdf_bytes),
            audio=_mime_types(self.audio, known.audio, WAV_MP3),
            video=_mime_types(self.video, known.video, MP4),
            inline_bytes=_override(self.request_bytes, known.inline_bytes),
            upload=known.upload,
        )


def _mime_types(
    setting: bool | frozenset[str] | None, known: frozenset[str], usual: frozenset[str]
) -> frozenset[str]:
    if isinstance(setting, frozenset):
        return setting
    if setting is None:
        return known
    return (known or usual) if setting else frozenset()


def _override(setting: int | None, known: int) -> int:
    return known if setting is None else setting


# --- models that accept no images, by their own pages ------------------------------------------

NOTHING = Capabilities(pictures=frozenset())
BLIND_OPENAI = (
    r"(?:gpt-3\.5|gpt-4(?:-\d{4}|-32k.*|-1106-preview|-0125-preview|-turbo-preview)?$|o1-mini|o1-preview|o3-mini"
    r"|gpt-oss|davinci|babbage|codex-mini)"
)
BLIND_DEEPSEEK = r"deepseek-(?:r1|v[23]|chat|coder|reasoner|prover)"
# Whole names as Ollama and LM Studio have them: a model with a similar name may well accept images.
_BLIND_OPEN = (
    "codellama",
    "command-r",
    "gemma",
    "gemma2",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "mistral",
    "mistral-nemo",
    "mixtral",
    "phi3",
    "phi4",
    "phi4-mini",
    "qwen",
    "qwen2",
    "qwen2.5",
    "qwen2.5-coder",
    "qwen3",
    "qwen3-coder",
    "smollm",
    "smollm2",
    "tinyllama",
)
_BLIND_SIZES = r"gemma3:270m|gemma3:1b|gpt-oss"
_LAST_PART = rf"(?:(?:{'|'.join(map(re.escape, _BLIND_OPEN))})(?::.*)?$|{_BLIND_SIZES}|{BLIND_DEEPSEEK})"
OPEN_BLIND = rf"^(?:.*/)?(?!.*/){_LAST_PART}"
"""Open models that accept no images; a vendor may precede the name, as in `openai/gpt-oss-20b`."""


def open_models(usual: Capabilities) -> ModelCapabilities:
    """Return the capabilities of a server of open models: `usual`, except for those that accept no images."""
    return ModelCapabilities(usual=usual, families=((OPEN_BLIND, NOTHING),))


# --- defaults of each wire format, where the vendor's row has none ------------------------------

ANTHROPIC = ModelCapabilities(
    usual=Capabilities(
        # 5 MB in base64 and 8000 pixels on every platform (10 MB on its own; more than 1568 is scaled there
        # anyway): Claude docs, "Vision".
        picture_bytes=3_750_000,
        picture_side=8_000,
        # 32 MB a request, base64 and all; 100 pages, 600 with a long context: Claude docs, "PDF support".
        pdf=True,
        pdf_bytes=23_000_000,
        inline_bytes=23_000_000,
    ),
    families=((r"^claude-(?:1|2|instant)", NOTHING),),
)
# Types: Gemini docs, "Image", "Audio" and "Video understanding". A gif is not among them.
_GEMINI_PICTURES = frozenset(("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif"))
GEMINI = ModelCapabilities(
    usual=Capabilities(
        pictures=_GEMINI_PICTURES,
        picture_bytes=15_000_000,
        picture_side=ANY_SIDE,
        # 50 MB and 1000 pages: Gemini docs, "Document understanding".
        pdf=True,
        pdf_bytes=50_000_000,
        audio=AUDIO,
        video=MORE_VIDEO,
        # "File input methods" says 100 MB per request, other pages 20 MB; uploading is cheap and always
        # works.
        inline_bytes=15_000_000,
        upload=True,
    ),
    # Gemma accepts images only: its page in the Gemini docs.
    families=((r"^gemma", Capabilities(pictures=_GEMINI_PICTURES, inline_bytes=15_000_000)),),
)
OLLAMA = open_models(Capabilities(pictures=JPEG_PNG | {"image/webp"}, picture_side=ANY_SIDE))
OPENAI_COMPATIBLE = open_models(Capabilities(picture_side=ANY_SIDE, audio=WAV_MP3, video=MP4))
# A user's message takes text, images and files: OpenAI docs, "Create a model response", `input`.
OPENAI_RESPONSES = open_models(Capabilities(picture_side=ANY_SIDE))


# Other names under which providers list the same types.
_ALIASES = {
    "audio/mpeg": ("audio/mp3",),
    "audio/wav": ("audio/x-wav", "audio/wave"),
    "audio/mp4": ("audio/m4a", "audio/x-m4a"),
    "audio/flac": ("audio/x-flac",),
    "audio/aiff": ("audio/x-aiff",),
    "video/quicktime": ("video/mov",),
    "video/x-msvideo": ("video/avi",),
    "video/mpeg": ("video/mpg",),
    "video/x-ms-wmv": ("video/wmv",),
    "image/heic": ("image/heif",),
}


def picture_bytes(capabilities: Capabilities) -> int:
    """Return the most bytes that an image may have."""
    return min(capabilities.picture_bytes, capabilities.inline_bytes)


def pdf_bytes(capabilities: Capabilities) -> int:
    """Return the most bytes that a PDF may have to be sent whole."""
    return (
        capabilities.pdf_bytes
        if capabilities.upload
        else min(capabilities.pdf_bytes, capabilities.inline_bytes)
    )


def accepted_mime(mime: str, accepted_types: Collection[str]) -> str | None:
    """Return the name by which a provider accepts a MIME type, or `None` if it does not."""
    return next((name for name in (mime, *_ALIASES.get(mime, ())) if name in accepted_types), None)
