"""What a file is likely to be by its name, where nothing is read yet: for estimates alone."""

from __future__ import annotations

from umwelten.providers.capabilities import Capabilities, accepted

_AUDIO = {
    **{".mp3": "mpeg", ".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".oga": "ogg", ".m4a": "mp4"},
    **{".aac": "aac", ".aif": "aiff", ".aiff": "aiff"},
}
_VIDEO = {
    **{".mp4": "mp4", ".m4v": "mp4", ".mov": "quicktime", ".avi": "x-msvideo", ".mkv": "x-matroska"},
    **{".webm": "webm", ".mpg": "mpeg", ".mpeg": "mpeg", ".wmv": "x-ms-wmv", ".flv": "x-flv", ".3gp": "3gpp"},
}
_PICTURES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
        ".tif",
        ".tiff",
        ".bmp",
        ".heic",
        ".heif",
        ".avif",
        ".ico",
        ".jp2",
    )
)
_NEVER = frozenset(
    (
        *(".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".jar", ".whl", ".psd"),
        *(".doc", ".xls", ".xlsb", ".ppt", ".odt", ".ods", ".odp", ".pages", ".key", ".numbers"),
        *(
            ".exe",
            ".dll",
            ".so",
            ".o",
            ".pyc",
            ".class",
            ".wasm",
            ".db",
            ".sqlite",
            ".parquet",
            ".npy",
            ".bin",
        ),
    )
)


def looks_sendable(name: str, capabilities: Capabilities) -> bool:
    """Whether a file of that name can likely be sent to a model; its bytes settle it later."""
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    if ending in _PICTURES:
        return bool(capabilities.pictures)
    if ending in _AUDIO:
        return accepted(f"audio/{_AUDIO[ending]}", capabilities.audio) is not None
    if ending in _VIDEO:
        return accepted(f"video/{_VIDEO[ending]}", capabilities.video) is not None
    return ending not in _NEVER
