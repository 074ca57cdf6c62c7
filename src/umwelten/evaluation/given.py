"""What a run keeps of the options that it was started with, and how that is found again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from umwelten.config.given_options import GivenOptions, given_options
from umwelten.config.option_types import PlainText
from umwelten.config.own_mark import is_own, mark
from umwelten.config.settings import Settings
from umwelten.errors import StoreError
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.given.kept_rows import latest
from umwelten.phrases import Phrase
from umwelten.store.given import latest_given
from umwelten.types import FrozenStruct, Prompt
from umwelten.version import __version__


class _Marked(FrozenStruct):
    """As it stands in `runs.given`: the mark is of the options' JSON."""

    options: msgspec.Raw
    mark: str = ""


class StoredOptions(FrozenStruct):
    """The options of an evaluation's latest run. `own`: this user stored them, on this machine."""

    options: GivenOptions
    own: bool


class GivenJson:
    """Makes the JSON that a run keeps of its options. Specs that ask for the same are equal in any case."""

    def __init__(self, made: Callable[[Callable[[str], str]], str]) -> None:
        self._made = made

    def __call__(self, mask: Callable[[str], str]) -> str:
        """The JSON, with keys taken out by `mask`."""
        return self._made(mask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GivenJson)

    def __hash__(self) -> int:
        return hash(GivenJson)


def given_of(
    kind: Literal["run", "batch"], settings: Settings, spec: EvaluationSpec, prompts: tuple[Prompt, ...]
) -> GivenJson:
    """Return what makes the JSON that a run keeps, given what masks keys in a text.

    `prompts` are those asked for, without what is recalled.
    """
    folder = Path.cwd()
    resolved: dict[str, Any] = {"models": ",".join(map(str, spec.models))}
    if settings.get("prompts") is not None:
        # A file of one list of messages is a prompt without a name.
        alone = not prompts[0].name
        texts = {prompt.name: prompt.text for prompt in prompts}
        resolved["prompts"] = PlainText(prompts[0].text) if alone else texts
    else:
        resolved["prompt"] = PlainText(prompts[0].text)
    if spec.request.system is not None:
        resolved["system"] = PlainText(spec.request.system)
    variants: dict[str, dict[str, Any]] = {}
    for variant in spec.request.variants:
        rows = {name: row.value for name, row in settings.variants[variant.name].items()}
        if variant.system is not None and "system" in rows:
            rows["system"] = PlainText(variant.system)
        variants[variant.name] = rows

    def made(mask: Callable[[str], str]) -> str:
        options = given_options(
            kind, settings, resolved, variants, folder=folder, umwelten=__version__, mask=mask
        )
        content = msgspec.json.encode(options)
        return msgspec.json.encode(_Marked(options=msgspec.Raw(content), mark=mark(content))).decode()

    return GivenJson(made)


def stored_options(folder: Path) -> StoredOptions | None:
    """Return the options that the latest run of an evaluation was started with.

    `None` if none were kept, as by earlier versions. Raises StoreError.
    """
    text = latest_given(folder)
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text, type=_Marked)
        content = bytes(found.options)
        options = msgspec.json.decode(content, type=GivenOptions)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"the stored options of evaluation {folder.name!r} cannot be read: {error}",
            Phrase("Give the whole command again, with {option:resume}."),
        ) from error
    return StoredOptions(options=options, own=is_own(content, found.mark))


def with_kept_rows(options: GivenOptions, folder: Path) -> GivenOptions:
    """Return the options with the rows that a Python program gave as the file that they are kept in."""
    given = options.options.get("rows")
    path = latest(folder)
    if given is None or given.withheld != "python" or path is None:
        return options
    kept = msgspec.structs.replace(given, withheld="", value={"path": str(path.absolute())})
    return msgspec.structs.replace(options, options={**options.options, "rows": kept})
