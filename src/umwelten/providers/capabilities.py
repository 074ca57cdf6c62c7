"""What a model takes beside words, and up to which size.

Figures are the vendors' own, as of November 2026; the source stands beside each. Where nothing is known
anything may be sent: the provider will say. What a model surely can't take is said before it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from umwelten.providers.base_url import is_at_home
from umwelten.providers.protocol import Endpoint
from umwelten.types import FrozenStruct, ModelRef

PICTURES = frozenset(("image/jpeg", "image/png", "image/webp", "image/gif"))


class Capabilities(FrozenStruct):
    """Media that can be sent to a model. Types are MIME types; sizes are bytes before base64.

    `pictures` is empty for a model that is known to see nothing. A picture above `picture_bytes`, or with a
    side above `picture_side` pixels, is scaled down first. `pdf`: whole PDF files, up to `pdf_bytes`.
    `inline_bytes`: what one request may carry; above it, `upload` says whether files may be uploaded first.
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


_NO_LIMIT = 1 << 30
_WAV_MP3 = frozenset(("audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/mp3"))
_MORE_AUDIO = _WAV_MP3 | {
    "audio/aac",
    "audio/aiff",
    "audio/x-aiff",
    "audio/flac",
    "audio/x-flac",
    "audio/ogg",
}
_M4A = frozenset(("audio/mp4", "audio/x-m4a"))
_JPEG_PNG = frozenset(("image/jpeg", "image/png"))
_VIDEO = frozenset(("video/mp4", "video/mpeg", "video/quicktime", "video/mov", "video/webm"))
_MORE_VIDEO = _VIDEO | {
    "video/x-msvideo",
    "video/avi",
    "video/x-flv",
    "video/wmv",
    "video/x-ms-wmv",
    "video/3gpp",
}

_NOTHING = Capabilities(pictures=frozenset())

_ANTHROPIC = Capabilities(
    # 5 MB in base64 and 8000 pixels on every platform (10 MB on its own; more than 1568 is scaled there
    # anyway): Claude docs, "Vision".
    picture_bytes=3_750_000,
    picture_side=8_000,
    # 32 MB a request, base64 and all; 100 pages, 600 with a long context: Claude docs, "PDF support".
    pdf=True,
    pdf_bytes=23_000_000,
    inline_bytes=23_000_000,
)
_GEMINI = Capabilities(
    # Types: Gemini docs, "Image", "Audio" and "Video understanding". A gif is not among them.
    pictures=frozenset(("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif")),
    picture_bytes=15_000_000,
    picture_side=_NO_LIMIT,
    # 50 MB and 1000 pages: Gemini docs, "Document understanding".
    pdf=True,
    pdf_bytes=50_000_000,
    audio=_MORE_AUDIO,
    video=_MORE_VIDEO,
    # "File input methods" says 100 MB a request, other pages 20 MB; uploading costs little and always works.
    inline_bytes=15_000_000,
    upload=True,
)
_OPENAI = Capabilities(
    # OpenAI docs, "Images and vision": 512 MB a request; larger sides are scaled there.
    picture_bytes=50_000_000,
    picture_side=_NO_LIMIT,
    # 50 MB a file and for all files of a request: "File inputs". PDF alone in chat completions.
    pdf=True,
    pdf_bytes=50_000_000,
)
_OPENROUTER = Capabilities(
    # OpenRouter docs, "PDF inputs": read for any model. "Audio", "Video": as the model's host takes it.
    pdf=True,
    pdf_bytes=50_000_000,
    audio=_MORE_AUDIO | _M4A,
    video=_VIDEO,
)
_OLLAMA = Capabilities(pictures=_JPEG_PNG | {"image/webp"}, picture_side=_NO_LIMIT)
# llama.cpp reads pictures with stb_image, which knows no webp.
_LLAMA_CPP = Capabilities(pictures=_JPEG_PNG | {"image/gif"}, picture_side=_NO_LIMIT, audio=_WAV_MP3)
_COMPATIBLE = Capabilities(picture_side=_NO_LIMIT, audio=_WAV_MP3, video=frozenset(("video/mp4",)))

