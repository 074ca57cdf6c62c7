"""How an evaluation of an earlier version goes on, which kept no options: by what it stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from umwelten.config.given_options import GivenOption, GivenOptions
from umwelten.errors import InputError, StoreError
from umwelten.evaluation.given import StoredOptions
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.files.scan import scanned_file
from umwelten.inputs.sources import Inputs
from umwelten.phrases import Phrase
from umwelten.records import StoredSpec
from umwelten.schema import OutputSchema
from umwelten.store.given import made_by, stored_files
from umwelten.store.kept_inputs import INPUTS, has_kept_inputs
from umwelten.store.plan import planned_inputs
from umwelten.store.reader import Reader
from umwelten.types import FoundInput

Change = Callable[[EvaluationSpec], EvaluationSpec]


def options_of_request(folder: Path) -> tuple[StoredOptions, Change]:
    """Return options that stand for those that were given, and what makes the spec exactly as it was.

    Raises `StoreError` that names what is not stored, as the paths of attachments and of tables are not.
    """
    with Reader.open(folder) as reader:
        spec = reader.spec()
        paths, version = stored_files(reader), made_by(reader)
    missing = _missing(spec)
    if missing is not None:
        flag, what = missing
        raise StoreError(
            f"evaluation {folder.name!r} was made by umwelten {version}, which kept no options, and {what}",
            Phrase(
                "Give the whole command again: umwelten eval {kind} {option:id={id}} {option:resume} "
                "{flag} …",
                kind=spec.kind,
                id=folder.name,
                flag=flag,
            ),
        )
    prompts = spec.request.prompts
    values: dict[str, object] = {"models": ",".join(map(str, spec.models)), "repeat": spec.repeats}
    if len(prompts) > 1 or prompts[0].name:
        values["prompts"] = {"map": [[prompt.name, prompt.text] for prompt in prompts]}
    else:
        values["prompt"] = {"text": prompts[0].text}
    if spec.kind == "batch":
        values["files"] = [{"path": path} for path, _ in paths]
    options = GivenOptions(
        kind="run" if spec.kind == "run" else "batch",
        folder=str(Path.cwd()),
        umwelten=version,
        options={
            name: GivenOption(value=value, source=folder.name, given=True) for name, value in values.items()
        },
        variants={variant.name: {} for variant in spec.request.variants},
    )
    return StoredOptions(options=options, own=False), _as_stored(spec, paths)


def _missing(spec: StoredSpec) -> tuple[Phrase, str] | None:
    """The flag to give and what is not known, `None` where everything is."""
    request = spec.request
    if request.attachments:
        return Phrase("{option:attach=FILE}"), "of the attached files the names alone"
    if request.tools is not None:
        return Phrase("{option:tools=LIST}"), "not where its tools are"
    if spec.recall is not None:
        return Phrase("{option:recall=NAME}"), "not what it recalls"
    if spec.kind == "batch" and request.source == "rows":
        return Phrase("{option:rows=FILE}"), "not how its rows are named"
    if spec.kind == "batch" and request.source == "answers":
        return Phrase("{option:from_=ID}"), "not which answers of another evaluation it takes"
    return None


def with_kept_texts(options: GivenOptions, folder: Path) -> tuple[GivenOptions, Change] | None:
    """Return the options with the texts that a Python program gave, as the files that they are kept in.

    `None` if no such texts are there.
    """
    given = options.options.get("rows")
    if given is None or given.withheld != "python" or not has_kept_inputs(folder):
        return None
    kept, first = (folder / INPUTS).resolve(), None
    for found in planned_inputs(folder):
        if not Path(found.path).resolve().is_relative_to(kept):
            # The database may have been changed by somebody else, whatever the options' mark says.
            raise StoreError(
                f"evaluation {folder.name!r} names {found.path}, which is outside of its folder",
                Phrase("If its program gave that path, go on there, with {option:resume}."),
            )
        first = first or found.path
    if first is None:
        return None
    others = {name: option for name, option in options.options.items() if name not in ("rows", "max_files")}
    files = msgspec.structs.replace(given, withheld="", value=[{"path": first}])
    changed = msgspec.structs.replace(options, options={**others, "files": files})
    inputs = Inputs(files=lambda: planned_inputs(folder), lazy=True)
    return changed, lambda spec: msgspec.structs.replace(spec, inputs=inputs)


def _files(paths: list[tuple[str, str]]) -> Callable[[], Iterator[FoundInput]]:
    def files() -> Iterator[FoundInput]:
        for path, name in paths:
            try:
                yield scanned_file(path, name, Path(path).stat())
            except OSError as error:
                raise InputError(f"cannot read {path}: {error.strerror}") from error

    return files


def _as_stored(stored: StoredSpec, paths: list[tuple[str, str]]) -> Change:
    def change(spec: EvaluationSpec) -> EvaluationSpec:
        schema = stored.request.schema
        return msgspec.structs.replace(
            spec,
            request=stored.request,
            output_schema=None if schema is None else OutputSchema(schema),
            coerce=stored.coerce,
            inputs=None if spec.inputs is None else Inputs(files=_files(paths)),
        )

    return change
