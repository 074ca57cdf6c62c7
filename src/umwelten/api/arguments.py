"""From arguments to the spec of an evaluation: the same settings and defaults as on the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from umwelten.api.argument_names import NAMED
from umwelten.api.results import Results
from umwelten.config import Settings, load, vendors
from umwelten.config.options import FLAGS
from umwelten.config.profiles import gives_way
from umwelten.errors import UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs import expand
from umwelten.inputs.prompt_files import read_prompts
from umwelten.inputs.sources import Choice, Inputs, chosen
from umwelten.phrases import Wording
from umwelten.providers.protocol import Vendor
from umwelten.report.output_files import check_report_path
from umwelten.schema import OutputSchema, load_schema
from umwelten.schema.definitions import schema_of
from umwelten.schema.pydantic_models import class_shape
from umwelten.types import FrozenStruct, Prompt

_SETTINGS = (
    *("models", "temperature", "max_tokens", "top_p", "seed", "params", "repeat", "stream", "coerce", "pdf"),
    *("concurrent", "max_concurrency", "provider_concurrency", "timeout_s", "retries", "output_dir"),
    *("max_cost", "max_errors", "max_bytes_in_flight", "recursive", "file_pattern", "max_files"),
)
_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,40}")


class ResolvedArguments(FrozenStruct):
    """Everything that a run needs to know. `notes` are for the user to read."""

    spec: EvaluationSpec
    settings: Settings
    known: Mapping[str, Vendor]
    notes: list[Wording]
    reports: tuple[Path, ...]


def resolve_arguments(kind: Literal["run", "batch"], given: Mapping[str, Any]) -> ResolvedArguments:
    """Read the settings in force and put the arguments on top. Raises a `UmweltenError`."""
    settings = load(Path.cwd(), os.environ, profile=given.get("profile"))
    given = _with_profile(settings, given)
    settings = settings.with_flags({name: _as_flag(name, given.get(name)) for name in _SETTINGS})
    known, notes = vendors(settings), list[Wording](settings.notes)
    spec = _spec(kind, given, settings, known, notes)
    reports = given.get("report")
    paths = settings.get("report") if reports is None else tuple(map(_path, _several(reports)))
    for path in paths:
        check_report_path(path)
    return ResolvedArguments(spec=spec, settings=settings, known=known, notes=notes, reports=paths)


def _with_profile(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with what the profile says of those that were not given, nor others in their place."""
    merged = dict(given)
    typed = {
        option.key for option in FLAGS if given.get(NAMED.get(option.key, option.key)) not in (None, False)
    }
    for flag, value in settings.flags.items():
        name = NAMED.get(flag, flag)
        if flag not in typed and not gives_way(flag, typed, settings.flags):
            merged[name] = _from_file(value.value) if name == "prompt" else value.value
    return merged


def _as_flag(name: str, value: Any) -> Any:
    """The value as `Settings.with_flags` reads it."""
    if value is None:
        return None
    if name == "timeout_s":
        if not value > 0:
            raise UsageError(f"timeout_s: {value!r} is not allowed", "Give seconds, above 0.")
        return float(value), None
    if name == "models":
        return value if isinstance(value, str) else list(value)
    return _path(value) if name == "output_dir" else value


def _spec(
    kind: Literal["run", "batch"],
    given: Mapping[str, Any],
    settings: Settings,
    known: Mapping[str, Vendor],
    notes: list[Wording],
) -> EvaluationSpec:
    _check_mode(given)
    if not settings.get("models"):
        raise UsageError("no model is named", 'Give models="provider:model", or put it in umwelten.toml.')
    return build_spec(
        kind,
        settings,
        known,
        notes,
        prompts=_prompts(given),
        system=_system(given, settings),
        output_schema=_output_schema(given, settings),
        inputs=_inputs(given, settings, notes.append) if kind == "batch" else None,
        attach=_files(given.get("attach")),
        id=given.get("id"),
        mode="resume" if given.get("resume") else "overwrite" if given.get("overwrite") else "new",
    )


