"""The options that a run was started with, as its evaluation keeps them, and the settings made of them again.

What decides on what is asked is kept as it was settled, wherever it came from; of speed, money and what a
terminal shows, only what was given: the rest is what files and environment say when it goes on. No key is
kept, and nothing that a `.env` puts into a project's file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from umwelten.config.declaration import Option
from umwelten.config.layers import DEFAULT, Value
from umwelten.config.option_types import PlainText
from umwelten.config.options import OPTIONS, is_about_pace
from umwelten.config.settings import Settings
from umwelten.config.stored_forms import can_have
from umwelten.errors import StoreError, UsageError
from umwelten.phrases import Phrase
from umwelten.tools.mcp.settings import is_url
from umwelten.types import FrozenStruct

FORMAT = 1
_SECRET_NAME = re.compile(r"key|token(?!s)|secret|passw|credential|auth", re.IGNORECASE)
"""Of fields of a request: `user_token` is none to keep, `max_tokens` is."""

OF_ONE_START = frozenset(
    {"id", "output_dir", "resume", "overwrite", "profile", "forget_limits", "recall_now"}
)
"""Names of options that say how a run is started, not what it is."""


class GivenOption(FrozenStruct, omit_defaults=True):
    """An option as it is kept. `withheld` says why there is no value: "key", "variable" or "python".

    `source` is as in `Value`. `given`: by a flag or an argument.
    """

    value: Any = None
    source: str = ""
    given: bool = False
    withheld: str = ""


class GivenOptions(FrozenStruct, omit_defaults=True):
    """All that `eval resume` needs: `options` by name, `variants` of models by name.

    `folder` is the working directory that relative paths are taken from, `umwelten` the version that ran.
    `format`: another one is of a later version, and `restored` refuses it.
    """

    kind: Literal["run", "batch"]
    folder: Any
    umwelten: str
    options: dict[str, GivenOption]
    variants: Mapping[str, Mapping[str, GivenOption]] = {}
    format: int = FORMAT

    @property
    def working_directory(self) -> Path:
        """The directory that it was started in."""
        return Path(_value(self.folder))


def given_options(
    kind: Literal["run", "batch"],
    settings: Settings,
    resolved: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path,
    umwelten: str,
    mask: Callable[[str], str],
) -> GivenOptions:
    """Return what is kept of these settings.

    `resolved` are values that stand for what was read, by the options' names: the texts of prompts.
    `variants` are the settings of those in use. `mask` takes keys out of a text.
    """
    kept: dict[str, GivenOption] = {}
    for name, row in settings.values.items():
        option = OPTIONS[name]
        wanted = _is_kept(option, kind)
        is_given = name in settings.given
        follows = is_about_pace(option) and not (is_given or (name == "max_concurrency" and _short(settings)))
        if wanted and not follows and row.source != DEFAULT:
            value = resolved.get(name, row.value)
            found = _kept(name, value, row, mask)
            kept[name] = msgspec.structs.replace(found, source=row.source, given=is_given)
    own = {
        name: {key: _kept(key, value, None, mask) for key, value in values.items()}
        for name, values in variants.items()
    }
    return GivenOptions(kind=kind, folder=_words(str(folder)), umwelten=umwelten, options=kept, variants=own)


def _is_kept(option: Option, kind: str) -> bool:
    """Whether an evaluation of this kind keeps the option: others say how a run is started or shown."""
    if option.name in OF_ONE_START or option.place == "flag" or option.only not in (None, kind):
        return False
    return option.in_python or option.name == "on_end"


def _short(settings: Settings) -> bool:
    """`concurrent` stands for a number of `max_concurrency`."""
    return "concurrent" in settings.given


def _kept(name: str, value: Any, row: Value | None, mask: Callable[[str], str]) -> GivenOption:
    if row is not None and row.place is not None and row.place.uses:
        return GivenOption(withheld="variable")
    try:
        plain = _plain(value)
    except TypeError:
        return GivenOption(withheld="python")
    if _holds_key(name, value) or _masked(plain, mask) != plain:
        return GivenOption(withheld="key")
    return GivenOption(value=plain)


def _holds_key(name: str, value: Any) -> bool:
    if name == "params":
        return _has_secret_field(value)
    if name == "on_end":
        # It may tell a service by an address that is a secret itself.
        return "://" in value or _SECRET_NAME.search(value) is not None
    if name == "mcp":
        # An address may have a password or a key in it; a command may have it among its words.
        return any(
            ("@" in text or "?" in text) if is_url(text) else _SECRET_NAME.search(text) for text in value
        )
    return False


def _has_secret_field(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_SECRET_NAME.search(str(name)) or _has_secret_field(each) for name, each in value.items())
    return isinstance(value, list | tuple) and any(map(_has_secret_field, value))


def _masked(plain: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(plain, str):
        return mask(plain)
    if isinstance(plain, list):
        return [_masked(each, mask) for each in plain]
    if isinstance(plain, dict):
        return {mask(key): _masked(each, mask) for key, each in plain.items()}
    return plain


# --- values as JSON --------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return a value as JSON that says what it is. Raises TypeError for what only a program has."""
    match value:
        case PlainText():
            return {"text": _words(value.text)}
        case bool() | None:
            return value
        case int() | float():
            return value
        case str():
            return _words(value)
        case Path():
            return {"path": _words(str(value))}
        case tuple():
            return {"tuple": [_plain(each) for each in value]}
        case list():
            return [_plain(each) for each in value]
        case Mapping() if all(isinstance(key, str) for key in value):
            return {"map": [[_words(key), _plain(each)] for key, each in value.items()]}
    raise TypeError(type(value).__name__)