_BY_VENDOR = {
    "openai": _OPENAI,
    "openrouter": _OPENROUTER,
    # The child is started without the part of a model that sees or hears.
    "local": _NOTHING,
    "llamabarn": _LLAMA_CPP,
    "llama-swap": _LLAMA_CPP,
    "lmstudio": Capabilities(pictures=_JPEG_PNG | {"image/webp"}, picture_side=_NO_LIMIT),
    # 4 MB for a request with base64, 33 megapixels a picture: Groq docs, "Images and vision".
    "groq": Capabilities(picture_bytes=2_900_000, picture_side=5_700, inline_bytes=2_900_000),
    # Its models read text alone: DeepSeek docs, "Create chat completion".
    "deepseek": _NOTHING,
    # 10 MB a picture: Mistral docs, "Vision".
    "mistral": Capabilities(picture_bytes=10_000_000, audio=_WAV_MP3),
    # 20 MiB a picture, jpeg or png: xAI docs, "Image understanding".
    "xai": Capabilities(pictures=_JPEG_PNG, picture_bytes=20_000_000, picture_side=_NO_LIMIT),
    # 10 MB for all pictures of a request in base64: Fireworks docs, "Vision models".
    "fireworks": Capabilities(picture_bytes=7_000_000, inline_bytes=7_000_000),
}
_BY_WIRE = {"gemini": _GEMINI, "anthropic": _ANTHROPIC, "ollama": _OLLAMA}

# Families that surely see nothing, by the models' own pages.
_BLIND_OPENAI = re.compile(
    r"^(gpt-3\.5|gpt-4(-\d{4}|-32k.*|-1106-preview|-0125-preview|-turbo-preview)?$|o1-mini|o1-preview|o3-mini"
    r"|gpt-oss|davinci|babbage|codex-mini)"
)
_BLIND_CLAUDE = re.compile(r"^claude-(1|2|instant)")
_BLIND_DEEPSEEK = re.compile(r"^deepseek-(r1|v[23]|chat|coder|reasoner|prover)")
# Whole names as Ollama and LM Studio have them: what is called almost the same may well see.
_BLIND_OPEN = frozenset(
    (
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
)
_BLIND_SIZES = ("gemma3:270m", "gemma3:1b", "gpt-oss")
_HEARS = re.compile(r"audio")


def capabilities_of(endpoint: Endpoint, model: ModelRef) -> Capabilities:
    """What this model takes at this place, as far as it is known."""
    vendor, name = endpoint.vendor, model.model.lower()
    if vendor.wire in _BY_WIRE:
        return _of_wire(vendor.wire, name)
    if vendor.name == "openrouter":
        return _routed(name)
    if vendor.name == "openai" and is_at_home(endpoint):
        return _of_openai(name)
    known = _BY_VENDOR.get(vendor.name) if vendor.name != "openai" else None
    return _seeing(known or _COMPATIBLE, name)


def _of_wire(wire: str, name: str) -> Capabilities:
    if wire == "gemini":
        # Gemma reads pictures, and none of the rest: its page in the Gemini docs.
        return (
            Capabilities(pictures=_GEMINI.pictures, inline_bytes=15_000_000)
            if name.startswith("gemma")
            else _GEMINI
        )
    if wire == "anthropic":
        return _NOTHING if _BLIND_CLAUDE.match(name) else _ANTHROPIC
    return _seeing(_OLLAMA, name)


def _of_openai(name: str) -> Capabilities:
    if _HEARS.search(name):
        return Capabilities(pictures=frozenset(), audio=_WAV_MP3)
    if _BLIND_OPENAI.match(name):
        return _NOTHING
    # PDF files from gpt-4o on.
    return msgspec.structs.replace(_OPENAI, pdf=False) if name.startswith("gpt-4-turbo") else _OPENAI


def _routed(name: str) -> Capabilities:
    """At OpenRouter the vendor stands before the model; PDF files are read for every one of them."""
    maker, _, model = name.partition("/")
    if not (maker == "openai" and _BLIND_OPENAI.match(model)) and not _BLIND_DEEPSEEK.match(model):
        return _OPENROUTER
    nothing: frozenset[str] = frozenset()
    return msgspec.structs.replace(_OPENROUTER, pictures=nothing, audio=nothing, video=nothing)


def _seeing(capabilities: Capabilities, name: str) -> Capabilities:
    model = name.rpartition("/")[2]
    is_known = model.partition(":")[0] in _BLIND_OPEN or model.startswith(_BLIND_SIZES)
    is_blind = is_known or _BLIND_DEEPSEEK.match(model)
    return _NOTHING if is_blind else capabilities


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
    """The most that a picture may have."""
    return min(capabilities.picture_bytes, capabilities.inline_bytes)


def pdf_bytes(capabilities: Capabilities) -> int:
    """The most that a PDF may have to be sent whole."""
    return (
        capabilities.pdf_bytes
        if capabilities.upload
        else min(capabilities.pdf_bytes, capabilities.inline_bytes)
    )


def accepted(mime: str, taken: Collection[str]) -> str | None:
    """The name under which a provider takes a type, `None` if it does not."""
    return next((name for name in (mime, *_ALIASES.get(mime, ())) if name in taken), None)