def _check_mode(given: Mapping[str, Any]) -> None:
    if given.get("resume") and given.get("overwrite"):
        raise UsageError("resume and overwrite exclude each other", "Give the one that you mean.")
    if (given.get("resume") or given.get("overwrite")) and given.get("id") is None:
        raise UsageError("resume and overwrite need an id", "umwelten.evaluations() gives those there are.")


# --- what is asked ---------------------------------------------------------------------------


def _prompt(given: Mapping[str, Any]) -> str:
    prompt = given.get("prompt")
    if isinstance(prompt, Path):
        return _text_of(prompt)
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError("the prompt is empty", "Give a text, the Path of a file, or several as prompts.")
    return prompt


def _prompts(given: Mapping[str, Any]) -> tuple[Prompt, ...]:
    several = given.get("prompts")
    if several is None:
        return (Prompt(name="", text=_prompt(given)),)
    if given.get("prompt") is not None:
        raise UsageError("prompt and prompts exclude each other", "Give the one that you mean.")
    if isinstance(several, Mapping):
        return tuple(_named(name, text) for name, text in several.items()) or _no_prompts()
    return read_prompts(_path(several))


def _named(name: object, text: object) -> Prompt:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"prompts: the name {name!r} can't be part of a file's name",
            "Use letters without accents, digits, '_', '-' and '.', at most 40, not starting with a dot.",
        )
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"prompts: {name} is empty or no text", "Give a text for each name.")
    return Prompt(name=name, text=text)


def _no_prompts() -> NoReturn:
    raise UsageError("prompts is empty", 'Give names and texts: {"short": "Sum it up in a sentence."}')


def _system(given: Mapping[str, Any], settings: Settings) -> str | None:
    system = given.get("system")
    if system is None:
        stored = settings.get("system")
        return None if stored is None else _from_file(stored)
    return _text_of(system) if isinstance(system, Path) else str(system)


def _from_file(text: str) -> str:
    """A text of a settings file, where `@FILE` stands for what is in the file."""
    return _text_of(Path(text[1:]).expanduser()) if text.startswith("@") else text


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _output_schema(given: Mapping[str, Any], settings: Settings) -> OutputSchema | None:
    schema: object = given.get("schema")
    if schema is None:
        schema = settings.get("schema")
    match schema:
        case None:
            return None
        case type():
            return class_shape(schema)
        case Mapping():
            name = str(schema.get("title", "answer"))
            return OutputSchema(schema_of(dict(schema), name=name, source="", where="schema"))
        case Path():
            return load_schema(str(schema) if schema.suffix == ".json" else f"@{schema}")
    return load_schema(str(schema))


# --- about what ------------------------------------------------------------------------------


def _inputs(given: Mapping[str, Any], settings: Settings, on_note: Callable[[str], None]) -> Inputs:
    directory, rows, earlier = given.get("directory"), given.get("rows"), given.get("from_")
    files = _several(given.get("files"))
    if directory is None and rows is None and earlier is None and not files:
        raise UsageError("batch needs one of directory, files, rows and from_", 'Say directory="texts".')
    if isinstance(earlier, Results):
        earlier = str(earlier.folder.absolute())
    return chosen(
        Choice(
            directory=None if directory is None else _path(directory),
            files=files,
            rows=None if rows is None else _path(rows),
            from_=earlier,
            where=given.get("where"),
            row_name=given.get("row_name"),
            file_pattern=given.get("file_pattern") or (directory and settings.get("file_pattern")),
            recursive=bool(given.get("recursive") or (directory and settings.get("recursive"))),
            max_files=settings.get("max_files"),
            id=given.get("id"),
            output_dir=settings.get("output_dir"),
        ),
        on_note,
    )


def _files(given: Any) -> Iterable[Path]:
    for item in _several(given):
        yield from [item] if isinstance(item, Path) else expand(item, Path())


def _several(given: Any) -> tuple[Any, ...]:
    """One or several: a text or path alone is one; `None` is none."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str | Path) else tuple(given)


def _path(given: str | Path) -> Path:
    return Path(given).expanduser()