def _words(text: str) -> Any:
    """A text, or its bytes where it is none, as some names of files are."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"bytes": text.encode(errors="surrogatepass").hex()}
    return str(text)


def _value(plain: Any) -> Any:
    """The value that was made plain. Raises ValueError for what none of ours is."""
    if isinstance(plain, list):
        return [_value(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    ((tag, held),) = plain.items()
    match tag, _value(held) if isinstance(held, dict) else held:
        case "text", str(text):
            return PlainText(text)
        case "path", str(text):
            return Path(text)
        case "bytes", str(text):
            return bytes.fromhex(text).decode(errors="surrogatepass")
        case "tuple", list():
            return tuple(_value(each) for each in held)
        case "map", list():
            return {str(_value(key)): _value(each) for key, each in held}
    raise ValueError(f"{tag!r} is no value of an option")


# --- again ------------------------------------------------------------------------------------


def restored(stored: GivenOptions, present: Settings, folder: Path, now: Collection[str] = ()) -> Settings:
    """Return the settings to go on with the evaluation in a folder.

    `present` are those in force now: providers, prices, and what of speed and money was not given then.
    `now` names options that are given anew: what was kept of them does not matter.
    Raises `UsageError` for what was not kept, `StoreError` for what cannot be read.
    """
    if stored.format != FORMAT:
        raise StoreError(
            f"the options of evaluation {folder.name!r} are stored in a form that is not known here",
            f"It was made by umwelten {stored.umwelten}: continue it with that one.",
        )
    values = {
        name: present.values[name] if is_about_pace(option) else Value(value=option.default, source=DEFAULT)
        for name, option in OPTIONS.items()
    }
    for name, kept in stored.options.items():
        if name not in OPTIONS or not _is_kept(OPTIONS[name], stored.kind):
            raise StoreError(
                f"evaluation {folder.name!r} was run with the option {name!r}, which is not known here",
                f"It was made by umwelten {stored.umwelten}: continue it with that one.",
            )
        values[name] = (
            present.values[name] if name in now else _restored(name, kept, present.values[name], folder)
        )
    for name, value in (("id", folder.name), ("output_dir", folder.parent), ("resume", True)):
        values[name] = Value(value=value, source="eval resume")
    variants = {
        variant: {
            name: _restored(name, kept, Value(value=None, source=DEFAULT), folder)
            for name, kept in rows.items()
        }
        for variant, rows in stored.variants.items()
    }
    return msgspec.structs.replace(
        present,
        values=values,
        flags={},
        variants={**present.variants, **variants},
        given=frozenset(name for name, kept in stored.options.items() if kept.given),
    )


def _restored(name: str, kept: GivenOption, present: Value, folder: Path) -> Value:
    if kept.withheld and present.source != DEFAULT and kept.withheld != "python":
        return present
    if kept.withheld:
        why = {
            "python": "it was given by a Python program: go on there, with resume=True",
            "variable": "a variable is part of it: set it where the configuration has it",
        }.get(kept.withheld, "it may hold a key")
        raise UsageError(
            Phrase(
                "{option:{name}} of evaluation {id!r} is not stored: {why}",
                name=name,
                id=folder.name,
                why=why,
            ),
            _again(name, folder),
        )
    try:
        value = _value(kept.value)
        if name not in OPTIONS or not can_have(OPTIONS[name], value):
            raise ValueError("it is none that this option can have")
    except (ValueError, TypeError) as error:
        raise StoreError(f"the stored option {name!r} of {folder.name!r} cannot be read: {error}") from error
    return Value(value=value, source=kept.source)


def _again(name: str, folder: Path) -> Phrase:
    if is_about_pace(OPTIONS[name]):
        return Phrase("Give {option:{name}} again.", name=name)
    return Phrase("Or give the whole command again, with {option:id={id}} {option:resume}.", id=folder.name)
